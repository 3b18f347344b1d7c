"""How a server is asked: connecting, waiting for answers, and asking again after it died or forgot.

Requests are pure functions of what they name, so asking again is safe: nothing comes twice, nothing is missing.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from . import __version__, protocol
from .errors import Code, StylebridgeError
from .finder import Finder
from .keys import client_key
from .link import Link
from .passage import Loan, Passage
from .pixels import PART_BYTES, Bytes, Picture
from .requests import STREAMS, Lost, Progress, Request

OnProgress = Callable[[Progress], None]
#: Gives the messages of a request that is sent in parts, from the first one: the fields and the bytes of each.
Parts = Callable[[], Iterable["tuple[dict[str, Any], Bytes]"]]
#: Gives the server what it answered that it lacks, told whether pictures came in this attempt; whether it could. It
#: must not say so for ever.
Supply = Callable[[StylebridgeError, bool], bool]

#: Bytes of one upload on their way to a server on this machine, in place of the protocol's window: more would only keep
#: the cores busy that both sides share, and small requests waiting.
UPLOAD_NEAR = PART_BYTES
#: Seconds without a sign of life after which a server counts as gone. It pings every few seconds.
SILENCE_LIMIT = 30.0
#: How often one request is made again after the server died or forgot what it knew.
RETRIES = 3
#: Seconds in which a server that went away must be back.
RECONNECT_LIMIT = 15.0
#: Seconds in which a server says whether it shares memory.
SHARE_LIMIT = 5.0
#: Seconds between looks at whether a waiting call was cancelled or its server fell silent.
_TICK = 0.5
#: Seconds of sleep after each part that is sent, in which the link's thread sends it: Python would let this one run
#: on for longer than several parts take.
_YIELD = 1e-6


class Connection:
    """One server, as long as it can be reached or found again. Any thread may ask.

    Args:
        finder: says where the server is.
        name: what this client is, for the server's log.
        timeout: seconds until the server must be ready.
        share: whether pixels may travel through shared memory.
        patience: seconds in which a server that went away must be back, before whoever waits is told; None for
            `RECONNECT_LIMIT`.

    Attributes:
        server: what it said of itself: "version", "protocol", "fingerprint", "pid", "session"; and "pixels": how
            they travel, "shared memory" or "messages" (which they do until some were asked for).
    """

    def __init__(
        self,
        finder: Finder,
        name: str,
        timeout: float,
        share: bool = True,
        patience: float | None = None,
    ) -> None:
        self.server: dict[str, Any] = {}
        self._patience = patience
        self._finder, self._name, self._timeout = finder, name, timeout
        self._numbers = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._lock = threading.Lock()  # guards _requests
        self._connecting = threading.Lock()
        self._link: Link | None = None
        self._passage = Passage(self._tell, share)
        self._ahead = protocol.UPLOAD_WINDOW  # bytes that an upload may be ahead of the server
        self._closed = False
        self._cancels = 0

    def close(self) -> None:
        """Says goodbye, and ends the server where it was started for this connection."""
        if self._closed:
            return
        self._closed = True
        self.cancel()  # who still waits would wait for ever
        if self._link:
            self._send("bye", next(self._numbers), {})
            self._link.close()
        self._passage.drop()
        self._finder.stop()

    def cancel(self) -> None:
        """Cancels whatever is waited for, from another thread."""
        with self._lock:
            requests = list(self._requests.values())
            self._cancels += 1  # for those that are just being asked again
        for request in requests:
            self._send("cancel", next(self._numbers), {"of": request.number})
            request.cancel()

    def call(
        self,
        op: str,
        fields: dict[str, Any],
        progress: OnProgress | None = None,
        parts: Parts | None = None,
        supply: Supply | None = None,
    ) -> dict[str, Any]:
        """The result of a request that answers no pictures; see `stream`."""
        stream = self.stream(op, fields, progress, parts, supply)
        while True:
            try:
                next(stream)
            except StopIteration as end:
                return protocol.check_result(op, end.value)

    def stream(
        self,
        op: str,
        fields: dict[str, Any],
        progress: OnProgress | None = None,
        parts: Parts | None = None,
        supply: Supply | None = None,
    ) -> Generator[Picture, None, dict[str, Any]]:
        """The pictures that a request answers, and then its result. Asks again while the server is lost, or
        lacks what `supply` can give it.
        """
        request, cancels = Request(op, fields, progress), self._cancels
        losses = 0  # without a picture in between
        while True:
            link = self._link
            try:
                return (yield from self._follow(request, parts))
            except Lost:
                if self._cancels != cancels:
                    raise StylebridgeError(Code.CANCELLED, f'"{op}" was cancelled.') from None
                losses = 1 if request.frames else losses + 1
                if losses > RETRIES:
                    raise StylebridgeError(
                        Code.UNREACHABLE,
                        f'The server went away {losses} times during "{op}": see its log, or start it '
                        "again with `stylebridge serve`.",
                    ) from None
                self._reopen(link)
            except StylebridgeError as error:
                if error.code in (Code.INTERNAL, Code.POISONED) and self._finder.log:
                    error.message += f" The log is {self._finder.log}."
                    error.args = (error.message,)
                if error.code != Code.NEED or not (supply and supply(error, request.frames > 0)):
                    raise
                if self._cancels != cancels:
                    raise StylebridgeError(Code.CANCELLED, f'"{op}" was cancelled.') from None

    def _follow(
        self, request: Request, parts: Parts | None, link: Link | None = None
    ) -> Generator[Picture, None, dict[str, Any]]:
        """Asks once, by the present link where no other is named."""
        if parts or request.op in STREAMS:
            self._share()
        number, link = next(self._numbers), link or self._link
        if link is None:
            raise Lost
        request.begin(number)
        with self._lock:
            self._requests[number] = request
        try:
            if parts is None:
                link.send(protocol.encode(request.op, number, request.fields))
            sent, upload = 0, iter(parts() if parts else ())
            piece = next(upload, None)
            while True:
                while piece and link is self._link:  # the passage is that of the present link
                    more, payload = piece
                    way = self._passage.send(payload, sent - request.taken < self._ahead)
                    if way is None:
                        break
                    place, inside = way
                    link.send(
                        protocol.encode(request.op, number, {**request.fields, **more, **place}, inside)
                    )
                    sent += 0 if inside is None else memoryview(inside).nbytes
                    piece = next(upload, None)
                    time.sleep(_YIELD)
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
            self._passage.give(request.leave())
            if not request.finished:  # closed, interrupted, or lost
                link.send(protocol.encode("cancel", next(self._numbers), {"of": number}))

    def _share(self) -> None:
        """Offers the server shared memory for pixels, where that was not done yet."""
        self._passage.offer(self._ask_to_share)
        self.server["pixels"] = self._passage.way

    def _ask_to_share(self, fields: dict[str, Any]) -> dict[str, Any]:
        request = Request("share", fields, None)
        with _after(SHARE_LIMIT, lambda: request.fail(Code.UNREACHABLE, "The server does not answer.")):
            return self._answer(request)

    def _answer(self, request: Request, link: Link | None = None) -> dict[str, Any]:
        """The result of a request that is asked once, and answers no pictures."""
        try:
            next(self._follow(request, None, link))
        except StopIteration as end:
            return protocol.check_result(request.op, end.value)
        raise AssertionError(f"{request.op} answers no pictures")

    def _credit(self, number: int, attempt: int, size: int, loans: list[Loan]) -> None:
        self._passage.give(loans)  # before the credit, which lets the server fill them again
        self._tell("credit", {"of": number, "attempt": attempt, "bytes": size})

    def _tell(self, op: str, fields: dict[str, Any]) -> None:
        self._send(op, next(self._numbers), fields)

    def _send(self, op: str, number: int, fields: dict[str, Any]) -> None:
        if self._link:
            self._link.send(protocol.encode(op, number, fields))

    def _receive(self, parts: list[Bytes]) -> None:
        """In the link's thread: hands an event to its request."""
        try:
            message = self._passage.receive(protocol.decode(parts, protocol.EVENTS))
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
            # An error of no request is one that the server, or this side, could not even read. What comes of shared
            # memory wakes those who wait for some of it.
            everyone = message.id == 0 and message.op in ("error", "free", "unshare")
            requests = list(self._requests.values()) if everyone else [self._requests.get(message.id)]
            for request in requests:
                if request:
                    request.deliver(message)
        if requests == [None] and message.fields.get("loan"):  # it was cancelled
            self._passage.give([message.fields["loan"]])

    def _lost(self) -> None:
        """In the link's thread: the server is gone."""
        with self._lock:
            requests = list(self._requests.values())
        for request in requests:
            request.deliver(None)

    def open(self) -> None:
        """Connects and says hello.

        Raises:
            StylebridgeError: `UNREACHABLE`, `DENIED`, `VERSION` or `MISSING_EXTRA`, with what to do.
        """
        address = self._finder.find()
        near = re.match(r"tcp://(127\.|localhost:|\[::1\])", address.endpoint)
        self._ahead = UPLOAD_NEAR if near else protocol.UPLOAD_WINDOW
        link = Link(address.endpoint, address.key, client_key(), self._receive, self._lost)
        link.open(min(self._timeout, 10.0))
        hello = {"version": __version__, "protocol": protocol.PROTOCOL, "client": self._name}
        request = Request("hello", hello, None)
        try:
            with _after(self._timeout, lambda: request.deliver(None)):
                value = self._answer(request, link)
        except Lost:
            link.close()
            raise StylebridgeError(
                Code.UNREACHABLE,
                f"The server at {address.endpoint} let this client in but was not ready within "
                f"{self._timeout:g} seconds: see its log.",
            ) from None
        except BaseException:
            link.close()
            raise
        self._passage.drop()
        self.server = {**value, "pixels": self._passage.way}
        self._link = link  # not before: other threads must not ask a server that was not greeted

    def _reopen(self, lost: Link | None) -> None:
        """Connects again after a link was lost, once for all threads that noticed."""
        until = time.monotonic() + (RECONNECT_LIMIT if self._patience is None else self._patience)
        with self._connecting:
            if lost:
                lost.close()
            while self._link is lost and not self._closed:
                try:
                    self.open()
                except StylebridgeError as error:
                    if error.code != Code.UNREACHABLE or time.monotonic() > until:
                        raise
                    time.sleep(0.2)


@contextlib.contextmanager
def _after(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """Does something where what is inside takes longer."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
