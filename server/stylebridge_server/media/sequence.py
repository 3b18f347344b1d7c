"""Numbered picture files, and single ones, as source and sink."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import Pattern
from stylebridge_server.media.base import Sink, Source
from stylebridge_server.media.files import content_hash, readable_file, state_of, writable_place
from stylebridge_server.media.gaps import Gaps
from stylebridge_server.media.still import check_writable, read_picture, write_picture
from stylebridge_server.values import Frame, SourceInfo

RATE = Fraction(24)
"""Frames a second of a sequence, whose files do not say."""


class SequenceSource(Source):
    """Numbered picture files. Frame numbers are the files' own.

    Args:
        name: what sentences call it.
        files: by frame number, ascending, at least one.
        gaps: what stands for frames that are missing between them.
    """

    def __init__(self, name: str, files: Mapping[int, Path], gaps: Gaps) -> None:
        self.name = name
        self._files, self._gaps = files, gaps
        self._hashed: dict[int, object] = {}  # the files' states when their contents were hashed
        first, last = min(files), max(files)
        self.readable_last = last
        self.gaps = gaps.sentence(first, last)
        info = _info("sequence", files[first], name, first, last, RATE)
        self.info = replace(info, tags={**info.tags, "gaps": gaps})

    def read(self, number: int) -> Frame:
        self.check_number(number)
        info, held = self.info, self._gaps.held(number)
        if held is None:
            return Frame(number, np.zeros((info.height, info.width, info.channels), info.dtype))
        path = self._files[held]
        frame = Frame(number, read_picture(path).pixels)
        if frame.pixels.shape != (info.height, info.width, info.channels) or frame.pixels.dtype != info.dtype:
            height, width, channels = frame.pixels.shape
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{path} is {width}x{height} with {channels} channels of {frame.pixels.dtype}, but the "
                f"sequence begins with {info.width}x{info.height}, {info.channels} of {info.dtype}.",
                frame=number,
            )
        return frame

    def content_hash(self) -> str:
        digest = hashlib.blake2b(digest_size=32)
        for number, path in self._files.items():
            self._hashed[number] = state_of(path)
            digest.update(f"{number}:{content_hash(readable_file(path))};".encode())
        if self.gaps:
            digest.update(self._gaps.policy.encode())
        return digest.hexdigest()

    def changed(self, number: int | None = None) -> bool:
        held = self._hashed if number is None else [self._gaps.held(number)]
        return any(state_of(self._files[one]) != self._hashed[one] for one in held if one in self._hashed)

    def close(self) -> None:
        """Nothing is held open."""


class StillSource(Source):
    """One picture file: frame 0, and no rate."""

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self._path = readable_file(path)
        self._hashed = state_of(self._path)
        self.readable_last = 0
        self.info = _info("still", self._path, self.name, 0, 0, None)

    def read(self, number: int) -> Frame:
        self.check_number(number)
        return Frame(number, read_picture(self._path).pixels)

    def content_hash(self) -> str:
        return content_hash(self._path)

    def changed(self, number: int | None = None) -> bool:
        return state_of(self._path) != self._hashed

    def close(self) -> None:
        """Nothing is held open."""


class PictureSink(Sink):
    """Writes each frame to a picture file of its own, each moved into place when whole.

    What was written stays when writing is broken off: every file of it is whole.
    """

    def __init__(
        self, target: Pattern | Path, like: SourceInfo, first: int, last: int, metadata: dict[str, str]
    ) -> None:
        super().__init__(like, first, last)
        self.name = str(target)
        self._target = target
        self._metadata.update(metadata)
        if isinstance(target, Path) and first != last:
            numbered = target.with_name(f"{target.stem}.####{target.suffix}")
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{target.name} is one picture, but {last - first + 1} frames are to be written; "
                f"write {numbered}.",
            )
        path = writable_place(self._path(first))
        check_writable(path, like.channels, like.dtype)
        self.lossless = path.suffix.lower() not in (".jpg", ".jpeg")
        self.form = form_of_picture(path, like)
        self.description = self.form.rpartition(", ")[0]

    def _path(self, number: int) -> Path:
        return self._target.path(number) if isinstance(self._target, Pattern) else self._target

    def _write(self, frame: Frame) -> None:
        notes = self.notes(self._record.only(frame.number))
        write_picture(self._path(frame.number), frame.pixels, self.like.tags, notes)

    def _finish(self) -> None:
        pass

    def _abort(self) -> None:
        pass


def form_of_picture(path: Path, like: SourceInfo) -> str:
    """How a picture is written: `Sink.form`."""
    bits = 8 if like.dtype == "uint8" else 16
    return f"{path.suffix.lower().lstrip('.').upper()}, {bits} bit, {like.channels} channels"


def _info(kind: str, file: Path, name: str, first: int, last: int, rate: Fraction | None) -> SourceInfo:
    picture = read_picture(file)
    height, width, channels = picture.pixels.shape
    tags = {"path": str(Path(name).resolve()), **picture.tags}
    return SourceInfo(kind, width, height, first, last, channels, str(picture.pixels.dtype), rate, tags=tags)
