"""Mattes come back bit for bit, from few bytes, and no bytes are more than refused."""

from __future__ import annotations

import contextlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stylebridge_server.shot.packing import packed, unpacked

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 300))
MATTES = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)) | SHAPES.flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 255, 128]), fill=st.just(0))
)


@given(MATTES)
def test_any_matte_comes_back(matte: np.ndarray) -> None:
    data = packed(matte)
    assert data == packed(matte.copy())
    np.testing.assert_array_equal(unpacked(data, *matte.shape), matte)


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_plain_ones_are_nearly_nothing(value: int) -> None:
    matte = np.full((1080, 1920), value, np.uint8)
    data = packed(matte)
    assert len(data) < (3000 if 0 < value < 255 else 60)
    np.testing.assert_array_equal(unpacked(data, 1080, 1920), matte)


def test_soft_edges_take_less_than_deflating_alone_leaves() -> None:
    rows, columns = np.mgrid[:400, :600]
    noise = np.random.default_rng(4).normal(0, 0.04, (400, 600))
    cover = np.clip((180 - np.hypot(rows - 200, columns - 300)) / 8 + 0.5 + noise, 0, 1)
    matte = (np.rint(cover * 51) * 5).astype(np.uint8)
    matte[cover <= 0], matte[cover >= 1] = 0, 255
    assert len(packed(matte)) < 0.8 * len(zlib.compress(matte.tobytes(), 6))


@given(st.data())
def test_damage_is_refused_or_another_matte_and_nothing_else(data: st.DataObject) -> None:
    matte = data.draw(MATTES)
    spoiled = bytearray(packed(matte))
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    part = bytes(spoiled[: data.draw(st.integers(0, len(spoiled)))])
    for what in (bytes(spoiled), part):
        with contextlib.suppress(ValueError):
            assert unpacked(what, *matte.shape).shape == matte.shape


@pytest.mark.parametrize(
    ("lengths", "kinds", "cover"),
    [
        ([6], [3], b""),
        ([7], [0], b""),
        ([2**32 - 1, 7], [0, 2], b""),
        ([6], [1], b"12345"),
        ([6], [1], b"1234567"),
        ([], [], b""),
    ],
)
def test_runs_of_another_picture(lengths: list[int], kinds: list[int], cover: bytes) -> None:
    whole = np.array(lengths, "<u4").view(np.uint8).reshape(-1, 4).T.tobytes() + bytes(kinds)
    first = zlib.compress(whole)
    with pytest.raises(ValueError):
        unpacked(struct.pack("<2I", len(lengths), len(first)) + first + zlib.compress(cover), 2, 3)
