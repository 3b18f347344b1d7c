"""What the server says of itself: state of broker and workers, and the workers' counters."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from typing import Any

from stylebridge import __version__
from stylebridge.protocol import PROTOCOL

from .crew import Crew
from .sessions import Session
from .work import Work

#: Seconds that a `status` waits for the workers' part of the answer.
STATUS_WAIT = 2.0
#: Seconds between two looks at what is published.
PUBLISH_EVERY = 1.0
#: What of a worker's counters other users are told.
FOR_ALL = ("fingerprint", "frames", "network")


class Status:
    """Answers `status`, with the part of each worker where that comes in time.

    Args:
        crew: the requests and the workers.
        sessions: those of the clients that are there.
        answer: sends a session the value, under the number of its request.
    """

    def __init__(
        self,
        crew: Crew,
        sessions: Callable[[], Collection[Session]],
        answer: Callable[[Session, int, dict[str, Any]], None],
    ) -> None:
        self._crew, self._sessions, self._answer = crew, sessions, answer
        self._begun = time.monotonic()
        self._waiting: list[tuple[float, Session, int]] = []
        self._publish: Callable[[dict[str, Any]], None] | None = None
        self._published = 0.0
        self._counters: dict[Work, dict[str, Any]] = {}  # what each worker said last
        self._silent: set[Work] = set()  # whose workers were asked and have not answered

    def publish(self, show: Callable[[dict[str, Any]], None]) -> None:
        """From now on has `show` called every second with what the owner would be answered."""
        self._publish = show

    def ask(self, session: Session, number: int) -> None:
        """Somebody wants to know."""
        self._waiting.append((time.monotonic() + STATUS_WAIT, session, number))
        self._silent |= self._ask_workers()
        self._tell()

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
            for work in self._silent:
                self._counters.pop(work, None)
            self._silent.clear()
            self._tell()
        if self._publish and now - self._published > PUBLISH_EVERY:
            self._published = now
            self._ask_workers()  # for the next time
            self._publish(self.value(owner=True))

    def heard(self, work: Work, counters: dict[str, Any]) -> None:
        """A worker says its counters."""
        self._counters[work] = counters
        self._silent.discard(work)
        self._tell()

    def _ask_workers(self) -> set[Work]:
        """Asks the workers that are ready, and says which."""
        asked = set()
        for work in self._crew.works:
            if worker := work.ready:
                worker.send("status", 0, {})
                asked.add(work)
        return asked

    def _tell(self) -> None:
        """Answers all who asked, once no answer of a worker is waited for."""
        if self._silent:
            return
        waiting, self._waiting = self._waiting, []
        for _, session, asked in waiting:
            self._answer(session, asked, self.value(session.owner))

    def value(self, owner: bool) -> dict[str, Any]:
        """The answer, as plain data.

        Args:
            owner: whether it is for the server's own user; others learn nothing of processes, versions of
                libraries, paths and other clients.
        """
        crew, books, sessions = self._crew, self._crew.books, self._sessions()
        value: dict[str, Any] = {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._begun,
            "fingerprint": crew.first.kind,
            "clients": len(sessions),
            "running": crew.running,
            "waiting": crew.waiting,
            "workers": [self._worker(work, owner) for work in crew.works],
            "requests": {
                "frames": books.frames,
                "bytes_in": books.taken,
                "bytes_out": books.given,
                "outcomes": [[op, outcome, count] for (op, outcome), count in sorted(books.outcomes.items())],
            },
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
                    "worker": crew.works.index(crew.of(one)),
                }
                for one in sessions
            ]
        else:
            value["pid"] = 0
        return value

    def _worker(self, work: Work, owner: bool) -> dict[str, Any]:
        """Of one worker. Its counters are None where it did not say them in time."""
        counters = self._counters.get(work) if work.ready else None
        state = "failed" if work.failure else "starting" if not work.ready else "ready"
        if state == "ready" and counters is None:
            state = "busy"
        value: dict[str, Any] = {
            "state": state,
            "device": work.device,
            "fingerprint": work.kind,
            "pid": work.worker.pid if work.worker else 0,
            "restarts": work.restarts,
            "failure": work.failure.message if work.failure else None,
            "running": len(work.running),
            "waiting": len(work.waiting),
            "sharing": work.sharing.state,
            "counters": counters,
        }
        if owner:
            return value
        return {
            **value,
            "device": "",
            "pid": 0,
            "failure": work.failure and "see the server's log",
            "counters": counters and {name: counters[name] for name in FOR_ALL if name in counters},
        }
