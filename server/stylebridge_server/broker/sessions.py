"""What the broker knows of its clients and of what they asked for."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stylebridge.protocol import Message
from stylebridge.requests import STREAMS

#: Sessions at once, and requests of one session that are not answered yet.
SESSIONS_LIMIT = 256
REQUESTS_LIMIT = 64
#: Frames and blobs that one session may be sending at once.
UPLOADS_LIMIT = 4
#: Batch requests that a worker has at once. One computes; the others are further streams, whose clients may
#: be slow to take what was made for them.
BATCH_LIMIT = 8


@dataclass(eq=False)
class Session:
    """One connection of a client, bound to the key that opened it.

    Attributes:
        routing: the socket's name for the connection.
        user: the client's public key, hexadecimal.
        name: what is said in the log.
        client: what the client calls itself.
        jobs: its unanswered requests by its own numbers.
    """

    routing: bytes
    user: str
    client: str
    owner: bool
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    jobs: dict[int, Job] = field(default_factory=dict)


@dataclass(eq=False)
class Job:
    """One request that the worker answers.

    Attributes:
        number: the broker's.
        message: the request, its `frames` shrinking as frames are delivered.
        attempt: how often it was begun.
        deaths: how many workers died computing it.
        sent: whether the worker has it.
        wanted: whether anybody still waits for it.
        whole: for a frame or blob, whether all its parts were passed on.
        ahead: of a frame or blob, bytes that were passed on and not taken yet.
        lost: of a frame or blob, whether a worker died with a part of it; to be sent again when there is another.
        before: of a stream, how many frames were delivered before the present attempt.
    """

    number: int
    session: Session
    message: Message
    attempt: int = 0
    deaths: int = 0
    sent: bool = False
    wanted: bool = True
    whole: bool = True
    before: int = 0
    ahead: int = 0
    lost: bool = False
    _delivered: int = 0

    def __post_init__(self) -> None:
        self._asked = len(self.message.fields.get("frames") or ())

    def begin(self) -> None:
        """The worker gets it, for the first time or again."""
        self.sent = True
        self.attempt += 1
        self.before = self._delivered

    @property
    def interactive(self) -> bool:
        """Whether somebody waits for one answer: all but an analysis and a stream of several frames."""
        op = self.message.op
        return op != "analyse" and (op not in STREAMS or len(self.message.fields["frames"]) <= 1)

    def delivered(self) -> None:
        """One whole frame went to the client; if the job is begun again, it need not be made."""
        del self.message.fields["frames"][:1]
        self._delivered += 1

    def progress(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What a worker that has only the rest says of it, said of the whole."""
        if self.message.op in STREAMS and fields["total"] == self._asked - self.before:
            return {**fields, "done": fields["done"] + self.before, "total": self._asked}
        return fields


class Queue:
    """The jobs that wait for a worker: interactive ones first, then first come, first served."""

    def __init__(self) -> None:
        self._interactive: deque[Job] = deque()
        self._batch: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._interactive) + len(self._batch)

    def __iter__(self) -> Iterator[Job]:
        yield from self._interactive
        yield from self._batch

    def put(self, job: Job, front: bool = False) -> None:
        """Adds a job, at the front where it was begun before."""
        line = self._interactive if job.interactive else self._batch
        line.appendleft(job) if front else line.append(job)

    def remove(self, job: Job) -> None:
        for line in (self._interactive, self._batch):
            if job in line:
                line.remove(job)

    def next(self, batch_running: int) -> Job | None:
        """The job to be sent to the worker now, None for none."""
        if self._interactive:
            return self._interactive.popleft()
        if self._batch and batch_running < BATCH_LIMIT:
            return self._batch.popleft()
        return None
