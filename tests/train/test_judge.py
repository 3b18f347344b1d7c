"""The judge gives the same distances as the measures of training, through the other reading of SqueezeNet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stylebridge.errors import StylebridgeError
from stylebridge_models import loss_networks
from stylebridge_server.train.judge import SMALLEST, Judge, content_distance, style_distance
from stylebridge_server.train.measures import SqueezeNet, evaluate
from stylebridge_server.train.textures import texture


def test_the_same_distances_as_in_training(tmp_path: Path) -> None:
    import torchvision

    torch.manual_seed(0)
    path = tmp_path / "squeezenet.npz"
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    np.savez(path, **{name: value.numpy() for name, value in state.items()})
    judge = Judge(loss_networks.load("squeezenet", path, "caffe"))
    rng = np.random.default_rng(2)
    content, style = texture(rng, 96), texture(rng, 96)
    measured = evaluate(lambda x, s: 1 - x, [content], [style], SqueezeNet(path))
    result, source, painting = (judge.see(one) for one in (255 - content, content, style))
    assert content_distance(result, source) == pytest.approx(measured.content, rel=1e-3)
    assert style_distance(result, painting) == pytest.approx(measured.style, rel=1e-3)
    assert content_distance(source, source) == 0 == style_distance(painting, painting)


def test_smallest_picture_and_a_file_that_ends_early() -> None:
    judge = Judge(loss_networks.LossNetwork.random("squeezenet", thin=1))
    picture = np.zeros((SMALLEST, SMALLEST, 3), np.uint8)
    assert np.isfinite(style_distance(judge.see(picture), judge.see(picture + 9)))
    with pytest.raises(StylebridgeError, match="no layer"):
        Judge(loss_networks.LossNetwork.random("vgg19"))
