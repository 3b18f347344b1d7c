"""What the server says of itself: state of broker and worker, and the worker's counters."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from typing import Any

from stylebridge import __version__
from stylebridge.protocol import PROTOCOL

from .sessions import Session
from .work import Work

#: Seconds that a `status` waits for the worker's part of the answer.
STATUS_WAIT = 2.0
#: Seconds between two looks at what is published.
PUBLISH_EVERY = 1.0
#: What of the worker's counters other users are told.
FOR_ALL = ("fingerprint", "frames", "network")


class Status:
    """Answers `status`, with the worker's part where that comes in time.

    Args:
        work: the requests and the worker.
        sessions: those of the clients that are there.
        answer: sends a session the value, under the number of its request.
    """

    def __init__(
        self,
        work: Work,
        sessions: Callable[[], Collection[Session]],
        answer: Callable[[Session, int, dict[str, Any]], None],
    ) -> None:
        self._work, self._sessions, self._answer = work, sessions, answer
        self._begun = time.monotonic()
        self._waiting: list[tuple[float, Session, int]] = []
        self._publish: Callable[[dict[str, Any]], None] | None = None
        self._published = 0.0
        self._counters: dict[str, Any] | None = None

    def publish(self, show: Callable[[dict[str, Any]], None]) -> None:
        """From now on has `show` called every second with what the owner would be answered."""
        self._publish = show

    def ask(self, session: Session, number: int) -> None:
        """Somebody wants to know."""
        self._waiting.append((time.monotonic() + STATUS_WAIT, session, number))
        worker = self._work.ready
        if worker:
            worker.send("status", 0, {})
        else:
            self.tell(None)

    def asked(self, session: Session) -> int:
        """How often a session waits for an answer."""
        return sum(one is session for _, one, _ in self._waiting)

    def drop(self, session: Session) -> None:
        """Nobody is left to be answered."""
        self._waiting = [one for one in self._waiting if one[1] is not session]

    def tick(self) -> None:
        """Answers those who have waited long enough: called several times a second."""
        now = time.monotonic()
        if self._waiting and now > self._waiting[0][0]:
            self.tell(None)
        if self._publish and now - self._published > PUBLISH_EVERY:
            self._published = now
            worker = self._work.ready
            if worker:
                worker.send("status", 0, {})  # for the next time
            self._publish(self.value(self._counters if worker else None, owner=True))

    def tell(self, counters: dict[str, Any] | None) -> None:
        """Answers all who asked; the worker's counters are None where it did not say them in time."""
        self._counters = counters
        waiting, self._waiting = self._waiting, []
        for _, session, asked in waiting:
            self._answer(session, asked, self.value(counters, session.owner))

    def value(self, counters: dict[str, Any] | None, owner: bool) -> dict[str, Any]:
        """The answer, as plain data.

        Args:
            counters: of the worker, None where it does not say them now.
            owner: whether it is for the server's own user; others learn nothing of processes, versions of
                libraries, paths and other clients.
        """
        work = self._work
        state = "failed" if work.failure else "starting" if not work.ready else "ready"
        if state == "ready" and counters is None:
            state = "busy"
        books, sessions = work.books, self._sessions()
        value: dict[str, Any] = {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._begun,
            "fingerprint": work.fingerprint,
            "clients": len(sessions),
            "running": len(work.running),
            "waiting": len(work.waiting),
            "sharing": work.sharing.state,
            "worker": {
                "state": state,
                "pid": work.worker.pid if work.worker else 0,
                "restarts": work.restarts,
                "failure": work.failure.message if work.failure else None,
            },
            "requests": {
                "frames": books.frames,
                "bytes_in": books.taken,
                "bytes_out": books.given,
                "outcomes": [[op, outcome, count] for (op, outcome), count in sorted(books.outcomes.items())],
            },
            "counters": counters,
        }
        if owner:
            now = time.monotonic()
            value["sessions"] = [
                {
                    "name": one.name,
                    "client": one.client,
                    "owner": one.owner,
                    "seconds": now - one.begun,
                    "requests": len(one.jobs),
                }
                for one in sessions
            ]
            return value
        value["pid"] = value["worker"]["pid"] = 0
        value["worker"]["failure"] = work.failure and "see the server's log"
        value["counters"] = counters and {name: counters[name] for name in FOR_ALL if name in counters}
        return value
