"""Pictures without numpy."""

from __future__ import annotations

from typing import Any

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import PART_BYTES, Layout, Picture, split


def test_a_picture_shows_itself_to_numpy() -> None:
    picture = Picture(12, Layout("float16", 2, 3, 4), bytes(48))
    shown = picture.__array_interface__
    assert shown["shape"] == (2, 3, 4) and shown["typestr"] == "<f2" and shown["data"] is picture.data
    assert (picture.height, picture.width, picture.channels, picture.dtype) == (2, 3, 4, "float16")
    assert Picture.of(13, picture).data == picture.data


def test_numpy_wraps_without_a_copy() -> None:
    numpy = pytest.importorskip("numpy")
    data = bytearray(range(12))
    wrapped = numpy.asarray(Picture(1, Layout("uint8", 2, 2, 3), data))
    data[0] = 99
    assert wrapped[0, 0, 0] == 99
    for dtype in ("uint8", "uint16", "float16", "float32"):
        made = Picture.of(5, wrapped.astype(dtype))
        assert made.dtype == dtype
        assert (numpy.asarray(made) == wrapped).all()
    assert Picture.of(5, wrapped[..., 0].copy()).channels == 1
    with pytest.raises(StylebridgeError, match="known pixel type"):
        Picture.of(5, wrapped.astype("float64"))


@pytest.mark.parametrize("thing", [None, 3, b"bytes", [[1, 2]]])
def test_what_is_no_picture(thing: Any) -> None:
    with pytest.raises(StylebridgeError) as caught:
        Picture.of(1, thing)
    assert caught.value.code == Code.BAD_VALUE


def test_a_picture_has_all_its_bytes() -> None:
    with pytest.raises(StylebridgeError, match="Frame 9 holds 11 bytes"):
        Picture(9, Layout("uint8", 2, 2, 3), bytes(11))


def test_parts_are_bounded() -> None:
    parts = list(split(bytes(PART_BYTES * 2 + 5)))
    assert [offset for offset, _ in parts] == [0, PART_BYTES, 2 * PART_BYTES]
    assert [part.nbytes for _, part in parts] == [PART_BYTES, PART_BYTES, 5]
