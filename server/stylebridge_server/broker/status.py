"""What the server says of itself: state of broker and worker, and the worker's counters."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from stylebridge import __version__
from stylebridge.protocol import PROTOCOL

from .sessions import Session
from .work import Work

#: Seconds that a `status` waits for the worker's part of the answer.
STATUS_WAIT = 2.0


class Status:
    """Answers `status`, with the worker's part where that comes in time.

    Args:
        work: the requests and the worker.
        clients: how many there are.
        answer: sends a session the value, under the number of its request.
    """

    def __init__(
        self,
        work: Work,
        clients: Callable[[], int],
        answer: Callable[[Session, int, dict[str, Any]], None],
    ) -> None:
        self._work, self._clients, self._answer = work, clients, answer
        self._begun = time.monotonic()
        self._waiting: list[tuple[float, Session, int]] = []

    def ask(self, session: Session, number: int) -> None:
        """Somebody wants to know."""
        self._waiting.append((time.monotonic() + STATUS_WAIT, session, number))
        worker = self._work.ready
        if worker:
            worker.send("status", 0, {})
        else:
            self.tell(None)

    def tick(self) -> None:
        """Answers those who have waited long enough: called several times a second."""
        if self._waiting and time.monotonic() > self._waiting[0][0]:
            self.tell(None)

    def tell(self, counters: dict[str, Any] | None) -> None:
        """Answers all who asked; the worker's counters are None where it did not say them in time."""
        waiting, self._waiting = self._waiting, []
        value = self.value(counters)
        for _, session, asked in waiting:
            self._answer(session, asked, value)

    def value(self, counters: dict[str, Any] | None) -> dict[str, Any]:
        """The answer, as plain data."""
        work = self._work
        state = "failed" if work.failure else "starting" if not work.ready else "ready"
        if state == "ready" and counters is None:
            state = "busy"
        return {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._begun,
            "fingerprint": work.fingerprint,
            "clients": self._clients(),
            "running": len(work.running),
            "waiting": len(work.waiting),
            "sharing": work.sharing.state,
            "worker": {
                "state": state,
                "pid": work.worker.pid if work.worker else 0,
                "restarts": work.restarts,
                "failure": work.failure.message if work.failure else None,
            },
            "counters": counters,
        }
