"""What a handler is given: progress, frames, cancelling, and whose request it is."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import read_array, split
from stylebridge.protocol import WINDOW, Message, cost
from stylebridge_server import steps
from stylebridge_server.shot.store import Store

from .baton import Baton
from .credit import Credit
from .inputs import Files, files_of
from .ledger import Pen
from .sharing import Sharing
from .turns import Claim

#: Seconds between two progress events of a job.
PROGRESS_EVERY = 0.1

#: Sends an event: op, job, fields, payload.
Send = Callable[..., None]
#: Does a request: gets its context and fields, returns plain data. Raises `StylebridgeError`, which the
#: client sees.
Handler = Callable[["Context", dict[str, Any]], "dict[str, Any] | None"]


class Context:
    """One job, as its handler sees it.

    Only one handler computes at a time. In `frame` and `progress` another may get its turn (see `turns`), so a
    handler leaves what it shares with others (caches) whole when it calls them; `check_cancelled` never changes
    turns.

    Attributes:
        session: the client's session, for logs.
        owner: whether the client is the server's own user.
        interactive: whether somebody waits for one answer, so that nothing but this should be computed.
        store: the blobs that clients put.
    """

    def __init__(
        self,
        run: Message,
        send: Send,
        baton: Baton,
        pen: Pen,
        roots: tuple[Path, ...],
        store: Store,
        sharing: Sharing,
    ) -> None:
        named = run.fields
        self.number = run.id
        self.session: str = named["session"]
        self.owner: bool = named["owner"]
        self.interactive: bool = named["interactive"]
        self.attempt: int = named["attempt"]
        self._claim = Claim(self.number, named["user"], self.session, self.interactive)
        self.credit = Credit(named["fields"].get("window") or WINDOW)
        self.store = store
        self._fields = named["fields"]
        self._send, self._sharing, self._baton, self._pen, self._roots = send, sharing, baton, pen, roots
        self._cancelled = threading.Event()
        self._begun = time.monotonic()
        self._first = 0
        self._holding = False
        self._said: tuple[float, str] = (0.0, "")

    def progress(self, done: int, total: int, stage: str) -> None:
        """Tells the client how far the present stage is. Cheap enough to be called for every frame.

        Raises:
            StylebridgeError: `CANCELLED`.
        """
        self.check_cancelled()
        now = time.monotonic()
        if stage != self._said[1]:
            self._begun, self._first = now, done
        if done >= total or stage != self._said[1] or now - self._said[0] >= PROGRESS_EVERY:
            fps = (done - self._first) / (now - self._begun) if now > self._begun else 0.0
            self._send(
                "progress", self.number, {"done": done, "total": total, "stage": stage, "fps": max(fps, 0.0)}
            )
            self._said = now, stage
        self._step_aside()

    def check_cancelled(self) -> None:
        """Returns at once, unless nobody wants the result any more. It says, too, that the job goes on: a job that
        neither calls this nor `progress` or `frame` for minutes counts as hung. `steps.step` calls it.

        Raises:
            StylebridgeError: `CANCELLED`.
        """
        if self._holding:
            self._pen.step()
        if self._cancelled.is_set():
            raise _cancelled()

    def frame(
        self, number: int, pixels: Any, extra: Mapping[str, Any] | None = None, more: bool = False
    ) -> None:
        """Sends one picture, when the client has taken enough of the ones before it.

        Args:
            number: the source's own frame number. Frames are sent in the order in which they were asked for.
            pixels: (H, W), or (H, W, 1 to 4), uint8, uint16, float16 or float32; copied.
            extra: plain data that goes with it. Several pictures of one frame differ in its "layer".
            more: whether another picture of the same frame follows. The frame is sent when none does.

        Raises:
            StylebridgeError: `CANCELLED`; `BAD_VALUE` where it is no picture.
        """
        layout, data = read_array(pixels)
        fields = {
            "number": number,
            **layout.header(),
            "attempt": self.attempt,
            "extra": dict(extra or {}),
            **({"more": True} if more else {}),
        }
        for offset, part in split(data):
            size = cost(part)
            if not self.credit.spend(size, self._cancelled.is_set, wait=False):
                self._pause(partial(self.credit.spend, size, self._cancelled.is_set, wait=True))
            self.check_cancelled()
            place, payload = self._sharing.write(self.session, part)
            self._send("frame", self.number, {**fields, "offset": offset, **place}, payload)
        self._step_aside()

    @functools.cached_property
    def files(self) -> Files:
        """The files that came with the request.

        Raises:
            StylebridgeError: need, where their list is a blob that is not here.
        """
        return files_of(self._fields, self.store)

    def file(self, path: str) -> Path:
        """The file of an input that the request names by a path: the one that came with the request, else the one of
        this machine, where this request's client may have it read.

        Raises:
            StylebridgeError: need, with details {"files": [hash]}; denied.
        """
        sent = self.files.get(path)
        return self.store.path(sent.hash) if sent else self.readable(path)

    def readable(self, path: str | Path) -> Path:
        """The path, where this request's client may have it read: the owner everything, others what lies in
        the folders that the server was given.

        Raises:
            StylebridgeError: `DENIED`; `BAD_VALUE` where it is no path.
        """
        if "\0" in str(path):
            raise StylebridgeError(Code.BAD_VALUE, "A path holds a zero byte, which no file name can.")
        real = Path(os.path.realpath(path))
        if not self.owner and not any(real.is_relative_to(root) for root in self._roots):
            raise StylebridgeError(
                Code.DENIED,
                f"{path} lies outside the folders that this server shows to other users: ask its owner for "
                "`stylebridge serve --root FOLDER`.",
            )
        return real

    def cancel(self) -> None:
        """Nobody wants the result any more. From any thread."""
        self._cancelled.set()
        self.credit.wake()
        self._baton.withdraw(self._claim)

    def run(self, handler: Handler, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Runs the handler when its turn has come, in the calling thread."""
        try:
            self._resume()
            self.check_cancelled()
            with steps.heard(self.check_cancelled):
                return handler(self, fields)
        finally:
            self._let_go()

    def _step_aside(self) -> None:
        if self._baton.due():
            self._pen.note(0)
            self._began(self._baton.lend())

    def _pause(self, meanwhile: Callable[[], object]) -> None:
        """Lets other jobs compute."""
        self._let_go()
        meanwhile()
        self._resume()

    def _resume(self) -> None:
        self._began(not self._cancelled.is_set() and self._baton.take(self._claim))

    def _began(self, holding: bool) -> None:
        self._holding = holding
        if not holding:  # it was cancelled: what is left of the handler only clears away
            raise _cancelled()
        self._pen.note(self.number)

    def _let_go(self) -> None:
        if self._holding:
            self._holding = False
            self._pen.note(0)
            self._baton.give()


def _cancelled() -> StylebridgeError:
    return StylebridgeError(Code.CANCELLED, "The request was cancelled.")
