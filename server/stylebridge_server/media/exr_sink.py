"""OpenEXR files as a sink: the styled layer goes into a copy of the frame's own file, whose rest stays as it is."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import Pattern
from stylebridge_server.media.base import Sink
from stylebridge_server.media.exr_colour import said_of
from stylebridge_server.media.exr_file import (
    COMPRESSIONS,
    HALF,
    Attribute,
    Box,
    Channel,
    Chunk,
    ExrFile,
    Part,
    Value,
    pack_channels,
    read_headers,
)
from stylebridge_server.media.exr_layers import Layer, pick
from stylebridge_server.media.exr_pixels import read_channels
from stylebridge_server.media.exr_source import Origin
from stylebridge_server.media.exr_write import NewExr, NewPart, new_exr, write_exr
from stylebridge_server.media.files import writable_place
from stylebridge_server.media.notes import OWN, is_own
from stylebridge_server.media.timecode import exr_timecode, shifted_timecode
from stylebridge_server.values import Frame, Pixels, SourceInfo

_LOSSY = ("b44", "b44a", "dwaa", "dwab", "lj2k")
_INSTEAD = "zip"
_NAMES = {1: "Y", 2: "YA", 3: "RGB", 4: "RGBA"}
_OF_ONE_FRAME = ("timeCode", "keyCode")  # a frame that is held has none of its own
_HALF_MOST = 65504.0


class ExrSink(Sink):
    """Writes each frame to a file of its own, moved into place when whole.

    Frames of an OpenEXR source go into a copy of the source's file: its other parts, layers, views and channels, its
    windows, compression and tiles, and every attribute stay. Where no bit of the picture has changed, its packed
    pixels are copied too. Of others the values are written as they are, with a word on their colour space: half
    floats, floats for more than 10 bits.

    Args:
        target: a pattern, or one file.
        likes: the sources' declarations, one for each view that is written; mostly one.
        metadata: names and texts, kept as attributes.
    """

    def __init__(
        self,
        target: Pattern | Path,
        likes: Sequence[SourceInfo],
        first: int,
        last: int,
        metadata: Mapping[str, str],
    ) -> None:
        super().__init__(likes[0], first, last)
        self._views: list[Frame] = []  # of the next frame
        self.name = str(target)
        self.lossless = True
        self._target, self._likes = target, likes
        self._metadata.update(metadata)
        if isinstance(target, Path) and first != last:
            numbered = target.with_name(f"{target.stem}.####{target.suffix}")
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{target.name} is one picture, but {last - first + 1} frames are to be written; write {numbered}.",
            )
        writable_place(self._path(first))
        origins = [origin_of(like) for like in likes]
        self._origins = [one for one in origins if one is not None]
        if len(likes) > 1 and len(self._origins) < len(likes):
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{target} cannot have several views in another size than theirs; choose one with --view.",
            )
        self.form = form_of_exr(likes[0])
        self.description = self.form.rpartition(", ")[0]
        if lossy := _lossy(self._origins):
            self.left_out.append(
                f"the compression {lossy} of frames that change: it would alter what was left alone, and they have ZIP"
            )
        if len(likes) > 1:
            self.description += f", {len(likes)} views"

    def write(self, frame: Frame) -> None:
        """Take the next frame; of several views each in their order, before the next number's."""
        if len(self._likes) == 1:
            super().write(frame)
            return
        like = self._likes[len(self._views)]
        wanted = (like.height, like.width, like.channels)
        if frame.number != self.next or frame.pixels.shape != wanted or frame.pixels.dtype != like.dtype:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{self.name} was given frame {frame.number}, {frame.pixels.shape} of {frame.pixels.dtype}, "
                f"where frame {self.next}, {wanted} of {like.dtype}, comes next.",
            )
        self._views.append(frame)
        if len(self._views) == len(self._likes):
            super().write(self._views[0])
            self._views = []

    def _own(self, number: int) -> dict[str, Attribute]:
        notes = self.notes(self._record.only(number))
        return {name: Attribute.of(text) for name, text in notes.items()}

    def _path(self, number: int) -> Path:
        return self._target.path(number) if isinstance(self._target, Pattern) else self._target

    def _write(self, frame: Frame) -> None:
        frames = self._views or [frame]
        path = self._path(frame.number)
        if self._origins:
            held = self._origins[0].gaps.held(frame.number)
            if held is not None:
                self._into_copy(path, frames, held)
                return
        parts = [self._anew(like, one) for like, one in zip(self._likes, frames, strict=True)]
        write_exr(path, parts)

    # Frames of other sources, of gaps that are black, and those that are smaller than the source's.

    def _anew(self, like: SourceInfo, frame: Frame) -> NewPart:
        pixels = as_floats(frame.pixels, sample_of(like))
        header: dict[str, Value] = {**header_of(like, frame.number), **self._own(frame.number)}
        data, view = (0, 0, like.width, like.height), ""
        display = like.display or data
        if self._origins:
            origin = self._origins[self._likes.index(like)]
            (left, top, _, _), view = origin.window, origin.view or ""
            data, display = _moved(data, left, top), _moved(display, left, top)
            header = {name: one for name, one in header.items() if name not in _OF_ONE_FRAME}
            header |= {f"{OWN}gap": "black", **({"view": view} if view else {})}
        names = _NAMES[pixels.shape[2]]
        channels = {name: pixels[..., place] for place, name in enumerate(names)}
        return NewPart(channels, data, display, header, f"rgba.{view}" if view else "")

    # Frames of OpenEXR sources.

    def _into_copy(self, path: Path, frames: Sequence[Frame], held: int) -> None:
        origin = self._origins[0].files[held]
        source = read_headers(origin)
        number = frames[0].number
        layers = [pick(source, one.layer, one.view) for one in self._origins]
        with new_exr(path) as made, origin.open("rb") as file:
            headers = [
                {name: one for name, one in part.attributes.items() if not is_own(name)}
                for part in source.parts
            ]
            chunks = _chunks(source, file)
            for place in sorted({layer.part for layer in layers}):
                mine = [
                    (layer, frame, one.window)
                    for layer, frame, one in zip(layers, frames, self._origins, strict=True)
                    if layer.part == place
                ]
                headers[place] |= self._own(number)
                new = _Styled(origin, source, place, mine)
                if new.changed:
                    headers[place] |= new.header()
                    chunks[place] = new.pack(made)
            for header in headers if held != number else ():
                for name in _OF_ONE_FRAME:
                    header.pop(name, None)
                header[f"{OWN}gap"] = Attribute.of(f"frame {held} held")
            made.write(headers, source.multiple, chunks)

    def _finish(self) -> None:
        pass

    def _abort(self) -> None:
        pass


