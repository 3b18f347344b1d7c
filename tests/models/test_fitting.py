"""Codes fitted to a style picture: nearer in texture, bounded, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stylebridge_models import fitting, registry
from stylebridge_models.dead_leaves import dead_leaves
from stylebridge_models.fitting import Fitting, distance, texture
from stylebridge_models.network import LEARNT, StyleNetwork


@pytest.fixture(scope="module")
def network() -> StyleNetwork:
    network = StyleNetwork()
    network.load_state_dict(registry.load("embedded-style"))
    return network.eval().requires_grad_(False)


def stripes(side: int = 96) -> Tensor:
    """Diagonal stripes of two colours."""
    y, x = np.mgrid[:side, :side]
    wave = (0.5 + 0.5 * np.sign(np.sin((x + y) / 3)))[..., None]
    rgb = wave * np.array([0.9, 0.8, 0.2]) + (1 - wave) * np.array([0.1, 0.1, 0.5])
    return torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None]


def test_fitted_code_paints_nearer_to_the_style(
    network: StyleNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "_STEPS", 6)
    fit, style = Fitting(network), stripes()
    with torch.no_grad():
        begin = network.style(style)
    code = fit.fitted(begin, style)
    scene = torch.from_numpy(dead_leaves(7, 96, 96, 100)).permute(2, 0, 1)[
        None
    ]  # not one that it was fitted on

    def far(one: Tensor) -> float:
        with torch.no_grad():
            painted = network.decoder(network.content(scene), network.statistics(scene), one).clamp(0, 1)
            filters = fitting._filters()
            return float(distance(texture(painted, filters), texture(style, filters)))

    assert far(code) < 0.95 * far(begin)
    assert torch.equal(code[:, LEARNT:], begin[:, LEARNT:])
    assert float((code - begin).abs().max()) <= 6 * fitting._RATE * 1.01
    assert torch.equal(code, Fitting(network).fitted(begin, style))


def test_codes_come_of_an_engine_in_inference_mode(
    network: StyleNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "_STEPS", 2)
    style, steps = stripes(), []
    plain = Fitting(network).code(style, style)
    with torch.inference_mode():
        again = Fitting(network).code(style.clone(), style.clone(), lambda: steps.append(1))
    assert torch.equal(plain, again) and len(steps) == 2


def test_plain_picture_gives_a_code(network: StyleNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_STEPS", 3)
    plain = torch.full((1, 3, 64, 64), 0.5)
    code = Fitting(network).code(plain, plain)
    assert torch.isfinite(code).all()


def test_dead_leaves_are_pictures_and_repeat() -> None:
    picture = dead_leaves(1, 40, 56, 80)
    assert picture.shape == (40, 56, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1 and picture.std() > 0.05
    assert np.array_equal(picture, dead_leaves(1, 40, 56, 80))
    assert not np.array_equal(picture, dead_leaves(2, 40, 56, 80))
