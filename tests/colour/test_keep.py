"""Keeping the source's colours under a style."""

from __future__ import annotations

import numpy as np
import pytest

from stylebridge_server.colour import keep
from stylebridge_server.colour.keep import _to_lab


def pictures(seed: int = 0, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    shape = (count // 40, 40, 3)
    return generator.random(shape, dtype=np.float32), generator.random(shape, dtype=np.float32)


def lab(rgb: np.ndarray) -> np.ndarray:
    return _to_lab(rgb.reshape(-1, 3))


def hue_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    angle = np.arctan2(a[:, 2], a[:, 1]) - np.arctan2(b[:, 2], b[:, 1])
    return np.abs((angle + np.pi) % (2 * np.pi) - np.pi)


def test_oklab_of_known_colours() -> None:
    """White, and red and blue as in Ottosson's table of sRGB primaries."""
    known = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1]], np.float32)
    expected = [[1, 0, 0], [0.6280, 0.2249, 0.1258], [0.4520, -0.0325, -0.3115]]
    assert np.allclose(_to_lab(known), expected, atol=2e-3)


def test_nothing_kept_is_the_styled_picture() -> None:
    styled, source = pictures()
    assert keep(styled, source, 0.0).tobytes() == styled.tobytes()


def test_lightness_of_the_style_hue_of_the_source() -> None:
    styled, source = pictures()
    result = keep(styled, source, 1.0)
    assert result.dtype == np.float32 and result.min() >= 0 and result.max() <= 1 + 1e-4
    got, light, colours = lab(result), lab(styled), lab(source)
    # Dark results round coarsely in sRGB's straight part.
    assert np.abs(got[:, 0] - light[:, 0]).max() < 0.01
    chroma = np.hypot(got[:, 1], got[:, 2])
    clear = (chroma > 0.03) & (light[:, 0] > 0.2)
    assert hue_difference(got, colours)[clear].max() < 0.03
    assert (chroma <= np.hypot(colours[:, 1], colours[:, 2]) + 0.01).all()
    # Where the source's chroma fits, it is there whole.
    fits = np.abs(chroma - np.hypot(colours[:, 1], colours[:, 2])) < 0.01
    assert fits.mean() > 0.3


def test_the_same_picture_comes_back() -> None:
    styled, _ = pictures(1)
    assert np.abs(keep(styled, styled, 1.0) - styled).max() < 2e-3


def test_amount_glides() -> None:
    styled, source = pictures(2, 400)
    previous = keep(styled, source, 1e-4)
    assert np.abs(previous - styled).max() < 0.01
    for amount in np.arange(0.02, 1.001, 0.02):
        following = keep(styled, source, float(amount))
        assert np.abs(following - previous).max() < 0.2
        previous = following


@pytest.mark.parametrize("amount", [0.3, 1.0])
def test_black_white_and_values_outside(amount: float) -> None:
    styled = np.array([[[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [0.5, 0.2, 0.1]]], np.float32)
    source = np.array([[[1, 0, 0], [0, 0, 1], [-0.2, 3.0, 0.1], [40.0, 40.0, 40.0]]], np.float32)
    result = keep(styled, source, amount)
    assert np.isfinite(result).all() and result.min() >= 0 and result.max() <= 1 + 1e-4
    assert np.abs(result[0, 0]).max() < 5e-3 and np.abs(result[0, 1] - 1).max() < 5e-3


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (130, 3, 3)])
def test_any_size_and_same_bytes(shape: tuple[int, int, int]) -> None:
    generator = np.random.default_rng(3)
    styled, source = (generator.random(shape, dtype=np.float32) for _ in range(2))
    kept = styled.copy(), source.copy()
    result = keep(styled, source, 0.8)
    assert result.shape == shape
    assert result.tobytes() == keep(styled, source, 0.8).tobytes()
    assert np.array_equal(styled, kept[0]) and np.array_equal(source, kept[1])
