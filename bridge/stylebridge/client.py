"""The client: synchronous, small, typed.

    from stylebridge.client import Client

    with Client.connect() as client:
        shot = client.open_shot("plate.mp4")
        analysis = client.analyse(shot, [{"name": "dog", "frame": 0, "points": [[0.4, 0.5]]}])
        look = client.parse_look(open("dog.toml").read())
        for picture in client.render(shot, look, shot.frames, analysis=analysis):
            pixels = numpy.asarray(picture)             # (height, width, channels)

`connect` finds the user's running server, or starts one that ends with this client. Every call waits for its
answer; another thread may call `cancel` meanwhile. A server that dies is found again or started again, and
what was asked of it is asked again: requests are pure, so nothing is missing, doubled or different.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import protocol
from .connection import Connection, OnProgress, Supply
from .errors import Code, StylebridgeError
from .finder import Finder
from .pixels import Bytes, Picture, split
from .requests import Progress

__all__ = ["Analysis", "Client", "OnProgress", "Progress", "Shot"]


@dataclass(frozen=True)
class Shot:
    """A shot that the server has open.

    Attributes:
        id: its name at the server; the same source has the same id again.
        info: what the source declares: "width", "height", "first", "last", "channels", "dtype", "rate"
            and more.
        source: what it was opened with, to open it again at a server that was started anew.
    """

    id: str
    info: dict[str, Any]
    source: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def frames(self) -> range:
        """All its frame numbers."""
        return range(self.info["first"], self.info["last"] + 1)


@dataclass(frozen=True)
class Analysis:
    """What was found in a shot. It stays at the server, immutable, under its id.

    Attributes:
        id: the hash of its contents.
        cuts: the first frame of each scene but the first.
        instances: for each its "id", "name", "label", "colour", "z", "first", "last" and "area".
    """

    id: str
    cuts: list[int]
    instances: list[dict[str, Any]]


class Client:
    """A connection to one server; use `connect`. A context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        *,
        start: bool = True,
        name: str = "python",
        timeout: float = 120.0,
        share: bool = True,
    ) -> Client:
        """A client of the server at `url`; without one, of the user's running server, or of one that is
        started now and ends with this client.

        Args:
            url: "tcp://HOST:PORT?key=KEY" as `stylebridge serve` prints it.
            start: whether a server may be started.
            name: what this client is, for the server's log.
            timeout: seconds until the server must be ready.
            share: whether pixels may travel through shared memory, where the server is on this machine.

        Raises:
            StylebridgeError: `UNREACHABLE`, `DENIED`, `VERSION` or `MISSING_EXTRA`, with what to do.
        """
        connection = Connection(Finder(url, start, timeout), name, timeout, share)
        try:
            connection.open()
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    @property
    def server(self) -> dict[str, Any]:
        """What the server said of itself: "version", "protocol", "fingerprint", "pid", "session"; and "pixels": how
        they travel now, "shared memory" or "messages".
        """
        return self._connection.server

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the server, and ends it where it was started for this client."""
        self._connection.close()

    # What a server can be asked.

    def describe(self) -> dict[str, Any]:
        """The effect's parameters, the styles and the segmenters that the server has."""
        return self._call("describe", {})

    def status(self) -> dict[str, Any]:
        """What the server is, what it is doing, and its counters."""
        return self._call("status", {})

    def open_shot(
        self, path: str | os.PathLike[str] | None = None, *, pushed: Mapping[str, Any] | None = None
    ) -> Shot:
        """Opens a source for rendering.

        Args:
            path: a movie, a sequence or a picture that the server can read.
            pushed: in place of a path, what is declared of frames that the host will `put_frame`: "first",
                "last", "width", "height", "channels", "dtype" and, if known, "rate" [numerator, denominator].

        Raises:
            StylebridgeError: `NOT_FOUND`, `NOT_READABLE`, `DENIED`, `BAD_VALUE`.
        """
        if (path is None) == (pushed is None):
            raise StylebridgeError(
                Code.BAD_VALUE, "A shot is opened with either a path or pushed frames: give one."
            )
        source = {"path": _absolute(path), "pushed": pushed}
        value = self._call("open_shot", source)
        return Shot(value["shot"], value["info"], source)

    def put_frame(self, shot: Shot, picture: Picture) -> None:
        """Pushes one frame of a shot that was opened with `pushed`."""
        header = {"number": picture.number, **picture.layout.header()}

        def parts() -> Iterator[tuple[dict[str, Any], Bytes]]:
            for offset, part in split(picture.data):
                yield {"offset": offset}, part

        def supply(lacking: StylebridgeError) -> bool:
            return lacking.details.get("frame") == picture.number

        self._connection.call("put_frame", {"shot": shot.id, **header}, parts=parts, supply=supply)

    def analyse(
        self,
        shot: Shot,
        prompts: Sequence[Mapping[str, Any]] = (),
        segmenter: str = "auto",
        progress: OnProgress | None = None,
    ) -> Analysis:
        """Finds cuts and instances. The same inputs have the same analysis, which is made once.

        Args:
            prompts: as in a look: "name", "frame", and "points", "not_points", "box" (normalised) or "matte"
                (a path).
            segmenter: one of those in `describe`.
        """
        fields = {"shot": shot.id, "prompts": [dict(p) for p in prompts], "segmenter": segmenter}
        value = self._call("analyse", fields, progress, shot)
        return Analysis(value["analysis"], value["cuts"], value["instances"])

    def render(
        self,
        shot: Shot,
        look: Mapping[str, Any],
        frames: Iterable[int],
        *,
        analysis: Analysis | str | None = None,
        progress: OnProgress | None = None,
        window: int = protocol.WINDOW,
    ) -> Generator[Picture, None, dict[str, Any]]:
        """The styled frames, in the order asked for, in the source's own pixel type.

        Nothing is asked before the first frame is. Closing the iterator cancels what is left.

        Args:
            look: plain data, as `parse_look` returns it.
            frames: the source's own frame numbers.
            analysis: of this shot, or its id; a live shot has none.
            window: bytes that the server may send ahead of what has been taken.
        """
        named = analysis.id if isinstance(analysis, Analysis) else analysis
        fields = {
            "shot": shot.id,
            "analysis": named,
            "look": dict(look),
            "frames": list(frames),
            "window": window,
        }
        return self._stream("render", fields, progress, shot)

    def mattes(
        self,
        shot: Shot,
        analysis: Analysis | str,
        instance: int,
        frames: Iterable[int],
        progress: OnProgress | None = None,
    ) -> Generator[Picture, None, dict[str, Any]]:
        """The soft mattes of one instance (0 is the background), uint8 with one channel; else as `render`."""
        named = analysis.id if isinstance(analysis, Analysis) else analysis
        fields = {"shot": shot.id, "analysis": named, "instance": instance, "frames": list(frames)}
        return self._stream("mattes", fields, progress, shot)

    def parse_look(self, text: str, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """The plain data of a look's TOML.

        Args:
            path: where the text is from, for its relative paths and for error messages.

        Raises:
            StylebridgeError: `BAD_LOOK`, naming line and key.
        """
        fields = {"text": text, "path": _absolute(path)}
        look: dict[str, Any] = self._call("parse_look", fields)["look"]
        return look

    def format_look(self, look: Mapping[str, Any], original: str | None = None) -> str:
        """The TOML of a look, keeping the comments of the text that it was made from."""
        return str(self._call("format_look", {"look": dict(look), "original": original})["text"])

    def close_shot(self, shot: Shot) -> None:
        """Lets the server forget a shot and the frames pushed into it."""
        self._call("close_shot", {"shot": shot.id})

    def shutdown(self) -> None:
        """Stops the server. Only its owner may."""
        self._call("shutdown", {})

    def cancel(self) -> None:
        """Cancels whatever this client is waiting for, from another thread; those calls raise `CANCELLED`."""
        self._connection.cancel()

    def _call(
        self,
        op: str,
        fields: dict[str, Any],
        progress: OnProgress | None = None,
        shot: Shot | None = None,
    ) -> dict[str, Any]:
        return self._connection.call(op, fields, progress, supply=self._supply(shot))

    def _stream(
        self, op: str, fields: dict[str, Any], progress: OnProgress | None, shot: Shot
    ) -> Generator[Picture, None, dict[str, Any]]:
        return self._connection.stream(op, fields, progress, supply=self._supply(shot))

    def _supply(self, shot: Shot | None) -> Supply:
        """Opens a shot again that the server has forgotten."""

        def supply(lacking: StylebridgeError) -> bool:
            if shot is None or not shot.source.get("path") or lacking.details.get("shot") != shot.id:
                return False
            self._call("open_shot", shot.source)
            return True

        return supply


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    """The path as the server finds it, which works in another folder; "camera:0" and URLs as they are."""
    if path is None or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", os.fspath(path)):
        return None if path is None else os.fspath(path)
    return str(Path(path).absolute())
