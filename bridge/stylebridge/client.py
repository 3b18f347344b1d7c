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

import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import __version__, launch, protocol
from .errors import Code, StylebridgeError
from .keys import client_key
from .launch import Address, StartedServer
from .link import Link
from .pixels import Bytes, Picture, split
from .requests import Lost, Progress, Request

OnProgress = Callable[[Progress], None]

#: Seconds without a sign of life after which a server counts as gone. It pings every few seconds.
SILENCE_LIMIT = 30.0
#: How often one request is made again after the server died or forgot what it knew.
RETRIES = 3
#: Seconds in which a server that went away must be back.
RECONNECT_LIMIT = 15.0
#: Seconds between looks at whether a waiting call was cancelled or its server fell silent.
_TICK = 0.5


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

    def __init__(self, finder: _Finder, name: str, timeout: float) -> None:
        self._finder, self._name, self._timeout = finder, name, timeout
        self._numbers = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._lock = threading.Lock()  # guards _requests
        self._connecting = threading.Lock()
        self._link: Link | None = None
        self._closed = False
        self._cancels = 0
        self.server: dict[str, Any] = {}
        """What the server said of itself: "version", "protocol", "fingerprint", "pid", "session"."""

    @classmethod
    def connect(
        cls, url: str | None = None, *, start: bool = True, name: str = "python", timeout: float = 120.0
    ) -> Client:
        """A client of the server at `url`; without one, of the user's running server, or of one that is
        started now and ends with this client.

        Args:
            url: "tcp://HOST:PORT?key=KEY" as `stylebridge serve` prints it.
            start: whether a server may be started.
            name: what this client is, for the server's log.
            timeout: seconds until the server must be ready.

        Raises:
            StylebridgeError: `UNREACHABLE`, `DENIED`, `VERSION` or `MISSING_EXTRA`, with what to do.
        """
        client = cls(_Finder(url, start, timeout), name, timeout)
        try:
            client._open()
        except BaseException:
            client.close()
            raise
        return client

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the server, and ends it where it was started for this client."""
        if self._closed:
            return
        self._closed = True
        if self._link:
            self._send("bye", next(self._numbers), {})
            self._link.close()
        self._finder.stop()

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
        self._call("put_frame", {"shot": shot.id, "number": picture.number}, None, picture)

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
        value = self._call("analyse", fields, progress, shot=shot)
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
        return self._stream("render", fields, progress, shot=shot)

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
        return self._stream("mattes", fields, progress, shot=shot)

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
        with self._lock:
            requests = list(self._requests.values())
            self._cancels += 1  # for those that are just being asked again
        for request in requests:
            self._send("cancel", next(self._numbers), {"of": request.number})
            request.cancel()

    # How it is asked.

    def _call(
        self,
        op: str,
        fields: dict[str, Any],
        progress: OnProgress | None = None,
        picture: Picture | None = None,
        shot: Shot | None = None,
    ) -> dict[str, Any]:
        stream = self._stream(op, fields, progress, picture, shot)
        while True:
            try:
                next(stream)
            except StopIteration as end:
                return protocol.check_result(op, end.value)

    def _stream(
        self,
        op: str,
        fields: dict[str, Any],
        progress: OnProgress | None = None,
        picture: Picture | None = None,
        shot: Shot | None = None,
    ) -> Generator[Picture, None, dict[str, Any]]:
        """Asks, and asks again while the server is lost or lacks the shot."""
        request, cancels = Request(op, fields, progress), self._cancels
        for retry in itertools.count():
            link = self._link
            try:
                return (yield from self._follow(request, picture))
            except Lost:
                if self._cancels != cancels:
                    raise StylebridgeError(Code.CANCELLED, f'"{op}" was cancelled.') from None
                if retry == RETRIES:
                    raise StylebridgeError(
                        Code.UNREACHABLE,
                        f'The server went away {retry + 1} times during "{op}": see its log, or start it '
                        "again with `stylebridge serve`.",
                    ) from None
                self._reopen(link)
            except StylebridgeError as error:
                if error.code in (Code.INTERNAL, Code.POISONED) and self._finder.log:
                    error.message += f" The log is {self._finder.log}."
                    error.args = (error.message,)
                if error.code != Code.NEED or retry == RETRIES:
                    raise
                if shot and shot.source.get("path") and error.details.get("shot") == shot.id:
                    self._call("open_shot", shot.source)
                elif picture is None or error.details.get("frame") != picture.number:
                    raise
        raise AssertionError("unreachable")

    def _follow(self, request: Request, picture: Picture | None) -> Generator[Picture, None, dict[str, Any]]:
        number, link = next(self._numbers), self._link
        if link is None:
            raise Lost
        request.begin(number)
        with self._lock:
            self._requests[number] = request
        try:
            if picture is None:
                self._send(request.op, number, request.fields)
            else:
                for offset, part in split(picture.data):
                    self._send(
                        request.op,
                        number,
                        {**request.fields, **picture.layout.header(), "offset": offset},
                        part,
                    )
            while True:
                event = request.step(_TICK, self._credit)
                if isinstance(event, Picture):
                    yield event
                elif event is not None:
                    return event
                elif link.lost.is_set() or time.monotonic() - link.heard > SILENCE_LIMIT:
                    raise Lost
        finally:
            with self._lock:
                self._requests.pop(number, None)
            if not request.finished:  # closed, interrupted, or lost
                self._send("cancel", next(self._numbers), {"of": number})

    def _credit(self, number: int, attempt: int, size: int) -> None:
        self._send("credit", next(self._numbers), {"of": number, "attempt": attempt, "bytes": size})

    def _send(self, op: str, number: int, fields: dict[str, Any], payload: Bytes | None = None) -> None:
        if self._link:
            self._link.send(protocol.encode(op, number, fields, payload))

    def _receive(self, parts: list[Bytes]) -> None:
        """In the link's thread: hands an event to its request."""
        try:
            message = protocol.decode(parts, protocol.EVENTS)
        except StylebridgeError as error:
            message = protocol.Message(
                "error",
                0,
                {
                    "code": error.code,
                    "message": f"The server's answer is unreadable: {error}",
                    "details": error.details,
                },
            )
        with self._lock:
            # An error of no request is one that the server, or this side, could not even read.
            everyone = message.id == 0 and message.op == "error"
            requests = list(self._requests.values()) if everyone else [self._requests.get(message.id)]
        for request in requests:
            if request:
                request.deliver(message)

    def _lost(self) -> None:
        """In the link's thread: the server is gone."""
        with self._lock:
            requests = list(self._requests.values())
        for request in requests:
            request.deliver(None)

    # How the connection is made.

    def _open(self) -> None:
        address, before = self._finder.find(), self._link
        link = Link(address.endpoint, address.key, client_key(), self._receive, self._lost)
        link.open(min(self._timeout, 10.0))
        self._link = link
        hello = {"version": __version__, "protocol": protocol.PROTOCOL, "client": self._name}
        request = Request("hello", hello, None)
        stream = self._follow(request, None)
        timer = threading.Timer(self._timeout, lambda: request.deliver(None))
        timer.daemon = True
        timer.start()
        try:
            next(stream)
        except StopIteration as end:
            self.server = protocol.check_result("hello", end.value)
        except Lost:
            self._link = before
            link.close()
            raise StylebridgeError(
                Code.UNREACHABLE,
                f"The server at {address.endpoint} let this client in but was not ready within "
                f"{self._timeout:g} seconds: see its log.",
            ) from None
        except BaseException:
            self._link = before
            link.close()
            raise
        finally:
            timer.cancel()

    def _reopen(self, lost: Link | None) -> None:
        """Connects again after a link was lost, once for all threads that noticed."""
        until = time.monotonic() + RECONNECT_LIMIT
        with self._connecting:
            if lost:
                lost.close()
            while self._link is lost and not self._closed:
                try:
                    self._open()
                except StylebridgeError as error:
                    if error.code != Code.UNREACHABLE or time.monotonic() > until:
                        raise
                    time.sleep(0.2)


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    """The path as the server finds it, which works in another folder; "camera:0" and URLs as they are."""
    if path is None or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", os.fspath(path)):
        return None if path is None else os.fspath(path)
    return str(Path(path).absolute())


class _Finder:
    """Where the server is: the one named, else the user's running one, else one that is started."""

    def __init__(self, url: str | None, start: bool, timeout: float) -> None:
        self._url, self._start, self._timeout = url, start, timeout
        self._started: StartedServer | None = None

    def find(self) -> Address:
        if self._url:
            return launch.parse_url(self._url)
        self.stop()
        found = launch.find_server()
        if found:
            return found
        if not self._start:
            raise StylebridgeError(
                Code.UNREACHABLE, "No server is running: start one with `stylebridge serve`."
            )
        self._started = launch.start_server(timeout=self._timeout)
        return self._started.address

    @property
    def log(self) -> Path | None:
        """The log of the server that was started, None where none was."""
        return self._started.log if self._started else None

    def stop(self) -> None:
        """Ends the server that was started, if one was."""
        if self._started:
            self._started.stop()
            self._started = None
