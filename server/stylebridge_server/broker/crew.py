"""Several devices, a worker for each: who works for whom.

Each device has its own `Work`, which knows nothing of the others. A session has one of them for everything, so shots,
uploads, shared memory, equal requests and fair turns are as with one device. It is chosen when the session opens its
first shot: the one that has the same source open already, and so what was made of it, else the one that has least to
do.

Devices of another fingerprint make other pixels. Sessions get the fingerprint of the first device in the list that can
be had, so that what several of them make fits together; devices of another one only step in where none of those is
left, for sessions that begin then. Nobody's session changes its fingerprint.
"""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgpack

from stylebridge.protocol import Message

from .books import Books
from .sessions import Session
from .sharing import Emit
from .supervisor import WorkerProcess
from .work import Work

#: Sources of one session that are remembered; a worker keeps as many shots of a session open.
SOURCES = 64


def devices_of(words: Iterable[str]) -> tuple[str, ...]:
    """The devices that are named, several in one word between commas; where none is, those of STYLEBRIDGE_DEVICE, or
    the processor.
    """
    named = [one.strip() for word in words for one in word.split(",") if one.strip()]
    if named:
        return tuple(named)
    return devices_of([os.environ.get("STYLEBRIDGE_DEVICE", "").strip(" ,") or "cpu"])


class Crew:
    """One `Work` for each device, and which of them each session has.

    Args:
        devices: their names, at least one.
        start_worker: starts a worker process for a device.
        emit: sends a client an event.
        on_change: called when a worker is ready, and when none can be had.
        on_status: called with a worker's counters, when they were asked for.

    Attributes:
        works: in the order of the devices.
        books: what was asked and what became of it, of all.
    """

    def __init__(
        self,
        devices: Collection[str],
        start_worker: Callable[[str], WorkerProcess],
        emit: Emit,
        on_change: Callable[[], None],
        on_status: Callable[[Work, dict[str, Any]], None],
    ) -> None:
        self._on_change = on_change
        self.books = Books()
        self._chosen: dict[Session, Work] = {}
        self._sources: dict[Session, deque[bytes]] = {}  # of those that have opened a shot
        self.works: list[Work] = []
        for device in devices:
            start = functools.partial(start_worker, device)
            self.works.append(Work(start, emit, self._changed, on_status, self.books, device))

    # Which work a session has.

    @property
    def first(self) -> Work:
        """The first one that can be had; whose fingerprint new sessions get. Where none can, the first one."""
        return next((work for work in self.works if not work.failure), self.works[0])

    def of(self, session: Session) -> Work:
        """The one that a session has."""
        work = self._chosen.get(session)
        if work is None:
            first = self.first
            work = self._chosen[session] = self._least(self._alike(first)) or first
        return work

    def accept(self, session: Session, message: Message) -> None:
        """Takes a request, or one more part of a frame or blob; raises as `Work.accept`."""
        if message.op == "open_shot" and len(self.works) > 1:
            self._settle(session, message)
        self.of(session).accept(session, message)

    def drop(self, session: Session) -> None:
        """Lets go of all that a session asked for, which is not there to be answered."""
        self.of(session).drop(session)
        self._chosen.pop(session, None)
        self._sources.pop(session, None)

    def _settle(self, session: Session, message: Message) -> None:
        """Chooses for good when the first shot is opened. What is under way, or shares memory, stays where it is."""
        source = _source(message)
        work = self.of(session)
        if session not in self._sources and not session.jobs and not work.sharing.has(session):
            alike = self._alike(work)
            known = {self.of(one) for one, sources in self._sources.items() if source in sources}
            self._chosen[session] = self._least([one for one in alike if one in known] or alike) or work
        self._sources.setdefault(session, deque(maxlen=SOURCES)).append(source)

    def _alike(self, work: Work) -> list[Work]:
        """Those that can be had and make the same pixels as one, which is among them if it can be had."""
        return [
            one
            for one in self.works
            if not one.failure and (one is work or (work.kind and one.kind == work.kind))
        ]

    def _least(self, works: list[Work]) -> Work | None:
        """The one that has least to do; those that take requests now go before those that are being started."""
        settled = [self.of(session) for session in self._sources]

        def load(work: Work) -> tuple[bool, int, int]:
            return not work.ready, len(work.running) + len(work.waiting), settled.count(work)

        return min(works, key=load, default=None)

    def _changed(self, work: Work) -> None:
        """A worker is ready, or none can be had for a device: then its sessions go to another of its kind."""
        # Sessions of a worker that never said its fingerprint were told none: any device will do for them.
        heir = self._least(self._alike(work)) if work.kind else self.first
        if work.failure and heir and not heir.failure:
            for session in [one for one, has in self._chosen.items() if has is work]:
                self._chosen[session] = heir
            work.hand_over(heir)
        self._on_change()

    # All together.

    @property
    def busy(self) -> bool:
        """Whether anything is asked and not answered."""
        return any(work.busy for work in self.works)

    @property
    def used(self) -> float:
        """When a worker was last heard of (`time.monotonic`)."""
        return max(work.used for work in self.works)

    @property
    def running(self) -> int:
        """How many jobs the workers have."""
        return sum(len(work.running) for work in self.works)

    @property
    def waiting(self) -> int:
        """How many jobs no worker has yet."""
        return sum(len(work.waiting) for work in self.works)

    @property
    def worker_keys(self) -> set[bytes]:
        """The keys that the workers' sockets let in."""
        return {work.worker.key for work in self.works if work.worker}

    def tick(self) -> None:
        """Looks after the workers: called several times a second."""
        for work in self.works:
            work.tick()

    def stop(self) -> None:
        """Ends the workers."""
        for work in self.works:
            work.stop()


def _source(message: Message) -> bytes:
    """What a shot is opened from, in short. Frames of a camera are nobody else's, whatever is declared of them."""
    if message.fields.get("live") is not None:
        return secrets.token_bytes(16)
    said = [message.fields.get(name) for name in ("path", "pushed")]
    return hashlib.blake2b(msgpack.packb(said), digest_size=16).digest()
