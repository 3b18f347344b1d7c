"""Requests on their way through the worker: accepted, sent, answered; and the worker's own life."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import zmq

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import PART_BYTES
from stylebridge.protocol import UPLOAD_WINDOW, Message
from stylebridge.requests import STREAMS

from ..worker.logs import event
from ..worker.messages import told
from .answers import cancelled, poisoned, superseded, unreadable, upload_lost, upload_stalled
from .books import Books
from .queue import Queue
from .sessions import REQUESTS_LIMIT, UPLOADS_LIMIT, Job, Session
from .sharing import Emit, Sharing
from .supervisor import WorkerProcess

log = logging.getLogger("stylebridge.broker")

#: Requests that come in parts, and what the worker calls a part of each.
UPLOADS = {"put_frame": "part", "put": "put"}
#: Workers in a row that die before they are ready, after which no other is started for a while, and who asks is told.
FALSE_STARTS = 3
#: Seconds until one is tried again: a driver may be mended, or a package installed, while the server stays.
RETRY_EVERY = 120.0
#: Seconds between two attempts to start a worker where the system lets none start.
REPLACE_EVERY = 2.0
#: Seconds without a part after which a frame or blob comes no more: it takes room, and keeps the server from ending.
UPLOAD_PATIENCE = 60.0


class Work:
    """What the worker has to do and who waits for it.

    Args:
        start_worker: starts a worker process.
        emit: sends a client an event.
        on_change: called with this when a worker is ready, and when none can be had; see `hand_over`.
        on_status: called with this and the worker's counters, when they were asked for.
        books: what was asked and what became of it.
        device: what the worker computes on, for the log and for `status`.
        upload_patience: seconds that the next part of a frame or blob is waited for.

    Attributes:
        worker: the one that lives, None where none can be had.
        running: the jobs that it has, by the broker's number.
        waiting: those that it does not have yet.
        restarts: how many workers were started in the place of dead ones.
        failure: why no worker can be had, None where one can.
        used: when the worker was last heard of (`time.monotonic`).
        kind: the fingerprint of the last worker that was ready; empty before the first.
    """

    def __init__(
        self,
        start_worker: Callable[[], WorkerProcess],
        emit: Emit,
        on_change: Callable[[Work], None],
        on_status: Callable[[Work, dict[str, Any]], None],
        books: Books,
        device: str,
        upload_patience: float = UPLOAD_PATIENCE,
    ) -> None:
        self._upload_patience = upload_patience
        self._start_worker, self._emit = start_worker, emit
        self._on_change, self._on_status = on_change, on_status
        self.waiting = Queue()
        self.books, self.device = books, device
        self.kind = ""
        self.running: dict[int, Job] = {}
        self.restarts = 0
        self.failure: StylebridgeError | None = None
        self.used = time.monotonic()
        self._uploads: dict[int, Job] = {}  # frames and blobs that are not answered yet
        self._shared: dict[tuple[str, str, bytes], Job] = {}  # by what equal requests have in common
        self._false_starts = 0
        self._replace_at = self._retry_at = 0.0
        self.worker: WorkerProcess | None
        self._start()

    def _start(self) -> None:
        self.worker = self._start_worker()
        self.sharing = Sharing(self.worker, self._emit)

    @property
    def ready(self) -> WorkerProcess | None:
        """The worker, where it takes jobs."""
        return self.worker if self.worker and self.worker.ready else None

    @property
    def busy(self) -> bool:
        """Whether anything is asked and not answered."""
        return bool(self.running or len(self.waiting) or self._uploads)

    # Requests.

    def accept(self, session: Session, message: Message) -> None:
        """Takes a request, or one more part of a frame or blob.

        Raises:
            StylebridgeError: `TOO_LARGE` for too many at once, `BAD_REQUEST` for a number that is taken, and
                whatever keeps workers from starting.
        """
        passed = False
        try:
            passed = self._accept(session, message)
        finally:
            if not passed:
                self.sharing.leave(session, message)
        self._dispatch()

    def _accept(self, session: Session, message: Message) -> bool:
        """Whether the worker got the bytes that came with the message."""
        upload = message.op in UPLOADS
        job = session.jobs.get(message.id)
        if job is None:
            if self.failure:
                raise self.failure
            if len(session.jobs) >= REQUESTS_LIMIT:
                raise StylebridgeError(
                    Code.TOO_LARGE, f"{REQUESTS_LIMIT} requests are waiting: wait for some to be answered."
                )
            if upload and message.fields["offset"] > 0:
                return False  # the rest of one that was answered or cancelled
            uploads = sum(not one.whole for one in session.jobs.values())
            if upload and uploads >= UPLOADS_LIMIT:
                raise StylebridgeError(
                    Code.TOO_LARGE,
                    f"{UPLOADS_LIMIT} frames or files are being sent: wait until one is whole.",
                )
            job = self._begin(session, message)
        elif not upload or job.message.op != message.op or job.whole:
            raise StylebridgeError(Code.BAD_REQUEST, f"The id {message.id} belongs to another request.")
        return not job.whole and self._pass_part(job, message)

    def _begin(self, session: Session, message: Message) -> Job:
        """The job of a new request: one of its own, or one that is under way for an equal request."""
        job = Job(self.books.number(), session, message, whole=message.op not in UPLOADS)
        likeness = job.likeness
        shared = self._shared.get(likeness) if likeness else None
        if shared:
            job = shared
            job.asked.append((session, message.id))
        session.jobs[message.id] = job
        self._emit(session, "accepted", message.id, {}, None)
        if shared:
            self.books.join(job, session)
            return job
        self.books.accept(job)
        if likeness:
            self._shared[likeness] = job
        scrub = message.fields.get("scrub")
        for older in [one for one in session.jobs.values() if scrub and one is not job]:
            if older.message.fields.get("scrub") == scrub:
                self.finish(older, "error", told(superseded(older)))
        if job.whole:
            self.waiting.put(job)
        else:
            self._uploads[job.number] = job
        return job

    def _pass_part(self, job: Job, message: Message) -> bool:
        """Passes bytes on as they come: the broker keeps none. Whether the worker got them."""
        worker = self.ready
        if worker is None or job.lost:
            job.lost = True
            return False
        job.moved = time.monotonic()
        self.books.take(job, message.length)
        job.ahead += memoryview(
            message.payload
        ).nbytes  # what lies in shared memory is bounded by its regions
        if job.ahead > UPLOAD_WINDOW + PART_BYTES:
            window = StylebridgeError(
                Code.TOO_LARGE, f"More than {UPLOAD_WINDOW} bytes were sent without credit: wait for it."
            )
            self.finish(job, "error", told(window))
            return False
        passed = self.sharing.pass_up(job.session, message)
        if passed is None:
            self.finish(job, "error", told(upload_lost()))
            return False
        worker.send(UPLOADS[message.op], job.number, *passed)
        if message.last:
            job.whole = True
            if message.op == "put_frame":
                self.waiting.put(job)  # a blob is answered when it is whole, whatever is computed meanwhile
        return True

    def credit(self, session: Session, of: int, attempt: int, size: int) -> None:
        """Lets the worker send so many bytes more."""
        job = session.jobs.get(of)
        if job and job.sent and self.worker:
            self.worker.send("credit", job.number, {"attempt": attempt, "bytes": size})

    def cancel(self, session: Session, of: int) -> None:
        """Answers a request as cancelled, and has the worker stop it where nobody else waits for it."""
        self._refuse(session, of, cancelled())

    def refuse(self, session: Session, error: StylebridgeError) -> None:
        """Answers all that a session asked for with an error."""
        for number in list(session.jobs):
            self._refuse(session, number, error)

    def drop(self, session: Session) -> None:
        """Lets go of all that a session asked for, which is not there to be answered."""
        for number in list(session.jobs):
            self._refuse(session, number, None)
        self.sharing.drop(session)
        if worker := self.ready:
            worker.send("ended", 0, {"session": session.name})

    def _refuse(self, session: Session, number: int, error: StylebridgeError | None) -> None:
        """Answers one of those who wait for a job; nothing is said where there is no error to tell."""
        job = session.jobs.pop(number, None)
        if job is None:
            return
        job.asked.remove((session, number))
        if error:
            self._emit(session, "error", number, told(error), None)
        if not job.asked:
            self.finish(job, "error" if error else "", told(error) if error else None)

    def finish(self, job: Job, op: str = "", fields: dict[str, Any] | None = None) -> None:
        """Answers all who wait for a job, once, and lets go of it. Without an `op` nobody is left to be answered."""
        if not job.wanted:
            return
        job.wanted = False
        self._uploads.pop(job.number, None)
        self.waiting.remove(job)
        if job.likeness and self._shared.get(job.likeness) is job:
            del self._shared[job.likeness]
        self.books.finish(job, op, fields)
        asked, job.asked = job.asked, []
        for session, number in asked:
            session.jobs.pop(number, None)
            if op:
                self._emit(session, op, number, fields or {}, None)
        if self.worker and (job.number in self.running or job.message.op in UPLOADS):
            self.worker.send("cancel", job.number, {})  # it stays among the running until it has stopped

    def _dispatch(self) -> None:
        """Gives the worker what it may have now."""
        while worker := self.ready:
            job = self.waiting.next(self.running.values())
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
            if message.op != "status":  # which is asked for without anybody's need
                self.used = time.monotonic()
            self._heard(message)
        self._dispatch()

    def _heard(self, message: Message) -> None:
        assert self.worker is not None
        if message.op == "ready":
            self._false_starts = 0
            self.kind = self.worker.fingerprint
            seconds = time.monotonic() - self.worker.begun
            event(log, "worker ready", pid=self.worker.pid, device=self.device, seconds=seconds)
            for job in [one for one in self._uploads.values() if one.lost]:
                self.finish(job, "error", told(upload_lost()))
            self._on_change(self)
        elif message.op == "failed":
            self._give_up(StylebridgeError(message.fields["code"], message.fields["message"]))
        elif message.op == "status":
            self._on_status(self, message.fields["value"])
        elif message.op in ("shared", "unshared", "free"):
            self.sharing.heard(message)
        elif message.op == "unreadable":
            self._unreadable(message.id, message.fields["op"])
        else:
            self._of_job(message)

    def _unreadable(self, number: int, op: str) -> None:
        """Answers for a job of which something was said that cannot be read. A worker that does not even say of which
        is replaced: what it has is begun again.
        """
        assert self.worker is not None
        if not op:
            event(log, "worker is killed: it says what cannot be read", logging.ERROR, pid=self.worker.pid)
            self.worker.kill()
            return
        job = self.running.get(number) or self._uploads.get(number)
        if job:
            self.finish(job, "error", told(unreadable(job.message.op)))
        if op in ("result", "error"):
            self.running.pop(number, None)

    def _of_job(self, message: Message) -> None:
        """Passes an event on to the client, under the client's number."""
        over = message.op in ("result", "error")
        job = self.running.pop(message.id, None) if over else self.running.get(message.id)
        job = job or self._uploads.get(message.id)
        if job is None or not job.wanted:
            if job and message.op == "frame":
                self.sharing.waste(job.session, message)
            return
        if over:
            self.finish(job, message.op, message.fields)
            return
        fields, payload = message.fields, None
        if message.op == "frame":
            self.books.give(job, message.length, message.ends_frame)
            fields, payload = self.sharing.pass_down(job.session, message)
        elif message.op == "progress":
            fields = job.progress(fields)
        elif message.op == "credit":
            job.ahead -= fields["bytes"]
            job.moved = time.monotonic()
        for session, number in list(job.asked):
            self._emit(session, message.op, number, fields, payload)
        if message.op == "frame" and message.ends_frame and job.message.op in STREAMS:
            job.delivered()

    # The worker's life.

    def tick(self) -> None:
        """Looks after the worker and what is being sent to it: called several times a second."""
        self._end_stalled()
        worker = self.worker
        if worker is None:
            if self.failure and time.monotonic() > self._retry_at:
                self.failure, self._false_starts = None, FALSE_STARTS - 1
            if self.failure is None and time.monotonic() > self._replace_at:
                self._replace()
            return
        why = "" if worker.dead else worker.hung()
        if why:
            event(
                log, "worker hangs and is killed", logging.ERROR, pid=worker.pid, device=self.device, why=why
            )
            worker.kill()
        if why or worker.dead:
            self._bury(worker)

    def _end_stalled(self) -> None:
        """Ends uploads whose next part is the client's to send and does not come."""
        due = time.monotonic() - self._upload_patience
        for job in list(self._uploads.values()):
            if not (job.whole or job.lost or job.ahead) and job.moved < due:
                self.finish(job, "error", told(upload_stalled(self._upload_patience)))

    def _bury(self, worker: WorkerProcess) -> None:
        """Finds out what a dead worker was doing, and has it done by another."""
        self.hear()  # its last words
        guilty = self.running.get(worker.computing())
        event(
            log,
            "worker died",
            logging.ERROR,
            pid=worker.pid,
            device=self.device,
            status=worker.status,
            computing=guilty.message.op if guilty else None,
            request=guilty.number if guilty else None,
            jobs=len(self.running),
        )
        if not worker.ready:
            self._false_starts += 1
        worker.stop()
        self.sharing.end()
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
        for job in self._uploads.values():  # their bytes died with the worker
            self.waiting.remove(job)
            job.lost = True
        if self.failure is None and self._false_starts >= FALSE_STARTS:
            self._give_up(
                StylebridgeError(
                    Code.INTERNAL,
                    f"The worker ended {FALSE_STARTS} times before it was ready: see the server's log.",
                )
            )
        if self.failure is None:
            self._replace()

    def _replace(self) -> None:
        """Starts a worker in the place of a dead one; where the system lets none start now, a little later."""
        try:
            self._start()
        except (
            OSError,
            zmq.ZMQError,
            StylebridgeError,
        ) as error:  # too many open files or processes, a full disk
            event(log, "no worker can be started now", logging.ERROR, device=self.device, why=str(error))
            self._replace_at = time.monotonic() + REPLACE_EVERY
        else:
            self.restarts += 1

    def _give_up(self, failure: StylebridgeError) -> None:
        """No worker can be had: says so to everybody who waits or will ask, where no other takes them over."""
        event(log, "no worker", logging.ERROR, device=self.device, why=failure.message)
        self.failure, self._retry_at = failure, time.monotonic() + RETRY_EVERY
        self._on_change(self)
        for job in [*self.waiting, *self._uploads.values()]:
            self.finish(job, "error", told(failure))

    def hand_over(self, heir: Work) -> None:
        """Gives another all that waits here. What was being sent has to be sent again."""
        for job in list(self._uploads.values()):
            self.finish(job, "error", told(upload_lost()))
        waiting, self.waiting = list(self.waiting), Queue()
        shared, self._shared = self._shared, {}
        for job in waiting:
            heir.waiting.put(job)
        heir._shared = {**shared, **heir._shared}
        heir._dispatch()

    def stop(self) -> None:
        """Ends the worker."""
        if self.worker:
            self.worker.stop()
            self.sharing.end()
