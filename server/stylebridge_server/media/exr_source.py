"""OpenEXR pictures as a source, numbered or single: one layer of one view of them."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.base import Source
from stylebridge_server.media.exr_colour import alpha_of, colour_of
from stylebridge_server.media.exr_file import HALF, Attribute, Box, ExrFile, Part, read_headers
from stylebridge_server.media.exr_layers import Layer, pick, views_of
from stylebridge_server.media.exr_pixels import check_part, read_channels
from stylebridge_server.media.files import content_hash, readable_file, state_of
from stylebridge_server.media.gaps import Gaps
from stylebridge_server.media.limits import MAX_FILE, check_size
from stylebridge_server.media.timecode import timecode_of_exr
from stylebridge_server.steps import step
from stylebridge_server.values import Frame, Pixels, SourceInfo

RATE = Fraction(24)
"""Frames a second of a sequence whose files do not say."""


@dataclass(frozen=True)
class Origin:
    """What a sink needs to know of the files that a result is made from.

    Attributes:
        files: by frame number, those that are there.
        gaps: what stands for the others.
        layer, view: what was styled, as `exr_layers.pick` takes them.
        window: the data windows of all frames together, which is the picture.
    """

    files: Mapping[int, Path]
    gaps: Gaps
    layer: str | None
    view: str | None
    window: Box


class ExrSource(Source):
    """OpenEXR files. A picture is as large as the data windows of all frames together; a frame is 0 outside its own.

    Args:
        name: what sentences call it.
        kind: "sequence" or "still".
        files: by frame number, ascending, at least one.
        gaps: what stands for frames that are missing between them.
        layer, view: as `exr_layers.pick`.

    `info.tags` holds "path", "timecode" (of the first frame), "gaps" and "exr", an `Origin`.

    Raises:
        StylebridgeError: NOT_READABLE where files differ in what cannot differ, naming the frame; TOO_LARGE; as `pick`.
    """

    def __init__(
        self, name: str, kind: str, files: Mapping[int, Path], gaps: Gaps, layer: str | None, view: str | None
    ) -> None:
        first, last = min(files), max(files)
        opened = read_headers(readable_file(files[first]))
        chosen = pick(opened, layer, view)
        part = opened.parts[chosen.part]
        check_part(part, chosen.channels)
        self.name, self.views, self.readable_last = name, views_of(opened), last
        self._files, self._gaps, self._asked = files, gaps, (layer, view)
        self._hashed: dict[int, object] = {}  # the files' states when their contents were hashed
        self.gaps = gaps.sentence(first, last)
        self._number, self._chosen, self._display = first, chosen, part.display
        self._dtype = "float16" if all(one.type == HALF for one in chosen.channels) else "float32"
        self._window = x0, y0, x1, y1 = self._survey()
        check_size(name, x1 - x0, y1 - y0)
        header = {**opened.parts[0].attributes, **part.attributes}
        left, top, right, bottom = part.display
        rate = _rational(header.get("framesPerSecond")) or RATE
        self.info = SourceInfo(
            kind=kind,
            width=x1 - x0,
            height=y1 - y0,
            first=first,
            last=last,
            channels=len(chosen.channels),
            dtype=self._dtype,
            rate=rate if kind == "sequence" else None,
            pixel_aspect=_aspect(header.get("pixelAspectRatio")),
            colour=colour_of(header),
            alpha=alpha_of(header, len(chosen.channels)),
            display=(left - x0, top - y0, right - x0, bottom - y0),
            tags={
                "path": str(Path(name).resolve()),
                "timecode": _timecode(header.get("timeCode")),
                "gaps": gaps,
                "exr": Origin(files, gaps, layer, view, self._window),
            },
        )
        frame = math.prod(self._shape) * np.dtype(self._dtype).itemsize
        if frame > MAX_FILE:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"A picture of {name} takes {frame >> 30} GiB; at most {MAX_FILE >> 30} are read.",
            )

    def read(self, number: int) -> Frame:
        self.check_number(number)
        held = self._gaps.held(number)
        if held is None:
            return Frame(number, np.zeros(self._shape, self._dtype))
        try:
            opened = read_headers(self._files[held])
            chosen, part = self._like_first(opened, held)
            pixels = read_channels(self._files[held], chosen.part, part, chosen.channels)
        except (OSError, StylebridgeError) as error:
            if number == self._number or getattr(error, "details", {}).get("frame") == held:
                raise
            self.damage = str(error)
            raise self.ends_early(number) from error
        return Frame(number, self._placed(pixels.astype(self._dtype, copy=False), part.data))

    def content_hash(self) -> str:
        digest = hashlib.blake2b(digest_size=32)
        layer = self._chosen
        digest.update(repr(("exr", layer.name, layer.view, [one.name for one in layer.channels])).encode())
        digest.update(repr((self._gaps.policy if self._gaps.missing else "", self.info.first)).encode())
        for number, path in self._files.items():
            self._hashed[number] = state_of(path)
            digest.update(f"{number}:{content_hash(readable_file(path))};".encode())
        return digest.hexdigest()

    def changed(self, number: int | None = None) -> bool:
        held = self._hashed if number is None else [self._gaps.held(number)]
        return any(state_of(self._files[one]) != self._hashed[one] for one in held if one in self._hashed)

    def ends_early(self, number: int) -> StylebridgeError:
        error = super().ends_early(number)
        message = f"{self.damage} {error.message}" if self.damage else error.message
        return StylebridgeError(error.code, message, **error.details)

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def _shape(self) -> tuple[int, int, int]:
        x0, y0, x1, y1 = self._window
        return y1 - y0, x1 - x0, len(self._chosen.channels)

    def _survey(self) -> Box:
        """The data windows of all frames together, up to the first file that is damaged."""
        boxes = []
        for number, path in self._files.items():
            step()
            try:
                opened = read_headers(readable_file(path))
                with path.open("rb") as file:
                    opened.places(file)
            except (OSError, StylebridgeError) as error:
                if number == self._number:
                    raise
                self.readable_last, self.damage = number - 1, str(error)
                break
            boxes.append(self._like_first(opened, number)[1].data)
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        return min(x0), min(y0), max(x1), max(y1)

    def _like_first(self, opened: ExrFile, number: int) -> tuple[Layer, Part]:
        """The layer of a file and its part, where they are as the first frame's."""
        first = self._chosen
        try:
            chosen = pick(opened, *self._asked)
        except StylebridgeError as error:
            raise self._differs(number, error.message) from error
        part = opened.parts[chosen.part]
        kinds, like = ([(one.name, one.type) for one in layer.channels] for layer in (chosen, first))
        if kinds != like or chosen.view != first.view:
            has, had = (", ".join(name for name, _ in named) for named in (kinds, like))
            said = f"{had} before, {has} then" if has != had else "half and float"
            raise self._differs(number, f"Its channels are {said}.")
        if part.display != self._display:
            (x0, y0, x1, y1), (a0, b0, a1, b1) = self._display, part.display
            raise self._differs(
                number,
                f"Its display window is {x1 - x0}x{y1 - y0} before, {a1 - a0}x{b1 - b0} at {a0}, {b0} then.",
            )
        return chosen, part

    def _differs(self, number: int, what: str) -> StylebridgeError:
        return StylebridgeError(
            Code.NOT_READABLE, f"{self.name} changes at frame {number}; cut it there. {what}", frame=number
        )

    def _placed(self, pixels: Pixels, data: Box) -> Pixels:
        x0, y0, x1, y1 = data
        if data == self._window:
            return pixels
        left, top, right, bottom = self._window
        if x0 < left or y0 < top or x1 > right or y1 > bottom:
            raise StylebridgeError(
                Code.NOT_READABLE, f"{self.name} has changed while it was read; start again."
            )
        whole = np.zeros(self._shape, self._dtype)
        whole[y0 - top : y1 - top, x0 - left : x1 - left] = pixels
        return whole


def _rational(said: Attribute | None) -> Fraction | None:
    if said is None or said.type != "rational" or len(said.value) != 8:
        return None
    over, under = struct.unpack("<iI", said.value)
    return Fraction(over, under) if over > 0 and under > 0 else None


def _timecode(said: Attribute | None) -> str | None:
    return timecode_of_exr(said.value) if said is not None and said.type == "timecode" else None


def _aspect(said: Attribute | None) -> Fraction:
    if said is None or said.type != "float" or len(said.value) != 4:
        return Fraction(1)
    (value,) = struct.unpack("<f", said.value)
    return (
        Fraction(value).limit_denominator(1000)
        if math.isfinite(value) and 0.01 < value < 100
        else Fraction(1)
    )
