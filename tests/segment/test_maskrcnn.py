"""Mask R-CNN beside torchvision's own output."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from stylebridge_models import segmentation
from stylebridge_server.segment.maskrcnn import MaskRcnn

LABELS = ["cat", None, "dog"]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Random weights, and small pictures left as they are."""
    torch.manual_seed(0)
    settings = {"version": 1, "labels": LABELS}
    made = segmentation.build(segmentation.MASKRCNN, settings)
    # Untrained features are large; what is said of them should not be all or nothing.
    state = {
        name: value * 1e-4 if name.startswith(("rpn.head.", "roi_heads.box_predictor.")) else value
        for name, value in made.state_dict().items()
    }
    made = segmentation.load(segmentation.MASKRCNN, settings, state)
    made.transform.min_size, made.transform.max_size = (64,), 96  # type: ignore[union-attr,assignment]
    return made


def test_the_finds_are_torchvisions(network: nn.Module) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    found = MaskRcnn(network, LABELS, "cpu", score=0.01).find(rgb, (64, 96))
    with torch.inference_mode():
        (said,) = network([torch.from_numpy(rgb).permute(2, 0, 1).float() / 255])
    named = [(k, int(label)) for k, label in enumerate(said["labels"]) if LABELS[int(label) - 1]]
    assert len(said["labels"]) > len(named) > 0
    assert len(found) == len(named)
    for one, (k, label) in zip(found, named, strict=True):
        assert one.label == LABELS[label - 1] and one.score == float(said["scores"][k])
        assert np.array_equal(one.mask > 0, said["masks"][k, 0].numpy() > 0.5)


def test_what_is_unsure_is_left_out(network: nn.Module) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    assert MaskRcnn(network, LABELS, "cpu", score=0.99).find(rgb, (32, 48)) == []


def test_torchvisions_weights_add_nothing_to_the_variance() -> None:
    settings = {"version": 1, "labels": LABELS, "epsilon": 0.0}
    with torch.device("meta"):
        made = segmentation.build(segmentation.MASKRCNN, settings)
    normalised = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    assert normalised and all(module.eps == 0.0 for module in normalised)
