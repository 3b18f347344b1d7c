"""A source's own values to the working space and back."""

from __future__ import annotations

import numpy as np
import pytest

from stylebridge_server.colour import from_working, to_working


@pytest.mark.parametrize(("dtype", "levels"), [(np.uint8, 256), (np.uint16, 65536)])
def test_every_code_value_comes_back(dtype: type, levels: int) -> None:
    codes = np.arange(levels).astype(dtype).reshape(-1, 16, 1)
    pixels = np.concatenate([codes, codes[::-1], codes], axis=2)
    working = to_working(pixels)
    assert working.dtype == np.float32 and working.min() == 0 and working.max() == 1
    assert np.array_equal(from_working(working, dtype), pixels)


def test_every_float16_comes_back() -> None:
    values = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(-1, 16, 1)
    pixels = np.repeat(values, 3, axis=2)
    back = from_working(to_working(pixels), np.float16)
    assert np.array_equal(back, pixels, equal_nan=True)


def test_float32_is_taken_as_it_is() -> None:
    pixels = np.array([[[-0.5, 0.25, 700.0]]], np.float32)
    assert np.array_equal(to_working(pixels), pixels)
    assert np.array_equal(from_working(pixels, np.float32), pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    working = to_working(pixels)
    assert working.shape == (5, 7, 3) and working.flags.c_contiguous
    expected = pixels[..., [0, 0, 0]] if channels < 3 else pixels[..., :3]
    assert np.array_equal(from_working(working, np.uint8), expected)


def test_integers_are_clipped_and_rounded_to_the_nearest() -> None:
    rgb = np.array([[[-1.0, 2.0, np.nan], [0.4 / 255, 0.6 / 255, np.inf], [0.5 / 255, 1.5 / 255, -np.inf]]])
    codes = from_working(rgb.astype(np.float32), np.uint8)
    assert codes.tolist() == [[[0, 255, 0], [0, 1, 255], [0, 2, 0]]]


def test_the_argument_is_left_alone() -> None:
    rgb = np.array([[[2.0, np.nan, 0.5]]], np.float32)
    kept = rgb.copy()
    from_working(rgb, np.uint8)
    assert np.array_equal(rgb, kept, equal_nan=True)
