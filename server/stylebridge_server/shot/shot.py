"""A shot: a source with a declared frame range, and the identity of its contents."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import colour
from stylebridge_server.shot.cache import key
from stylebridge_server.shot.pushed import LiveShot, PushedShot
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
        try:
            self.id = key("shot", source.content_hash(), self.info.first, self.info.last)
        except BaseException:
            source.close()
            raise

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


AnyShot = Shot | PushedShot | LiveShot


def as_rgb8(frame: Frame) -> Rgb8:
    """What the analyses look at: (H, W, 3) uint8 of any frame; alpha is dropped, floats are clipped to [0, 1]."""
    pixels = frame.pixels
    if pixels.dtype == np.uint8 and pixels.shape[-1] >= 3:
        return np.ascontiguousarray(pixels[..., :3])
    working = np.nan_to_num(colour.to_working(pixels), nan=0.0, posinf=1.0, neginf=0.0)
    return colour.from_working(working, np.dtype(np.uint8))
