"""What the broker knows of its clients and of what they asked for."""

from __future__ import annotations

import functools
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import msgpack

from stylebridge.protocol import Message
from stylebridge.requests import STREAMS

#: Sessions at once, and requests of one session that are not answered yet.
SESSIONS_LIMIT = 256
REQUESTS_LIMIT = 64
#: Questions that the broker answers by itself (`hello`, `status`), of one session, not answered yet.
QUESTIONS_LIMIT = 16
#: Frames and blobs that one session may be sending at once.
UPLOADS_LIMIT = 4
#: Requests of which equal ones are answered by one job.
SHARED = ("analyse", "describe")


@dataclass(eq=False)
class Session:
    """One connection of a client, bound to the key that opened it.

    Attributes:
        routing: the socket's name for the connection.
        user: the client's public key, hexadecimal.
        name: what is said in the log.
        client: what the client calls itself.
        jobs: its unanswered requests by its own numbers.
        begun: when it said hello (`time.monotonic`).
        weights: of its unanswered requests, bytes of the envelope, bytes that may be sent ahead, and memory that
            an upload may come to take; see `limits`.
    """

    routing: bytes
    user: str
    client: str
    owner: bool
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    jobs: dict[int, Job] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    weights: dict[int, tuple[int, int, int]] = field(default_factory=dict)


@dataclass(eq=False)
class Job:
    """One request that the worker answers.

    Attributes:
        number: the broker's.
        session: who asked for it first: on whose account it is computed.
        message: the request, its `frames` shrinking as frames are delivered.
        asked: all who wait for its answer: sessions, and their numbers of the request.
        attempt: how often it was begun.
        deaths: how many workers died computing it.
        sent: whether the worker has it.
        wanted: whether anybody still waits for it.
        whole: for a frame or blob, whether all its parts were passed on.
        ahead: of a frame or blob, bytes that were passed on and not taken yet.
        moved: of a frame or blob, when a part of it last came or was taken (`time.monotonic`).
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
    moved: float = field(default_factory=time.monotonic)
    lost: bool = False
    asked: list[tuple[Session, int]] = field(init=False)
    _delivered: int = 0

    def __post_init__(self) -> None:
        self.asked = [(self.session, self.message.id)]
        self._total = len(self.message.fields.get("frames") or ())

    def begin(self) -> None:
        """The worker gets it, for the first time or again."""
        self.sent = True
        self.attempt += 1
        self.before = self._delivered

    @property
    def interactive(self) -> bool:
        """Whether somebody waits for one answer: all but an analysis and a stream of several frames."""
        op = self.message.op
        return op != "analyse" and (op not in STREAMS or self._total <= 1)

    @functools.cached_property
    def likeness(self) -> tuple[str, str, bytes] | None:
        """What equal requests of clients with equal rights have in common; None for those that are never shared.

        Streams are paced by each client's own credit. They share what they compute in the worker's caches.
        """
        if self.message.op not in SHARED:
            return None
        rights = "" if self.session.owner else self.session.user
        return self.message.op, rights, msgpack.packb(self.message.fields)

    def delivered(self) -> None:
        """One whole frame went to the client; if the job is begun again, it need not be made."""
        del self.message.fields["frames"][:1]
        self._delivered += 1

    def progress(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What a worker that has only the rest says of it, said of the whole."""
        if self.message.op in STREAMS and fields["total"] == self._total - self.before:
            return {**fields, "done": fields["done"] + self.before, "total": self._total}
        return fields