class _Styled:
    """A part of which one layer was styled, or several (one of each view).

    Args:
        origin, source, place: the file, its headers and which part of it.
        styled: layers, their frames, and the windows of these.
    """

    def __init__(
        self, origin: Path, source: ExrFile, place: int, styled: Sequence[tuple[Layer, Frame, Box]]
    ) -> None:
        self._origin, self._source, self._place = origin, source, place
        self._part = source.parts[place]
        self._pixels: dict[Channel, Pixels] = {}  # of the channels that were styled, planes
        self._dropped: list[str] = []
        self.changed = False
        for layer, frame, window in styled:
            self._take(layer, _cropped(frame.pixels, window, self._part.data))

    def _take(self, layer: Layer, pixels: Pixels) -> None:
        channels = list(layer.channels)
        before = read_channels(self._origin, self._place, self._part, channels)
        if pixels.shape[2] > len(channels):  # grey has become colour
            stem = channels[0].name[: -len(channels[0].name.rpartition(".")[2])]
            self._dropped.append(channels[0].name)
            channels = [Channel(f"{stem}{name}", channels[0].type) for name in "RGB"] + channels[1:]
            self.changed = True
        else:
            self.changed |= not np.array_equal(_bits(before), _bits(pixels.astype(before.dtype, copy=False)))
        for at, channel in enumerate(channels):
            self._pixels[channel] = pixels[..., at]

    @property
    def _channels(self) -> list[Channel]:
        kept = [
            one for one in self._part.channels if one not in self._pixels and one.name not in self._dropped
        ]
        return [*self._pixels, *kept]

    @property
    def _compression(self) -> str:
        """The part's own; a lossless one where its own would change pixels that were left alone."""
        own, types = self._part.compression, {one.type for one in self._channels}
        by_bytes = own not in ("pxr24", "htj2k256", "htj2k32")
        return _INSTEAD if own in _LOSSY or not (by_bytes or types == {HALF}) else own

    def header(self) -> dict[str, Attribute]:
        """What has become different in the part's header."""
        found: dict[str, Attribute] = {}
        if self._dropped:
            found["channels"] = pack_channels(self._channels)
        if self._compression != self._part.compression:
            found["compression"] = Attribute("compression", bytes([COMPRESSIONS[self._compression][0]]))
        if self._part.tile is not None and self._part.tile[2]:  # smaller copies would show what was
            found["tiles"] = Attribute("tiledesc", struct.pack("<IIB", *self._part.tile[:2], 0))
        if "chunkCount" in self._part.attributes:
            attributes = {**self._part.attributes, **found}
            del attributes["chunkCount"]
            found["chunkCount"] = Attribute.of(Part(attributes, self._part.file).chunk_count)
        return found

    def pack(self, made: NewExr) -> list[Chunk]:
        channels = self._channels
        kept = channels[len(self._pixels) :]
        width, height = self._part.size
        half = all(one.type == HALF for one in channels)
        pixels = np.empty((height, width, len(channels)), np.float16 if half else np.float32)
        for at, (channel, plane) in enumerate(self._pixels.items()):
            pixels[..., at] = (
                _within_half(plane) if channel.type == HALF and plane.dtype != np.float16 else plane
            )
        if kept:
            pixels[..., len(self._pixels) :] = read_channels(self._origin, self._place, self._part, kept)
        tile = None if self._part.tile is None else self._part.tile[:2]
        number = self._place if self._source.multiple else None
        return made.pack(channels, pixels, self._part.data, self._compression, tile, number)


