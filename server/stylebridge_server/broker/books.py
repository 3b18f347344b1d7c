"""What was asked and what became of it: a line in the log for each request, and the sums for status and metrics."""

from __future__ import annotations

import itertools
import logging
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..worker.logs import event
from .sessions import Job, Session

log = logging.getLogger("stylebridge.requests")

#: Upper ends of the classes in which the seconds of requests are counted.
SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


@dataclass
class Account:
    """One request that is not answered yet."""

    begun: float = field(default_factory=time.monotonic)
    frames: int = 0
    taken: int = 0
    given: int = 0


class Spread:
    """How long requests took: how many in each class of `SECONDS`, the last for all beyond, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds


class Books:
    """Keeps account of requests.

    Attributes:
        outcomes: how many requests of each (op, outcome): "ok", an error's code, or "abandoned" where the client was
            gone.
        seconds: how long they took, by op.
        frames, taken, given: frames sent, bytes of pixels received and sent.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[str, Spread] = {}
        self.frames = self.taken = self.given = 0
        self._open: dict[int, Account] = {}
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """The number of a new request; none is given twice."""
        return next(self._numbers)

    def accept(self, job: Job) -> None:
        """A request was taken."""
        self._open[job.number] = Account()
        if job.whole:  # of frames and blobs, which are many, the end is enough
            frames = len(job.message.fields.get("frames") or ()) or None
            name, op = job.session.name, job.message.op
            event(log, "accepted", request=job.number, session=name, op=op, frames=frames)

    def join(self, job: Job, session: Session) -> None:
        """Another client asked for the same."""
        event(log, "joined", request=job.number, session=session.name, op=job.message.op)

    def take(self, job: Job, size: int) -> None:
        """A part of a pushed frame came, of so many bytes."""
        self.taken += size
        if job.number in self._open:
            self._open[job.number].taken += size

    def give(self, job: Job, size: int, last: bool) -> None:
        """A part of a frame, of so many bytes, the last one or not, went out."""
        self.given += size
        self.frames += last
        if job.number in self._open:
            self._open[job.number].given += size
            self._open[job.number].frames += last

    def finish(self, job: Job, op: str, fields: dict[str, Any] | None) -> None:
        """A request is over: by the event `op` ("result" or "error"), or "" where nobody was left to be told."""
        account = self._open.pop(job.number, None)
        if account is None:
            return
        seconds = time.monotonic() - account.begun
        failed = fields if op == "error" and fields else {}
        outcome = failed.get("code") or ("ok" if op else "abandoned")
        self.outcomes[job.message.op, outcome] += 1
        self.seconds.setdefault(job.message.op, Spread()).add(seconds)
        event(
            log,
            "finished",
            request=job.number,
            session=job.session.name,
            op=job.message.op,
            outcome=outcome,
            seconds=seconds,
            frames=account.frames or None,
            bytes_in=account.taken or None,
            bytes_out=account.given or None,
            attempts=job.attempt if job.attempt > 1 else None,
            why=failed.get("message") if outcome not in ("cancelled", "superseded") else None,
        )
