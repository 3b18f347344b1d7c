"""A shot: a source with a declared frame range, and the identity of its contents."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import colour
from stylebridge_server.shot.cache import key
from stylebridge_server.shot.pushed import LiveShot, PushedShot
from stylebridge_server.shot.shown import Shown
from stylebridge_server.values import Frame, SourceInfo


class Source(Protocol):
    """What a shot needs of a media source (the media room's sources are such)."""

    info: SourceInfo

    def read(self, number: int) -> Frame: ...

    def frames(self, first: int, last: int) -> Iterator[Frame]: ...

    def content_hash(self) -> str: ...

    def changed(self, number: int | None = None) -> bool: ...

    def close(self) -> None: ...


class Shot(Shown):
    """A source with its declared range; the range, the cuts and the window are the whole source's.

    Args:
        source: opened media; the shot closes it.
        encoding: how its pixels are read; None for what the source says of them.

    Attributes:
        id: names the contents and the range. Equal shots have equal ids on every machine.
        info: what the source declares, the colour space by the config's own name.
    """

    live = False
    KEPT = 3  # the composite reads again what the stream has just read

    def __init__(self, source: Source, encoding: colour.Encoding | None = None) -> None:
        self._source = source
        self._recent: OrderedDict[int, Frame] = OrderedDict()
        said = source.info
        try:
            self.encoding = encoding or colour.encode_declared(said)
            self.info = replace(said, colour=self.encoding.colour, alpha=self.encoding.alpha)
            read_as = [] if self.encoding.id is None else [self.encoding.id]
            self.id = key("shot", source.content_hash(), said.first, said.last, *read_as)
        except BaseException:
            source.close()
            raise

    def read(self, number: int) -> Frame:
        """The frame of that number, bit for bit as decoded.

        Raises:
            StylebridgeError: not_found outside the range, partial where the source ends early; as `check_current`.
        """
        if not self.info.first <= number <= self.info.last:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"Frame {number} is outside the shot, which runs from {self.info.first} to {self.info.last}.",
            )
        if number not in self._recent:
            frame = self._source.read(number)
            self.check_current(number)
            self._recent[number] = frame
            while len(self._recent) > self.KEPT:
                self._recent.popitem(last=False)
        return self._recent[number]

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Frames first to last, inclusive, in order; raises as `read` does."""
        for frame in self._source.frames(first, last):
            self.check_current(frame.number)
            yield frame

    def check_current(self, number: int | None = None) -> None:
        """Refuse to go on where the file of a frame, or any file for None, was written over since the shot was opened.

        Raises:
            StylebridgeError: need, with details {"shot": id}: opened again, the source is another shot.
        """
        if self.overwritten or self._source.changed(number):
            self.overwritten = True
            raise StylebridgeError(
                Code.NEED,
                "The source of the shot was written over since it was opened: open and analyse the shot again.",
                shot=self.id,
            )

    def content(self, number: int) -> str:
        """A name for the contents of one frame, for cache keys, without reading it."""
        return key(self.id, number)

    def identity(self) -> str:
        """A name for all the frames of the range together."""
        return self.id

    def close(self) -> None:
        self._source.close()


AnyShot = Shot | PushedShot | LiveShot
