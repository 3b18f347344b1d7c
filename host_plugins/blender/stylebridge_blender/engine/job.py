"""A job: something long that a worker thread does for the user, which can be watched and cancelled."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from .._bridge.stylebridge.client import Client, Progress
from .._bridge.stylebridge.errors import Code, StylebridgeError
from . import server

T = TypeVar("T")

QUEUED, RUNNING, WAITING = "queued", "running", "waiting"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)

#: Seconds between looks whether a server that went away is back.
LOOK_EVERY = 0.5


class Job:
    """One job. The main thread reads its attributes at any time; only the worker changes them, but for `cancel`.

    Args:
        title: what the panel calls it.
        work: runs in a worker thread and must not touch bpy. What it returns goes to `finish`.
        finish: runs in the main thread afterwards; returns a sentence for the panel, or a generator of steps that
            does.
        uid: the strip that it is for.
        prepare: runs in the main thread before the work, in steps; what it returns becomes `order`.
        discard: called with the order where the job ends without being done.

    Attributes:
        order: what `prepare` returned.
        state: one of "queued", "running", "waiting" (for the server), "done", "failed", "cancelled".
        stage, done, total: how far it is.
        message: a sentence for people: why it waits or failed, or what came of it.
        code: of the error by which it failed.
    """

    def __init__(
        self,
        title: str,
        work: Callable[[Job], Any],
        finish: Callable[[Any], Any],
        uid: str = "",
        prepare: Callable[[], Generator[None, None, Any]] | None = None,
        discard: Callable[[Any], None] | None = None,
    ) -> None:
        self.title, self.work, self.finish, self.uid = title, work, finish, uid
        self.prepare, self._discard = prepare, discard
        self.order: Any = None
        self.state, self.stage, self.message, self.code = QUEUED, "", "", ""
        self.done = self.total = 0
        self.ended = threading.Event()
        self._cancelled = threading.Event()
        self._on_cancel: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._stage_began, self._stage_from = time.monotonic(), 0

    # What the worker calls.

    def step(self) -> None:
        """Raises where the job was cancelled."""
        if self._cancelled.is_set():
            raise StylebridgeError(Code.CANCELLED, f"{self.title} was cancelled.")

    def progress(self, done: int, total: int, stage: str) -> None:
        """Says how far the job is; raises as `step`."""
        self.step()
        if stage != self.stage:
            self._stage_began, self._stage_from = time.monotonic(), done
        self.done, self.total, self.stage = done, total, stage

    def report(self, progress: Progress) -> None:
        """The same for what the client reports."""
        self.progress(progress.done, progress.total, progress.stage)

    @contextlib.contextmanager
    def on_cancel(self, function: Callable[[], None]) -> Iterator[None]:
        """Has a function called, in the thread that cancels, where the job is cancelled meanwhile."""
        with self._lock:
            self._on_cancel.append(function)
        try:
            self.step()
            yield
        finally:
            with self._lock:
                self._on_cancel.remove(function)

    def asking(self, ask: Callable[[Client], T]) -> T:
        """What the server answers. Where the server goes away the job waits, says so, and asks again when it is
        back: `ask` must go on where it was.
        """
        may_start = True
        while True:
            self.step()
            try:
                client = server.client(start=may_start, step=self.step)
                may_start = False  # one that was stopped, or fell over, is not started behind anybody's back
                self.state, self.message = RUNNING, ""
                with self.on_cancel(client.cancel):
                    return ask(client)
            except StylebridgeError as error:
                self.step()
                if error.code != Code.UNREACHABLE or may_start:
                    raise
                server.lost(error.message)
                self.state = WAITING
                self.message = "The server is gone; this goes on when it is back. Start it again, or cancel."
                self._cancelled.wait(LOOK_EVERY)

    # What the main thread calls.

    def cancel(self) -> None:
        """Ends the job as soon as may be. From any thread; does not wait."""
        with self._lock:
            self._cancelled.set()
            functions = list(self._on_cancel)
        for function in functions:
            function()
        if self.state == QUEUED:
            self.end(CANCELLED, f"{self.title} was cancelled.")

    def end(self, state: str, message: str, code: str = "") -> None:
        """Ends the job, once. From any thread."""
        with self._lock:
            if self.ended.is_set():
                return
            self.state, self.message, self.code = state, message, code
            self.ended.set()
        if state != DONE and self.order is not None and self._discard is not None:
            self._discard(self.order)

    @property
    def part(self) -> float:
        """How much of the present stage is done, from 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Of the present stage, as far as that can be told."""
        made = self.done - self._stage_from
        if made < 1 or self.state != RUNNING:
            return None
        return (time.monotonic() - self._stage_began) / made * (self.total - self.done)

    def sentence(self) -> str:
        """How far it is, in words."""
        if self.state == QUEUED:
            return f"{self.title}: waits for the one before"
        if self.state != RUNNING:
            return self.message
        left = self.seconds_left
        words = f"{self.title}: {self.stage}" if self.stage else self.title
        if self.total:
            words += f" {self.done} of {self.total}"
        return words if left is None else f"{words}, {spoken(left)} left"


def spoken(seconds: float) -> str:
    """A time as people say it: "40 s", "3 min", "1 h 20 min"."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
