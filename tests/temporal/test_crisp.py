"""Fine detail given back to a mean: as much as one picture has, nothing where nothing was averaged, exact in parts."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stylebridge_server.temporal.crisp import around, crisp
from stylebridge_server.values import Tile

HEIGHT, WIDTH = 90, 123


def strokes(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).random((HEIGHT, WIDTH, 3), dtype=np.float32)
    return np.clip(0.5 + 2 * (cv2.GaussianBlur(noise, (0, 0), 0.8) - 0.5), 0, 1)


def sharpness(picture: np.ndarray) -> float:
    return float(np.abs(cv2.Laplacian(picture, cv2.CV_32F)).mean())


ONE = strokes(1)
MEAN = (2 * ONE + strokes(2)) / 3
ALL = np.ones((HEIGHT, WIDTH), np.float32)


def test_the_mean_gets_its_detail_back() -> None:
    result = crisp(MEAN.copy(), ONE, ALL)
    assert sharpness(MEAN) < 0.8 * sharpness(ONE)
    assert 0.9 * sharpness(ONE) < sharpness(result) < 1.1 * sharpness(ONE)
    coarse = [cv2.GaussianBlur(one, (0, 0), 3) for one in (result, MEAN)]
    assert np.abs(coarse[0] - coarse[1]).max() < 0.01


def test_where_the_strokes_lie_is_the_means() -> None:
    """The frame's own strokes do not come through, only how strong they are."""
    others = crisp(MEAN.copy(), strokes(3), ALL)
    assert np.abs(others - crisp(MEAN.copy(), ONE, ALL)).mean() < 0.02


def test_what_is_no_mean_keeps_its_bits() -> None:
    assert crisp(MEAN.copy(), ONE, np.zeros_like(ALL)).tobytes() == MEAN.tobytes()


def test_what_lacks_nothing_keeps_its_bits() -> None:
    assert crisp(ONE.copy(), ONE, ALL).tobytes() == ONE.tobytes()


def test_flat_pictures_get_no_grain() -> None:
    flat = np.full_like(ONE, 0.4)
    grainy = flat + (ONE - 0.5) * 1e-4
    assert np.abs(crisp(flat.copy(), grainy, ALL) - flat).max() == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(1, WIDTH), st.integers(1, HEIGHT))
def test_a_part_comes_out_as_in_the_whole(x: int, y: int, wide: int, high: int) -> None:
    tile = Tile(x, y, min(WIDTH, x + wide), min(HEIGHT, y + high))
    part = around(tile, HEIGHT, WIDTH)
    share = np.clip(strokes(5)[..., 0] * 2, 0, 1)
    whole = crisp(MEAN.copy(), ONE, share)
    result = crisp(MEAN[part.slices].copy(), ONE[part.slices], share[part.slices])
    inner = result[tile.y0 - part.y0 : tile.y1 - part.y0, tile.x0 - part.x0 : tile.x1 - part.x0]
    assert inner.tobytes() == np.ascontiguousarray(whole[tile.slices]).tobytes()
