"""Mattes from files: alpha or another channel of pictures, or one thing of a Cryptomatte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import nearest
from stylebridge_server.media import cryptomatte
from stylebridge_server.media.exr_file import SIGNATURE, UINT, Box, Channel, ExrFile, read_headers
from stylebridge_server.media.exr_pixels import read_channels
from stylebridge_server.media.files import readable_file
from stylebridge_server.media.still import read_picture
from stylebridge_server.steps import step
from stylebridge_server.values import Pixels, Plane

#: How far a matte's aspect may depart from the picture's, beside what rounding to whole pixels makes.
_ASPECT = 0.02
_LISTED = 40


@dataclass(frozen=True)
class Wanted:
    """Which matte of a file.

    Attributes:
        channel: its name ("A", "R", "left.mask.R"); None for alpha, or where there is none the mean of the colours.
            With a thing: which Cryptomatte of the file, None for whichever has it.
        thing: a name in a Cryptomatte; None for a channel.
    """

    channel: str | None = None
    thing: str | None = None


@dataclass(frozen=True)
class Part:
    """A matte as its file holds it.

    Attributes:
        plane: (h, w) float32, nominally [0, 1].
        data: where in the picture it lies, x0, y0, x1, y1; outside it there is nothing.
        display: the picture.
    """

    plane: Plane
    data: Box
    display: Box


class Unknown(Exception):  # noqa: N818 - it never leaves the media room
    """A file does not have what is wanted; its argument is what it has."""


def read_matte(
    paths: Sequence[Path], wanted: Wanted, says: Callable[[Path], str] = str
) -> Callable[[Path], Part | None]:
    """Reads a matte of any of these files, checked now: at least one of them has it.

    Args:
        paths: the files, of one sequence.
        says: what sentences call a file.

    Returns:
        Gives the matte of one of the files; None where that file has no such name in its Cryptomatte: the thing is not
        seen there.

    Raises:
        StylebridgeError: not_found, not_readable; bad_value where none has it, listing what there is.
    """
    known: dict[str, None] = {}
    for path in (
        paths if wanted.thing is not None else paths[:1]
    ):  # channels are alike in all files of a sequence
        step()
        try:
            _find(path, wanted, says)
            break
        except Unknown as error:
            known.update(dict.fromkeys(error.args[0]))
    else:
        raise _nothing(says(paths[0]), wanted, list(known))

    def read(path: Path) -> Part | None:
        try:
            return _find(path, wanted, says)()
        except Unknown as error:
            if wanted.thing is not None:
                return None
            raise _nothing(says(path), wanted, list(error.args[0])) from None

    return read


def fitted(part: Part, size: tuple[int, int], display: Box | None) -> NDArray[np.uint8] | None:
    """A matte as the analysis of a shot keeps it: (H, W) uint8.

    It is scaled where its picture has another size and the same aspect, and laid out by the display windows.

    Args:
        size: (H, W) of the shot's pixels.
        display: the shot's display window in its pixels; None where that is all of them.

    Returns:
        None where the aspect does not fit.
    """
    height, width = size
    x0, y0, x1, y1 = display or (0, 0, width, height)
    theirs = part.display[2] - part.display[0], part.display[3] - part.display[1]
    wide, high = x1 - x0, y1 - y0
    off = abs(theirs[0] * high - theirs[1] * wide)
    if off > max(_ASPECT * theirs[1] * wide, 0.5 * (wide + high)):
        return None
    matte = np.nan_to_num(part.plane, nan=0.0, posinf=1.0, neginf=0.0)
    matte = np.clip(matte, 0.0, 1.0)
    dx, dy = part.data[0] - part.display[0], part.data[1] - part.display[1]
    if theirs != (wide, high):
        across, down = wide / theirs[0], high / theirs[1]
        to = (max(1, round(matte.shape[1] * across)), max(1, round(matte.shape[0] * down)))
        smaller = across * down < 1
        matte = cv2.resize(matte, to, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        dx, dy = round(dx * across), round(dy * down)
    result = np.zeros((height, width), np.uint8)
    left, top = x0 + dx, y0 + dy
    right, bottom = min(width, left + matte.shape[1]), min(height, top + matte.shape[0])
    if right > max(left, 0) and bottom > max(top, 0):
        part_of = matte[max(top, 0) - top : bottom - top, max(left, 0) - left : right - left]
        result[max(top, 0) : bottom, max(left, 0) : right] = np.rint(part_of * np.float32(255))
    return result


def _find(path: Path, wanted: Wanted, says: Callable[[Path], str]) -> Callable[[], Part]:
    """Finds what is wanted in a file; reads it when it is called.

    Raises:
        Unknown: it is not there.
    """
    readable_file(path)
    with path.open("rb") as file:
        is_exr = file.read(4) == SIGNATURE
    if is_exr:
        found = read_headers(path, says(path))
        return _named(found, wanted.thing, wanted.channel) if wanted.thing else _channel(found, wanted)
    if wanted.thing is not None:
        raise Unknown([])

    def read() -> Part:
        pixels = read_picture(path).pixels
        plane = _of_picture(pixels, wanted.channel)
        box = (0, 0, pixels.shape[1], pixels.shape[0])
        return Part(plane, box, box)

    if wanted.channel is not None:  # whether it is there depends on the file's channels
        part = read()
        return lambda: part
    return read


def _of_picture(pixels: Pixels, channel: str | None) -> Plane:
    names = {1: "Y", 2: "YA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    values = pixels.astype(np.float32)
    if np.issubdtype(pixels.dtype, np.integer):
        values /= np.float32(np.iinfo(pixels.dtype).max)
    if channel is not None:
        if channel not in names:
            raise Unknown(list(names))
        return np.ascontiguousarray(values[..., names.index(channel)])
    if names.endswith("A"):
        return np.ascontiguousarray(values[..., -1])
    return np.asarray(values.mean(-1), np.float32)


def _channel(file: ExrFile, wanted: Wanted) -> Callable[[], Part]:
    """A channel by its name; in files of several parts also by the part's name, a dot and its name."""
    named: dict[str, tuple[int, Channel]] = {}
    for number, part in enumerate(file.parts):
        for channel in part.channels:
            if channel.type == UINT:
                continue
            named.setdefault(channel.name, (number, channel))
            if len(file.parts) > 1 and part.name:
                named.setdefault(f"{part.name}.{channel.name}", (number, channel))
    usual: tuple[str, ...] = (
        ("A",) if "A" in named else ("R", "G", "B") if {"R", "G", "B"} <= named.keys() else ("Y",)
    )
    if len(named) == 1:
        usual = tuple(named)
    names = usual if wanted.channel is None else (wanted.channel,)
    if not set(names) <= named.keys():
        raise Unknown(list(named))
    number = named[names[0]][0]

    def read() -> Part:
        pixels = _read(file, number, [named[name][1] for name in names])
        return _placed(file, number, np.asarray(pixels.mean(-1), np.float32))

    return read


