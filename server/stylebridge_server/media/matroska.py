"""The pixel aspect of Matroska and WebM files, for which FFmpeg's muxer is not told it.

The header of a finished file is laid out anew: its track of pictures gets a display size (RFC 9559, 5.1.4.1.28), and
the room for it is taken from the padding in front, so that nothing behind the header moves.
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

_EBML, _SEGMENT, _SEEK_HEAD, _TRACKS = 0x1A45DFA3, 0x18538067, 0x114D9B74, 0x1654AE6B
_VOID, _CRC, _TRACK, _VIDEO, _SEEK, _SEEK_POSITION = 0xEC, 0xBF, 0xAE, 0xE0, 0x4DBB, 0x53AC
_WIDTH, _HEIGHT, _DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = 0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2
_HEADER = 1 << 20  # bytes that a header lies in
_SMALLEST_VOID = 9  # with a size of eight bytes


class _Element(NamedTuple):
    """An element of a file: its name, where it starts and ends, and what is in it."""

    name: int
    start: int
    end: int
    body: bytes


def set_pixel_aspect(path: Path, aspect: Fraction) -> bool:
    """Write the width of a pixel over its height into a whole file; False where its header has no room for it."""
    with path.open("r+b") as file:
        data = file.read(_HEADER)
        try:
            start, header = _with_aspect(data, aspect)
        except (ValueError, IndexError, KeyError, StopIteration, OverflowError, ZeroDivisionError):
            return False
        file.seek(start)
        file.write(header)
    return True


def _with_aspect(data: bytes, aspect: Fraction) -> tuple[int, bytes]:
    """Where the header begins behind that of the segment, and its bytes as they are to be."""
    segment = next(_elements(data, 0, len(data), {_SEGMENT}))
    origin = segment.end - len(segment.body)
    head = list(_elements(data, origin, len(data), {_TRACKS}))
    tracks, void = head[-1], next(one for one in head if one.name == _VOID)
    if tracks.name != _TRACKS:
        raise ValueError
    written = _packed(_TRACKS, _checked(_tracks(tracks.body, aspect), tracks.body))
    growth = len(written) - (tracks.end - tracks.start)
    room = void.end - void.start - growth
    if room < _SMALLEST_VOID:
        raise ValueError
    parts = []
    for one in head:
        if one is void:
            parts.append(
                b"\xec\x01" + (room - _SMALLEST_VOID).to_bytes(7, "big") + bytes(room - _SMALLEST_VOID)
            )
        elif one.name == _SEEK_HEAD:
            moved = range(void.end - origin, tracks.start - origin + 1)
            parts.append(_packed(_SEEK_HEAD, _checked(_seeks(one.body, moved, growth), one.body)))
        else:
            parts.append(written if one is tracks else data[one.start : one.end])
    header = b"".join(parts)
    if len(header) != tracks.end - head[0].start:
        raise ValueError
    return head[0].start, header


def _tracks(body: bytes, aspect: Fraction) -> bytes:
    made = b""
    for track in _elements(body):
        inner = b""
        for one in _elements(track.body) if track.name == _TRACK else ():
            inner += (
                _packed(_VIDEO, _video(one.body, aspect)) if one.name == _VIDEO else _raw(track.body, one)
            )
        if track.name != _CRC:
            made += _packed(_TRACK, inner, 8) if track.name == _TRACK else _raw(body, track)
    return made


def _video(body: bytes, aspect: Fraction) -> bytes:
    inside = list(_elements(body))
    sizes = {one.name: int.from_bytes(one.body, "big") for one in inside if one.name in (_WIDTH, _HEIGHT)}
    across, down = sizes[_WIDTH] * aspect, sizes[_HEIGHT] / aspect
    size = (
        (sizes[_WIDTH], int(down))
        if across.denominator > down.denominator == 1
        else (round(across), sizes[_HEIGHT])
    )
    kept = b"".join(
        _raw(body, one)
        for one in inside
        if one.name not in (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _CRC)
    )
    return kept + _packed(_DISPLAY_WIDTH, _whole(size[0])) + _packed(_DISPLAY_HEIGHT, _whole(size[1]))


def _seeks(body: bytes, moved: range, by: int) -> bytes:
    """The index of the header's parts; those that begin in the range `moved` begin so many bytes earlier."""
    made = b""
    for seek in _elements(body):
        if seek.name == _CRC:
            continue
        inner = b""
        for one in _elements(seek.body) if seek.name == _SEEK else ():
            at = int.from_bytes(one.body, "big")
            if one.name == _SEEK_POSITION and at in moved:
                inner += _packed(one.name, (at - by).to_bytes(len(one.body), "big"))
            else:
                inner += _raw(seek.body, one)
        made += _packed(_SEEK, inner) if seek.name == _SEEK else _raw(body, seek)
    return made


def _checked(body: bytes, before: bytes) -> bytes:
    """With a checksum in front where there was one."""
    had = before[:1] == bytes([_CRC])
    return (b"\xbf\x84" + zlib.crc32(body).to_bytes(4, "little") + body) if had else body


def _elements(
    data: bytes, start: int = 0, end: int | None = None, until: Container[int] = ()
) -> Iterator[_Element]:
    """The elements in a piece of data; behind the header of the file, into the segment and no further than `until`."""
    at, last = start, len(data) if end is None else end
    while at < last:
        name, body = _number(data, at, keep=True)
        size, body = _number(data, body, keep=False)
        found = _Element(name, at, min(body + size, len(data)), data[body : body + size])
        if found.name != _EBML:
            yield found
        if name in until:
            return
        if body + size > last:
            raise ValueError
        at = body + size


def _number(data: bytes, at: int, keep: bool) -> tuple[int, int]:
    """A number of variable length, with the marker of its length or without; and where it ends."""
    length = 9 - data[at].bit_length()
    if length > 8 or at + length > len(data):
        raise ValueError
    value = int.from_bytes(data[at : at + length], "big")
    return value if keep else value & ((1 << 7 * length) - 1), at + length


def _packed(name: int, body: bytes, least: int = 1) -> bytes:
    """An element, its size in at least so many bytes."""
    length = next(one for one in range(least, 9) if len(body) < (1 << 7 * one) - 1)
    size = (len(body) | 1 << 7 * length).to_bytes(length, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + size + body


def _raw(data: bytes, one: _Element) -> bytes:
    return data[one.start : one.end]


def _whole(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
