"""Pictures from and into a host's memory: padded rows, bottom-up rows, every pixel type, without numpy."""

from __future__ import annotations

import array
import ctypes
from typing import Any

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import SAMPLE_BYTES, Layout, Picture

DTYPES = tuple(SAMPLE_BYTES)
#: Bytes between the end of a row and the start of the next in memory.
GAPS = (0, 1, 5)


def rows_of(layout: Layout) -> list[bytes]:
    """Rows whose bytes all differ from their neighbours'."""
    return [
        bytes((31 * row + place) % 251 for place in range(layout.row_bytes)) for row in range(layout.height)
    ]


def laid_out(rows: list[bytes], gap: int, upwards: bool, before: int = 0) -> tuple[bytearray, int, int]:
    """The rows as a host has them, with their stride and the place of the top one. Unused bytes are 0xEE."""
    wide = len(rows[0])
    stride = wide + gap
    memory = bytearray(b"\xee" * (before + stride * len(rows)))
    for index, row in enumerate(reversed(rows) if upwards else rows):
        memory[before + index * stride : before + index * stride + wide] = row
    top = before + (stride * (len(rows) - 1) if upwards else 0)
    return memory, -stride if upwards else stride, top


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("upwards", [False, True])
def test_rows_there_and_back(dtype: str, channels: int, gap: int, upwards: bool) -> None:
    layout = Layout(dtype, 5, 3, channels)
    rows = rows_of(layout)
    memory, stride, top = laid_out(rows, gap, upwards, before=7)
    picture = Picture.from_rows(4, layout, memory, stride, top)
    assert bytes(picture.data) == b"".join(rows) and picture.number == 4
    target = bytearray(b"\xee" * len(memory))
    picture.into_rows(target, stride, top)
    assert target == memory  # and what lies between the rows is as it was


def test_defaults_are_dense_and_end_at_the_edge_of_the_buffer() -> None:
    layout = Layout("uint8", 3, 2, 1)
    assert bytes(Picture.from_rows(0, layout, b"aabbcc").data) == b"aabbcc"
    assert bytes(Picture.from_rows(0, layout, b"ccbbaa", -2).data) == b"aabbcc"
    assert bytes(Picture.from_rows(0, layout, b"cc.bb.aa", -3).data) == b"aabbcc"
    target = bytearray(6)
    Picture(0, layout, b"aabbcc").into_rows(target, -2)
    assert target == b"ccbbaa"


def test_dense_rows_are_not_copied() -> None:
    memory = bytearray(b"aabbcc")
    picture = Picture.from_rows(0, Layout("uint8", 3, 2, 1), memory)
    memory[0] = ord("z")
    assert bytes(picture.data) == b"zabbcc"


@pytest.mark.parametrize("make", [lambda n: array.array("f", n), lambda n: (ctypes.c_float * len(n))(*n)])
def test_memory_of_any_element_type(make: Any) -> None:
    """Some hosts hand out arrays of floats, some ctypes, which name their byte order."""
    host = make([1.0, 2.0, 3.0, 4.0])
    layout = Layout("float32", 2, 2, 1)
    picture = Picture.from_rows(0, layout, host, -8)
    assert list(memoryview(picture.data).cast("f")) == [3.0, 4.0, 1.0, 2.0]
    Picture(0, layout, picture.data).into_rows(host)
    assert list(host) == [3.0, 4.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("stride", "offset", "why"),
    [(1, 0, "1 bytes apart"), (4, 0, "does not hold"), (2, 1, "does not hold"), (-2, 3, "does not hold")],
)
def test_rows_outside_the_buffer_are_refused(stride: int, offset: int, why: str) -> None:
    layout = Layout("uint8", 3, 2, 1)
    with pytest.raises(StylebridgeError, match=why) as caught:
        Picture.from_rows(0, layout, bytearray(6), stride, offset)
    assert caught.value.code == Code.BAD_VALUE
    with pytest.raises(StylebridgeError, match=why):
        Picture(0, layout, bytes(6)).into_rows(bytearray(6), stride, offset)


def test_what_cannot_be_looked_into_or_written() -> None:
    layout = Layout("uint8", 3, 2, 1)
    with pytest.raises(StylebridgeError, match="contiguous memory"):
        Picture.from_rows(0, layout, memoryview(bytes(12))[::2])
    with pytest.raises(StylebridgeError, match="contiguous memory"):
        Picture.from_rows(0, layout, [1, 2, 3])
    with pytest.raises(StylebridgeError, match="read-only"):
        Picture(0, layout, bytes(6)).into_rows(bytes(6))


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_views(dtype: str) -> None:
    numpy = pytest.importorskip("numpy")
    whole = numpy.arange(6 * 8 * 3).reshape(6, 8, 3).astype(dtype)
    for seen in (
        whole,
        whole[::-1],
        whole[:, 2:5],
        whole[4::-2, 1:7],
        whole[:1],
        whole[2:3, 1:4],
        whole[..., :2][:1, :1],
    ):
        assert (numpy.asarray(Picture.of(5, seen)) == seen).all()
        assert Picture.of(5, seen).layout.shape == seen.shape
    assert (numpy.asarray(Picture.of(5, whole[::-1, :, 0].copy()[::-1]))[..., 0] == whole[..., 0]).all()
    assert (numpy.asarray(Picture.of(5, numpy.broadcast_to(whole[:1], whole.shape))) == whole[:1]).all()
    for gapped in (whole[:, ::2], whole[..., :2], whole[:, ::-1], whole.transpose(1, 0, 2)):
        with pytest.raises(StylebridgeError, match="without gaps"):
            Picture.of(5, gapped)
    flat = whole.reshape(-1)
    bottom_up = Picture.from_rows(5, Layout(dtype, 6, 8, 3), flat, -whole.strides[0])
    assert (numpy.asarray(bottom_up) == whole[::-1]).all()
    bottom_up.into_rows(flat)
    assert (whole == numpy.asarray(bottom_up)).all()


def test_a_picture_keeps_the_array_it_looks_into() -> None:
    numpy = pytest.importorskip("numpy")
    pictures = [Picture.of(n, numpy.full((64, 64, 4), n, numpy.float16)) for n in range(20)]
    assert all((numpy.asarray(picture) == picture.number).all() for picture in pictures)
