"""Pixels of OpenEXR parts, unpacked and packed by OpenImageIO, channel by channel in their own types.

Half floats stay half floats and every bit of them is kept, those that are no number too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - as its own documentation has it

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.exr_file import FLOAT, HALF, SAMPLES, UINT, Box, Channel, Part
from stylebridge_server.media.limits import MAX_FILE, check_size
from stylebridge_server.values import Pixels

_FORMATS = {HALF: oiio.HALF, FLOAT: oiio.FLOAT, UINT: oiio.UINT32}


def check_part(part: Part, channels: Sequence[Channel]) -> None:
    """Refuse a part that is too large, or of a kind that is not read, before memory is taken for it.

    Raises:
        StylebridgeError: TOO_LARGE or NOT_READABLE.
    """
    check_size(part.file, *part.size)
    width, height = part.size
    taken = width * height * sum(SAMPLES[one.type][1] for one in channels)
    if taken > MAX_FILE:
        raise StylebridgeError(
            Code.TOO_LARGE,
            f"{part.file} unpacks to {taken >> 30} GiB; at most {MAX_FILE >> 30} GiB are read, so scale it down.",
        )
    if part.deep:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{part.file} is a deep EXR picture; flatten it (DeepToImage) and write it again.",
        )
    names = {one.name.rpartition(".")[2] for one in part.channels}
    if {"RY", "BY"} & names:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{part.file} holds luminance and chroma (Y, RY, BY); write it with R, G and B instead.",
        )
    thin = [one.name for one in part.channels if (one.x, one.y) != (1, 1)]
    if thin:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{part.file} holds {thin[0]} at fewer points than pixels; write it at every pixel.",
        )


def read_channels(path: Path, place: int, part: Part, channels: Sequence[Channel]) -> Pixels:
    """Channels of the part at `place` in a file.

    Returns:
        (H, W, C) of the data window: float16 where all channels are half, else float32; uint32 channels keep
        their bits in it, as `write_chunks` takes them.

    Raises:
        StylebridgeError: NOT_READABLE where the file is damaged; as `check_part`.
    """
    check_part(part, channels)
    try:
        reader = oiio.ImageInput.open(str(path))
        if reader is None:
            raise _unreadable(part.file, oiio.geterror())
        try:
            return _unpacked(reader, place, part, channels)
        finally:
            reader.close()
    except UnicodeDecodeError:  # names of channels, or an error that speaks of them
        raise _unreadable(part.file, "its header cannot be read") from None


def _unpacked(reader: oiio.ImageInput, place: int, part: Part, channels: Sequence[Channel]) -> Pixels:
    width, height = part.size
    found = list(reader.spec().channelnames) if reader.seek_subimage(place, 0) else []
    if not set(found) >= {one.name for one in channels}:
        raise _unreadable(part.file, "its channels cannot be found")
    half = all(one.type == HALF for one in channels)
    runs = _runs(channels, found)
    pixels = np.empty((height, width, len(channels)), np.float16 if half else np.float32)
    for begin, end, kind in runs:
        first = found.index(channels[begin].name)
        own = reader.read_image(place, 0, first, first + end - begin, _FORMATS[kind])
        if own is None or own.shape[:2] != (height, width):
            raise _unreadable(part.file, reader.geterror())
        own = own.reshape(height, width, end - begin)
        if len(runs) == 1 and own.dtype == pixels.dtype:
            return own
        pixels[..., begin:end] = own.view(np.float32) if kind == UINT else own
    return pixels


def write_chunks(
    path: Path,
    channels: Sequence[Channel],
    pixels: Pixels,
    data: Box,
    compression: str,
    tile: tuple[int, int] | None,
) -> None:
    """Writes a file of one part, whose chunks are then taken from it.

    Args:
        channels: those of the last axis of `pixels`.
        pixels: (H, W, C) float16 or float32, bits of uint32 within the latter.
        data: the data window.
        compression: by its name in `COMPRESSIONS`.
        tile: width and height of tiles; None for scan lines.

    Raises:
        StylebridgeError: NOT_WRITABLE.
    """
    height, width, count = pixels.shape
    # A channel of whole numbers is packed as floats of the same bits: what packs here looks at bytes alone.
    formats = [oiio.HALF if one.type == HALF else oiio.FLOAT for one in channels]
    spec = oiio.ImageSpec(width, height, count, formats[0])
    spec.channelnames, spec.channelformats = [one.name for one in channels], formats
    spec.x, spec.y = spec.full_x, spec.full_y = data[:2]
    spec.full_width, spec.full_height = width, height
    spec.attribute("compression", compression)
    if tile is not None:
        spec.tile_width, spec.tile_height = tile
    writer = oiio.ImageOutput.create("openexr")
    if writer is None or not (
        writer.open(str(path), spec) and writer.write_image(np.ascontiguousarray(pixels)) and writer.close()
    ):
        raise StylebridgeError(
            Code.NOT_WRITABLE, (writer and writer.geterror()) or "OpenEXR could not write."
        )


def _runs(channels: Sequence[Channel], found: Sequence[str]) -> list[tuple[int, int, int]]:
    """Channels that lie side by side in the reader and are of one type: begin, end, type."""
    runs: list[tuple[int, int, int]] = []
    for place, one in enumerate(channels):
        if (
            runs
            and runs[-1][2] == one.type
            and found.index(one.name) == found.index(channels[place - 1].name) + 1
        ):
            runs[-1] = (runs[-1][0], place + 1, one.type)
        else:
            runs.append((place, place + 1, one.type))
    return runs


def _unreadable(name: str, reason: str) -> StylebridgeError:
    said = " ".join(reason.split()).rstrip(".") or "its pixels do not unpack"
    return StylebridgeError(Code.NOT_READABLE, f"{name} is cut off or damaged ({said}).")
