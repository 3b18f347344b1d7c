"""Requests on their way through the worker: accepted, sent, answered; and the worker's own life."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from typing import Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Bytes
from stylebridge.protocol import Message
from stylebridge.requests import STREAMS

from .answers import cancelled, frame_lost, poisoned, told
from .sessions import REQUESTS_LIMIT, UPLOADS_LIMIT, Job, Queue, Session
from .supervisor import WorkerProcess

log = logging.getLogger("stylebridge.broker")

#: Workers in a row that die before they are ready, after which no other is started.
FALSE_STARTS = 3

#: Sends a client an event: its session, op, its number of the request, fields, payload.
Emit = Callable[[Session, str, int, dict[str, Any], Bytes | None], None]


class Work:
    """What the worker has to do and who waits for it.

    Args:
        start_worker: starts a worker process.
        emit: sends a client an event.
        on_change: called when a worker is ready, and when none can be had.
        on_status: called with the worker's counters, when they were asked for.

    Attributes:
        worker: the one that lives, None where none can be had.
        running: the jobs that it has, by the broker's number.
        waiting: those that it does not have yet.
        restarts: how many workers were started in the place of dead ones.
        failure: why no worker can be had, None where one can.
        used: when the worker was last heard of (`time.monotonic`).
    """

    def __init__(
        self,
        start_worker: Callable[[], WorkerProcess],
        emit: Emit,
        on_change: Callable[[], None],
        on_status: Callable[[dict[str, Any]], None],
    ) -> None:
        self._start_worker, self._emit = start_worker, emit
        self._on_change, self._on_status = on_change, on_status
        self.waiting = Queue()
        self.running: dict[int, Job] = {}
        self.restarts = 0
        self.failure: StylebridgeError | None = None
        self.used = time.monotonic()
        self._uploads: dict[int, Job] = {}  # pushed frames that are not answered yet
        self._numbers = itertools.count(1)
        self._false_starts = 0
        self.worker: WorkerProcess | None = start_worker()

    @property
    def ready(self) -> WorkerProcess | None:
        """The worker, where it takes jobs."""
        return self.worker if self.worker and self.worker.ready else None

    @property
    def worker_keys(self) -> set[bytes]:
        """The keys that the worker's socket lets in."""
        return {self.worker.key} if self.worker else set()

    @property
    def fingerprint(self) -> str:
        """The worker's; empty until it is ready."""
        return self.worker.fingerprint if self.worker else ""

    @property
    def busy(self) -> bool:
        """Whether anything is asked and not answered."""
        return bool(self.running or len(self.waiting))

    # Requests.

    def accept(self, session: Session, message: Message) -> None:
        """Takes a request, or one more part of a pushed frame.

        Raises:
            StylebridgeError: `TOO_LARGE` for too many at once, `BAD_REQUEST` for a number that is taken, and
                whatever keeps workers from starting.
        """
        job = session.jobs.get(message.id)
        if job is None:
            if self.failure:
                raise self.failure
            if len(session.jobs) >= REQUESTS_LIMIT:
                raise StylebridgeError(
                    Code.TOO_LARGE, f"{REQUESTS_LIMIT} requests are waiting: wait for some to be answered."
                )
            if message.op == "put_frame" and message.fields["offset"] > 0:
                return  # the rest of a frame that was refused or cancelled
            uploads = sum(not one.whole for one in session.jobs.values())
            if message.op == "put_frame" and uploads >= UPLOADS_LIMIT:
                raise StylebridgeError(
                    Code.TOO_LARGE, f"{UPLOADS_LIMIT} frames are being pushed: wait until one is whole."
                )
            job = Job(next(self._numbers), session, message, whole=message.op != "put_frame")
            session.jobs[message.id] = job
            self._emit(session, "accepted", message.id, {}, None)
            if job.whole:
                self.waiting.put(job)
            else:
                self._uploads[job.number] = job
        elif message.op != "put_frame" or job.message.op != "put_frame" or job.whole:
            raise StylebridgeError(Code.BAD_REQUEST, f"The id {message.id} belongs to another request.")
        if not job.whole:
            self._pass_part(job, message)
        self._dispatch()

    def _pass_part(self, job: Job, message: Message) -> None:
        """Passes pixels on as they come: the broker keeps none."""
        worker = self.ready
        if worker is None:
            self.finish(job, "error", told(frame_lost(job)))
            return
        worker.send("part", job.number, message.fields, message.payload)
        if message.last:
            job.whole = True
            self.waiting.put(job)

    def credit(self, session: Session, of: int, attempt: int, size: int) -> None:
        """Lets the worker send so many bytes more."""
        job = session.jobs.get(of)
        if job and job.sent and self.worker:
            self.worker.send("credit", job.number, {"attempt": attempt, "bytes": size})

    def cancel(self, session: Session, of: int) -> None:
        """Answers a request as cancelled and has the worker stop it."""
        job = session.jobs.get(of)
        if job:
            self.finish(job, "error", told(cancelled()))

    def drop(self, session: Session) -> None:
        """Lets go of all that a session asked for: nobody is left to be answered."""
        for job in list(session.jobs.values()):
            self.finish(job)

    def finish(self, job: Job, op: str = "", fields: dict[str, Any] | None = None) -> None:
        """Answers a job, once, and lets go of it. Without an `op` nobody is left to be answered."""
        if not job.wanted:
            return
        job.wanted = False
        job.session.jobs.pop(job.message.id, None)
        self._uploads.pop(job.number, None)
        self.waiting.remove(job)
        if op:
            self._emit(job.session, op, job.message.id, fields or {}, None)
        if self.worker and (job.number in self.running or job.message.op == "put_frame"):
            self.worker.send("cancel", job.number, {})  # it stays among the running until it has stopped

    def _dispatch(self) -> None:
        """Gives the worker what it may have now."""
        while worker := self.ready:
            batch = sum(not job.interactive for job in self.running.values())
            job = self.waiting.next(batch)
            if job is None:
                return
            job.begin()
            self.running[job.number] = job
            worker.send(
                "run",
                job.number,
                {
                    "request": job.message.op,
                    "fields": {k: v for k, v in job.message.fields.items() if v is not None},
                    "user": job.session.user,
                    "session": job.session.name,
                    "attempt": job.attempt,
                    "interactive": job.interactive,
                    "owner": job.session.owner,
                },
            )

    # What the worker says.

    def hear(self) -> None:
        """All that the worker says now."""
        for message in self.worker.messages() if self.worker else ():
            self.used = time.monotonic()
            self._heard(message)
        self._dispatch()

    def _heard(self, message: Message) -> None:
        assert self.worker is not None
        if message.op == "ready":
            self._false_starts = 0
            log.info(
                "worker pid=%d ready after %.1f s", self.worker.pid, time.monotonic() - self.worker.begun
            )
            self._on_change()
        elif message.op == "failed":
            self._give_up(StylebridgeError(message.fields["code"], message.fields["message"]))
        elif message.op == "status":
            self._on_status(message.fields["value"])
        else:
            self._of_job(message)

    def _of_job(self, message: Message) -> None:
        """Passes an event on to the client, under the client's number."""
        over = message.op in ("result", "error")
        job = self.running.pop(message.id, None) if over else self.running.get(message.id)
        if job is None or not job.wanted:
            return
        if over:
            self.finish(job, message.op, message.fields)
            return
        payload = message.payload if message.op == "frame" else None
        fields = job.progress(message.fields) if message.op == "progress" else message.fields
        self._emit(job.session, message.op, job.message.id, fields, payload)
        if message.op == "frame" and message.last and job.message.op in STREAMS:
            job.delivered()

    # The worker's life.

    def tick(self) -> None:
        """Looks after the worker: called several times a second."""
        worker = self.worker
        if worker is None:
            return
        why = "" if worker.dead else worker.hung()
        if why:
            log.error("worker pid=%d hangs (%s) and is killed", worker.pid, why)
            worker.kill()
        if why or worker.dead:
            self._bury(worker)

    def _bury(self, worker: WorkerProcess) -> None:
        """Finds out what a dead worker was doing, and has it done by another."""
        self.hear()  # its last words
        guilty = self.running.get(worker.computing())
        log.error(
            "worker pid=%d died status=%s computing=%s jobs=%d",
            worker.pid,
            worker.status,
            guilty.message.op if guilty else "nothing",
            len(self.running),
        )
        if not worker.ready:
            self._false_starts += 1
        worker.stop()
        self.worker = None
        if guilty:
            guilty.deaths += 1
        running, self.running = self.running, {}
        for job in reversed(running.values()):
            job.sent = False
            if job.deaths >= 2:
                self.finish(job, "error", told(poisoned(job)))
            elif job.wanted:
                self.waiting.put(job, front=True)
        for job in list(self._uploads.values()):  # their pixels died with the worker
            self.finish(job, "error", told(frame_lost(job)))
        if self.failure is None and self._false_starts >= FALSE_STARTS:
            self._give_up(
                StylebridgeError(
                    Code.INTERNAL,
                    f"The worker ended {FALSE_STARTS} times before it was ready: see the server's log.",
                )
            )
        if self.failure is None:
            self.restarts += 1
            self.worker = self._start_worker()

    def _give_up(self, failure: StylebridgeError) -> None:
        """No worker can be had: says so to everybody who waits or will ask."""
        log.error("no worker: %s", failure)
        self.failure = failure
        for job in list(self.waiting):
            self.finish(job, "error", told(failure))
        self._on_change()

    def stop(self) -> None:
        """Ends the worker."""
        if self.worker:
            self.worker.stop()
