"""Mattes as few bytes, without loss, the same bytes for the same matte.

A pixel is outside (0), inside (255) or between. Row by row a matte is a sequence of runs of one kind, and of the pixels
between each is its difference from the pixel before it. Both are deflated, apart, because they have nothing in common:

    runs     uint32           how many there are
    bytes    uint32           of the first stream
    stream   their lengths as uint32, first the lowest byte of all of them, then the next; then their kinds, 0 to 2
    stream   uint8 each, the differences, modulo 256
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct("<2I")
_LEVEL = 6
_OUTSIDE, _BETWEEN, _INSIDE = 0, 1, 2
_RUN = 5  # bytes of a run: its length and its kind

Cover = NDArray[np.uint8]


def packed(matte: Cover) -> bytes:
    """The bytes of a matte, (h, w) uint8."""
    cover = matte.ravel()
    kinds = np.full(cover.shape, _BETWEEN, np.uint8)
    kinds[cover == 0] = _OUTSIDE
    kinds[cover == 255] = _INSIDE
    starts = np.flatnonzero(np.diff(kinds, prepend=np.uint8(255)))
    lengths = np.diff(starts, append=len(cover)).astype("<u4")
    runs = lengths.view(np.uint8).reshape(-1, 4).T.tobytes() + kinds[starts].tobytes()
    differences = np.diff(cover, prepend=np.uint8(0))[kinds == _BETWEEN]
    first = zlib.compress(runs, _LEVEL)
    return _HEAD.pack(len(starts), len(first)) + first + zlib.compress(differences.tobytes(), _LEVEL)


def unpacked(data: bytes, height: int, width: int) -> Cover:
    """The matte, (height, width) uint8, of its bytes, which may be anybody's.

    Raises:
        ValueError: they are not those of such a matte.
    """
    size = height * width
    if len(data) < _HEAD.size:
        raise ValueError("it is cut short")
    count, first = _HEAD.unpack_from(data)
    if count > size:
        raise ValueError("it has more runs than pixels")
    runs = _inflated(data[_HEAD.size : _HEAD.size + first], _RUN * count)
    lengths = np.frombuffer(runs, np.uint8, 4 * count).reshape(4, count).T.copy().view("<u4")[:, 0]
    kinds = np.frombuffer(runs, np.uint8, count, 4 * count)
    if int(lengths.sum(dtype=np.uint64)) != size or kinds.max(initial=0) > _INSIDE:
        raise ValueError("its runs are not those of the picture")
    lengths = lengths.astype(np.int64)
    level = np.where(kinds == _INSIDE, np.uint8(255), np.uint8(0))
    matte = np.repeat(level, lengths)
    between = np.flatnonzero(kinds == _BETWEEN)
    soft = lengths[between]
    ends = np.cumsum(soft)
    differences = np.frombuffer(_inflated(data[_HEAD.size + first :], int(soft.sum())), np.uint8)
    # Summed up over all runs at once; then each gets the level before it in place of what the sum had come to.
    sums = np.cumsum(differences, dtype=np.uint8)
    before = np.concatenate([np.zeros(1, np.uint8), level])[between]
    come_to = np.concatenate([np.zeros(1, np.uint8), sums[ends - 1]])[:-1]
    starts = (np.cumsum(lengths) - lengths)[between]
    places = np.arange(len(sums)) + np.repeat(starts - ends + soft, soft)
    matte[places] = sums + np.repeat(before - come_to, soft)
    return matte.reshape(height, width)


def _inflated(data: bytes, size: int) -> bytes:
    """Exactly `size` bytes, and never more of them than that in memory."""
    inflating = zlib.decompressobj()
    try:
        out = inflating.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(out) != size or not inflating.eof or inflating.unused_data:
        raise ValueError("it is damaged")
    return out
