"""Installed networks at work: they equal their definitions, repeat, and take pictures of every size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, johnson, kinds, microast
from stylebridge_server import style
from stylebridge_server.style import installed as at_work
from stylebridge_server.values import Rgb


def picture(height: int, width: int, seed: int = 0) -> Rgb:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in shapes.items():
        fan = int(np.prod(shape[1:])) or 1
        found[name] = torch.randn(shape, generator=generator) / fan**0.5 * (1 if len(shape) == 4 else 0.3)
    return found


def install(name: str, kind: str, seed: int = 0) -> installed.Card:
    shapes = johnson.shapes() if kind == kinds.JOHNSON else microast.shapes()
    tensors = weights(shapes, seed)
    if kind == kinds.JOHNSON:  # so that what comes out fills the range, like a network that was trained
        tensors["deconv3.conv2d.bias"] = torch.full((3,), 128.0)
        tensors["deconv3.conv2d.weight"] *= 40
    settings = {"epsilon": 1e-5} if kind == kinds.JOHNSON else {}
    return installed.install(name, kind, tensors, ("file", "0"), "MIT", settings)


@pytest.fixture
def johnson_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> installed.Card:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path))
    return install("candy", kinds.JOHNSON)


@pytest.fixture
def microast_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> installed.Card:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path))
    return install("micro", kinds.MICROAST)


@torch.inference_mode()
def test_johnson_paints_as_its_definition(johnson_card: installed.Card) -> None:
    rgb = picture(44, 64)
    network = johnson.JohnsonNetwork()
    network.load_state_dict(installed.load(johnson_card))
    expected = network(torch.from_numpy(rgb.transpose(2, 0, 1)[None]) * 255) / 255
    result = style.Installed().style(johnson_card).paint(rgb)
    assert result.dtype == np.float32 and result.std() > 0.05
    np.testing.assert_allclose(result, expected[0].permute(1, 2, 0).clamp(0, 1).numpy(), atol=1e-4)


@torch.inference_mode()
def test_microast_paints_as_its_definition(microast_card: installed.Card) -> None:
    rgb, painting = picture(44, 64), picture(50, 40, 1)
    network = microast.MicroAst(microast.parted(installed.load(microast_card)))
    content, after = (torch.from_numpy(one.transpose(2, 0, 1)[None].copy()) for one in (rgb, painting))
    expected = network.stylise(content, network.signals(after))
    result = style.Installed().style(microast_card, painting).paint(rgb)
    np.testing.assert_allclose(result, expected[0].permute(1, 2, 0).clamp(0, 1).numpy(), atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (30, 41), (3, 400)])
def test_every_size(
    johnson_card: installed.Card, microast_card: installed.Card, size: tuple[int, int]
) -> None:
    networks = style.Installed()
    for one in (networks.style(johnson_card), networks.style(microast_card, picture(3, 2))):
        result = one.paint(picture(*size))
        assert result.shape == (*size, 3) and np.isfinite(result).all()
        assert result.min() >= 0 and result.max() <= 1
    assert networks.runs == 2


def test_it_repeats_bit_for_bit_and_ids_tell_styles_apart(
    johnson_card: installed.Card, microast_card: installed.Card
) -> None:
    rgb, painting = picture(40, 56), picture(64, 64, 1)
    first, second = style.Installed(), style.Installed()
    for card, image in ((johnson_card, None), (microast_card, painting)):
        a, b = first.style(card, image), second.style(card, image)
        assert a.id == b.id and card.version in a.id
        np.testing.assert_array_equal(a.paint(rgb), b.paint(rgb))
    ids = {first.style(johnson_card).id, first.style(install("candy", kinds.JOHNSON, 1)).id}
    ids |= {first.style(microast_card, one).id for one in (painting, picture(64, 64, 2))}
    assert len(ids) == 4


def test_a_frame_that_is_too_large_is_refused(
    johnson_card: installed.Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "MOST_PIXELS", 100)
    with pytest.raises(StylebridgeError, match="raise stroke_size") as caught:
        style.Installed().style(johnson_card).paint(picture(20, 20))
    assert caught.value.code == Code.TOO_LARGE


def test_a_picture_too_many_or_too_few(johnson_card: installed.Card, microast_card: installed.Card) -> None:
    networks = style.Installed()
    with pytest.raises(StylebridgeError, match="micro:PICTURE"):
        networks.style(microast_card)
    with pytest.raises(StylebridgeError, match="takes no picture"):
        networks.style(johnson_card, picture(8, 8))


def test_a_model_that_paints_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path))
    card = installed.install("judge", "squeezenet", {"w": torch.zeros(1)}, ("f", "0"), "BSD-2-Clause")
    assert not style.is_style(card)
    with pytest.raises(StylebridgeError, match="paints no pictures"):
        style.Installed().style(card)


def test_few_networks_are_held(johnson_card: installed.Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "_KEPT", 1)
    networks = style.Installed()
    other = install("mosaic", kinds.JOHNSON, 3)
    kept = networks.style(johnson_card)
    networks.style(other)
    assert len(networks._open) == 1
    kept.paint(picture(8, 8))  # what is in use stays usable
