"""A shot: a source with a declared frame range, and the identity of its contents."""

from __future__ import annotations

import math
import tempfile
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import colour
from stylebridge_server.shot.cache import key
from stylebridge_server.values import Frame, Rgb8, SourceInfo


class Source(Protocol):
    """What a shot needs of a media source (the media room's sources are such)."""

    info: SourceInfo

    def read(self, number: int) -> Frame: ...

    def frames(self, first: int, last: int) -> Iterator[Frame]: ...

    def content_hash(self) -> str: ...

    def close(self) -> None: ...


class Shot:
    """A source with its declared range; the range, the cuts and the window are the whole source's.

    Args:
        source: opened media; the shot closes it.

    Attributes:
        id: names the contents and the range. Equal shots have equal ids on every machine.
        info: what the source declares.
    """

    live = False
    KEPT = 3  # the composite reads again what the stream has just read

    def __init__(self, source: Source) -> None:
        self._source = source
        self._recent: OrderedDict[int, Frame] = OrderedDict()
        self.info = source.info
        self.id = key("shot", source.content_hash(), self.info.first, self.info.last)

    def read(self, number: int) -> Frame:
        """The frame of that number, bit for bit as decoded.

        Raises:
            StylebridgeError: not_found outside the range, partial where the source ends early.
        """
        if not self.info.first <= number <= self.info.last:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"Frame {number} is outside the shot, which runs from {self.info.first} to {self.info.last}.",
            )
        if number not in self._recent:
            self._recent[number] = self._source.read(number)
            while len(self._recent) > self.KEPT:
                self._recent.popitem(last=False)
        return self._recent[number]

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Frames first to last, inclusive, in order; raises as `read` does."""
        yield from self._source.frames(first, last)

    def content(self, number: int) -> str:
        """A name for the contents of one frame, for cache keys, without reading it."""
        return key(self.id, number)

    def identity(self) -> str:
        """A name for all the frames of the range together."""
        return self.id

    def close(self) -> None:
        self._source.close()


class PushedShot:
    """A shot whose frames a host puts one by one, kept in a file so that memory does not grow with it.

    The file has no name: the system takes it back however this process ends.

    Args:
        info: the declared size, type and range.
        live: a camera: frames come for ever, nothing is known of the whole, only the last few are kept.
    """

    LIVE_KEPT = 64  # more than the longest window

    def __init__(self, info: SourceInfo, live: bool = False) -> None:
        self.info = info
        self.live = live
        self._file = tempfile.TemporaryFile(prefix="stylebridge-shot-")  # noqa: SIM115 - closed by `close`
        self._digests: dict[int, str] = {}
        self.id = key("pushed", uuid.uuid4().hex)

    def put(self, frame: Frame) -> None:
        """Keep a frame. Putting a number again replaces it, and everything made from it gets other names.

        Raises:
            StylebridgeError: bad_value for another size or dtype, not_found outside the range, not_writable where
                the disk is full.
        """
        if frame.pixels.shape != self._shape or frame.pixels.dtype != self.info.dtype:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"Frame {frame.number} is {frame.pixels.dtype} {frame.pixels.shape}, the shot was declared as "
                f"{self.info.dtype} {self._shape}: put frames of one size and type.",
            )
        if not self.info.first <= frame.number <= self.info.last:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"Frame {frame.number} is outside the declared range {self.info.first} to {self.info.last}.",
            )
        data = np.ascontiguousarray(frame.pixels).tobytes()
        try:
            self._file.seek(self._place(frame.number))
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise StylebridgeError(
                Code.NOT_WRITABLE,
                f"The server cannot keep frame {frame.number} ({error.strerror}): free space in "
                f"{tempfile.gettempdir()}.",
            ) from None
        self._digests[frame.number] = key("frame", data)
        if self.live:
            self._digests.pop(frame.number - self.LIVE_KEPT, None)

    def read(self, number: int) -> Frame:
        """The frame as it was put.

        Raises:
            StylebridgeError: need, with details {"frames": [number]}, where it was not put yet.
        """
        self.content(number)
        self._file.seek(self._place(number))
        pixels = np.fromfile(self._file, self.info.dtype, math.prod(self._shape))
        return Frame(number, pixels.reshape(self._shape))

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Frames first to last, inclusive, in order; raises as `read` does."""
        return (self.read(number) for number in range(first, last + 1))

    def content(self, number: int) -> str:
        """A name for the contents of one frame, for cache keys."""
        digest = self._digests.get(number)
        if digest is None:
            raise StylebridgeError(
                Code.NEED, f"The server lacks frame {number} of this shot: put it first.", frames=[number]
            )
        return digest

    def identity(self) -> str:
        """A name for all the frames of the range together.

        Raises:
            StylebridgeError: need, with the numbers that were not put yet.
        """
        numbers = range(self.info.first, self.info.last + 1)
        missing = [number for number in numbers if number not in self._digests]
        if missing:
            raise StylebridgeError(
                Code.NEED,
                f"The server lacks {len(missing)} frames of this shot, the first is {missing[0]}: put them first.",
                frames=missing,
            )
        return key("pushed", self.info.first, [self._digests[number] for number in numbers])

    def close(self) -> None:
        self._file.close()

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.info.height, self.info.width, self.info.channels

    def _place(self, number: int) -> int:
        """Where a frame lies in the file, in bytes; a camera's go round."""
        slot = number - self.info.first
        if self.live:
            slot %= self.LIVE_KEPT
        return slot * math.prod(self._shape) * np.dtype(self.info.dtype).itemsize


AnyShot = Shot | PushedShot


def as_rgb8(frame: Frame) -> Rgb8:
    """What the analyses look at: (H, W, 3) uint8 of any frame; alpha is dropped, floats are clipped to [0, 1]."""
    pixels = frame.pixels
    if pixels.dtype == np.uint8 and pixels.shape[-1] >= 3:
        return np.ascontiguousarray(pixels[..., :3])
    working = np.nan_to_num(colour.to_working(pixels), nan=0.0, posinf=1.0, neginf=0.0)
    return colour.from_working(working, np.dtype(np.uint8))
