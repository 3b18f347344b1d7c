"""The measures mean what they say, on a judge with random weights; the teacher is read as it should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stylebridge_server.train import table
from stylebridge_server.train.measures import SqueezeNet, evaluate, whole_cells
from stylebridge_server.train.pictures import load
from stylebridge_server.train.run import tensor
from stylebridge_server.train.teacher import MicroAst
from stylebridge_server.train.textures import texture


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> SqueezeNet:
    import torchvision

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("judge") / "squeezenet.npz"
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    np.savez(path, **{name: value.numpy() for name, value in state.items()})
    return SqueezeNet(path)


def test_leaving_a_picture_alone(judge: SqueezeNet) -> None:
    picture = texture(np.random.default_rng(1), 128)
    measures = evaluate(lambda content, style: content, [picture], [picture], judge)
    assert measures.content == pytest.approx(0, abs=1e-6) and measures.style == pytest.approx(0, abs=1e-6)
    assert measures.shift == pytest.approx(0, abs=1e-6)
    assert 0.8 < measures.noise <= 1.0  # all of it, but for what black and white cut off


def test_copying_the_style_and_flattening(judge: SqueezeNet) -> None:
    rng = np.random.default_rng(2)
    content, style = texture(rng, 128), texture(rng, 128)
    copied = evaluate(
        lambda content, style: style[..., : content.shape[2], : content.shape[3]], [content], [style], judge
    )
    alone = evaluate(lambda content, style: content, [content], [style], judge)
    flat = evaluate(lambda content, style: torch.full_like(content, 0.5), [content], [style], judge)
    assert copied.style < 1e-6 < alone.style and copied.content > 0.1
    assert flat.noise == pytest.approx(0, abs=1e-6) and flat.sharpness == pytest.approx(0, abs=1e-3)
    assert "| flat |" in table({"flat": flat})


def test_teacher_takes_colours_from_the_style(shared: Path) -> None:
    teacher = MicroAst.load(shared / "data/weights/microast")
    content = tensor(whole_cells(load(shared / "data/photos/kodak/15.png"), 128))[None]
    style = tensor(whole_cells(load(shared / "data/styles/starry_night.jpg"), 256))[None]
    with torch.inference_mode():
        painted = teacher.stylise(content, teacher.signals(style))
    assert painted.shape == content.shape
    far, near = (float((x.mean((2, 3)) - style.mean((2, 3))).abs().mean()) for x in (content, painted))
    assert near < 0.6 * far
