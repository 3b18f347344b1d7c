"""OpenEXR files written: parts of named channels with any header, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.exr_file import (
    COMPRESSIONS,
    FLOAT,
    HALF,
    UINT,
    Attribute,
    Box,
    Channel,
    Chunk,
    Part,
    Value,
    pack_box,
    pack_channels,
    read_headers,
    write_file,
)
from stylebridge_server.media.exr_pixels import write_chunks
from stylebridge_server.media.files import PartFile, not_writable, writable_place
from stylebridge_server.values import Pixels

_TYPES = {"float16": HALF, "float32": FLOAT, "uint32": UINT}


@dataclass(frozen=True)
class NewPart:
    """One part of a file to be written.

    Attributes:
        channels: by their full names ("R", "dancer.R", "CryptoObject00.R"): (H, W) float16, float32 or uint32, all of
            one size. Files list channels by the alphabet, whatever their order here.
        data: the data window x0, y0, x1, y1, ends excluded; (0, 0, W, H) where not given.
        display: the display window; the first part's data window where not given, since all parts share one.
        header: further attributes: texts, whole numbers, floats, rationals (`Fraction`), or `Attribute`s as
            `read_headers` gives them. What is said of pixels (channels, windows, compression, tiles) is left out.
        name: of the part; needed where a file has several.
        compression: by its name in `COMPRESSIONS`.
    """

    channels: Mapping[str, NDArray[np.generic]]
    data: Box | None = None
    display: Box | None = None
    header: Mapping[str, Value] = field(default_factory=dict)
    name: str = ""
    compression: str = "zip"


def write_exr(path: Path, parts: Sequence[NewPart]) -> None:
    """Writes a file; it appears whole or not at all.

    One part makes a file that every reader takes; several make one of OpenEXR 2.

    Raises:
        StylebridgeError: BAD_VALUE for channels that differ in size or are of no type that EXR has; NOT_WRITABLE.
    """
    multiple = len(parts) > 1
    shared = {name: parts[0].header[name] for name in _SHARED if name in parts[0].header}
    with new_exr(path) as file:
        headers, chunks = [], []
        for number, part in enumerate(parts):
            channels, pixels = _gathered(path, part)
            data = _window(part)
            said = {**part.header, **shared}
            kept = {name: value for name, value in said.items() if name not in _OF_PIXELS}
            header = {name: Attribute.of(value) for name, value in kept.items()}
            header |= {
                "channels": pack_channels(channels),
                "compression": Attribute("compression", bytes([COMPRESSIONS[part.compression][0]])),
                "dataWindow": pack_box(data),
                "displayWindow": pack_box(parts[0].display or _window(parts[0])),
                "lineOrder": Attribute("lineOrder", b"\0"),
            }
            for name, usual in _USUAL.items():
                header.setdefault(name, usual)
            if multiple:
                header |= {
                    "name": Attribute.of(part.name or str(number)),
                    "type": Attribute.of("scanlineimage"),
                    "chunkCount": Attribute.of(Part(header, str(path)).chunk_count),
                }
            headers.append(header)
            chunks.append(
                file.pack(channels, pixels, data, part.compression, None, number if multiple else None)
            )
        file.write(headers, multiple, chunks)


class NewExr:
    """A file on its way; from `new_exr`."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path, self._stack = path, stack
        self._part = PartFile(path)
        stack.callback(self._part.discard)

    def pack(
        self,
        channels: Sequence[Channel],
        pixels: Pixels,
        data: Box,
        compression: str,
        tile: tuple[int, int] | None,
        number: int | None,
    ) -> list[Chunk]:
        """Chunks of pixels, as `write_chunks` takes them, for the part of that number (None for the only one)."""
        packed = PartFile(self._path.with_name(f"{self._path.name}.pixels"))
        self._stack.callback(packed.discard)
        lead = b"" if number is None else struct.pack("<i", number)
        try:
            write_chunks(packed.path, channels, pixels, data, compression, tile)
            made = read_headers(packed.path, str(self._path))
            file = self._stack.enter_context(packed.path.open("rb"))
            return [Chunk(file, place, made.length(file, 0, place), lead) for place in made.places(file)[0]]
        except StylebridgeError as error:
            # Of a full disk OpenEXR says nothing, and it may not even fail.
            if shutil.disk_usage(packed.path.parent).free < pixels.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
            raise StylebridgeError(Code.NOT_WRITABLE, error.message) from error

    def write(
        self, headers: Sequence[Mapping[str, Attribute]], multiple: bool, chunks: Sequence[Sequence[Chunk]]
    ) -> None:
        """Writes the whole file, and moves it into place."""
        with self._part.path.open("wb") as file:
            write_file(file, headers, multiple, chunks)
        self._part.keep()


@contextlib.contextmanager
def new_exr(path: Path) -> Iterator[NewExr]:
    """A file that is written within; nothing is left of it where that fails.

    Raises:
        StylebridgeError: NOT_WRITABLE, one sentence.
    """
    writable_place(path)
    try:
        with ExitStack() as stack:
            yield NewExr(path, stack)
    except OSError as error:
        raise not_writable(path, error) from error
    except StylebridgeError as error:
        if error.code != Code.NOT_WRITABLE or str(path) in error.message:
            raise
        reason = " ".join(error.message.split()).rstrip(".")
        raise StylebridgeError(
            Code.NOT_WRITABLE, f"{path} could not be written ({reason}); nothing is left of it."
        ) from error


def _window(part: NewPart) -> Box:
    height, width = next(iter(part.channels.values())).shape
    return part.data or (0, 0, width, height)


def _gathered(path: Path, part: NewPart) -> tuple[list[Channel], Pixels]:
    """The channels, and their pixels as `write_chunks` takes them."""
    planes = list(part.channels.values())
    kinds = [_TYPES.get(str(plane.dtype)) for plane in planes]
    if not planes or None in kinds or len({plane.shape for plane in planes}) != 1 or planes[0].ndim != 2:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name}: the channels of a part are planes of one size in half, float or 32-bit whole numbers.",
        )
    channels = [
        Channel(name, kind) for name, kind in zip(part.channels, kinds, strict=True) if kind is not None
    ]
    half = all(kind == HALF for kind in kinds)
    pixels = np.empty((*planes[0].shape, len(planes)), np.float16 if half else np.float32)
    for place, plane in enumerate(planes):
        pixels[..., place] = plane.view(np.float32) if plane.dtype == np.uint32 else plane
    return channels, pixels


_OF_PIXELS = (
    "channels",
    "compression",
    "dataWindow",
    "displayWindow",
    "lineOrder",
    "tiles",
    "chunkCount",
    "type",
    "name",
)
_SHARED = ("pixelAspectRatio", "timeCode", "chromaticities")  # all parts of a file say the same
_USUAL = {
    "pixelAspectRatio": Attribute.of(1.0),
    "screenWindowCenter": Attribute("v2f", bytes(8)),
    "screenWindowWidth": Attribute.of(1.0),
}