def _named(file: ExrFile, thing: str | None, which: str | None) -> Callable[[], Part]:
    """A thing of a Cryptomatte."""
    assert thing is not None
    known: dict[str, None] = {}
    for number, part in enumerate(file.parts):
        for one in cryptomatte.of_part(part):
            if which is not None and one.name != which:
                continue
            known.update(dict.fromkeys(one.manifest or ()))
            try:
                id_ = one.id_of(thing)
            except KeyError:
                continue

            def read(number: int = number, one: cryptomatte.Cryptomatte = one, id_: int = id_) -> Part:
                by_name = {channel.name: channel for channel in file.parts[number].channels}
                pixels = _read(file, number, [by_name[name] for pair in one.ranks for name in pair])
                ids, covered = np.moveaxis(pixels, -1, 0)[0::2], np.moveaxis(pixels, -1, 0)[1::2]
                return _placed(file, number, cryptomatte.coverage(id_, list(ids), list(covered)))

            return read
    raise Unknown(list(known))


def _read(file: ExrFile, number: int, channels: Sequence[Channel]) -> NDArray[np.float32]:
    pixels = read_channels(file.path, number, file.parts[number], channels)
    return np.ascontiguousarray(pixels, np.float32)


def _placed(file: ExrFile, number: int, plane: Plane) -> Part:
    part = file.parts[number]
    return Part(plane, part.data, part.display)


def _nothing(name: str, wanted: Wanted, known: list[str]) -> StylebridgeError:
    if wanted.thing is not None:
        holder = f'Cryptomatte "{wanted.channel}"' if wanted.channel else "Cryptomatte"
        if not known:
            return StylebridgeError(
                Code.BAD_VALUE, f"{name} has no {holder} with names; name a channel instead."
            )
        near = nearest(wanted.thing, known)
        meant = f"did you mean {near!r}? It has" if near else "it has"
        return StylebridgeError(
            Code.BAD_VALUE, f'The {holder} of {name} has no "{wanted.thing}"; {meant} {_list(known)}.'
        )
    named = wanted.channel or "A"
    return StylebridgeError(Code.BAD_VALUE, f'{name} has no channel "{named}"; it has {_list(known)}.')


def _list(known: list[str]) -> str:
    return ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED} more" if len(known) > _LISTED else "")