def header_of(like: SourceInfo, number: int) -> dict[str, Value]:
    """What a source says of a frame of it, for a file that is written anew."""
    rate = like.rate
    header: dict[str, Value] = {
        **said_of(like.colour, like.alpha),
        "pixelAspectRatio": float(like.pixel_aspect),
    }
    if rate is not None:
        header["framesPerSecond"] = rate.limit_denominator(1 << 30)
        code = like.tags.get("timecode")
        if code and (packed := exr_timecode(shifted_timecode(code, number - like.first, rate))):
            header["timeCode"] = Attribute("timecode", packed)
    return header


def _chunks(source: ExrFile, file: BinaryIO) -> list[list[Chunk]]:
    """The chunks of a file as they are."""
    return [
        [Chunk(file, place, source.length(file, number, place)) for place in places]
        for number, places in enumerate(source.places(file))
    ]


def form_of_exr(like: SourceInfo) -> str:
    """How a file is written: `Sink.form`."""
    return f"EXR, {sample_of(like)}, {like.channels} channels"


def origin_of(like: SourceInfo) -> Origin | None:
    found = like.tags.get("exr")
    if not isinstance(found, Origin):
        return None
    x0, y0, x1, y1 = found.window
    return found if (x1 - x0, y1 - y0) == (like.width, like.height) else None


def _lossy(origins: Sequence[Origin]) -> str:
    """The compression, by its usual name, of styled parts whose pixels it would change each time; "" for others."""
    for one in origins:
        source = read_headers(next(iter(one.files.values())))
        compression = source.parts[pick(source, one.layer, one.view).part].compression
        if compression in _LOSSY:
            return compression.upper()
    return ""


def _moved(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def _cropped(pixels: Pixels, window: Box, data: Box) -> Pixels:
    x0, y0, x1, y1 = data
    return pixels[y0 - window[1] : y1 - window[1], x0 - window[0] : x1 - window[0]]


def _bits(pixels: Pixels) -> NDArray[np.unsignedinteger]:
    """What tells apart values that are no number, too."""
    return np.ascontiguousarray(pixels).view(f"u{pixels.dtype.itemsize}")


def _within_half(plane: Pixels) -> Pixels:
    """Floats that become half floats: what is finite stays so."""
    limited = np.clip(plane, -_HALF_MOST, _HALF_MOST)
    return np.where(np.isfinite(plane), limited, plane)


def sample_of(like: SourceInfo) -> str:
    """ "half" or "float": what holds the values of a source without loss."""
    if like.dtype == "uint16" and like.tags.get("bits", 16) > 10:
        return "float"
    return "float" if like.dtype == "float32" else "half"


def as_floats(pixels: Pixels, sample: str) -> Pixels:
    if np.issubdtype(pixels.dtype, np.integer):
        pixels = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float16 if sample == "half" else np.float32, copy=False)
