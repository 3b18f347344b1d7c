"""The broker: between the clients' socket and the worker. It computes nothing."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from stylebridge import __version__
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.pixels import Bytes
from stylebridge.protocol import (
    PROTOCOL,
    REQUESTS,
    Message,
    check,
    encode,
    unpack,
    version_error,
)
from stylebridge.requests import STREAMS

from ..worker.messages import failure
from .sessions import REQUESTS_LIMIT, SESSIONS_LIMIT, UPLOADS_LIMIT, Job, Queue, Session
from .supervisor import WorkerProcess

log = logging.getLogger("stylebridge.broker")

#: Seconds between signs of life to every client. They tell a waiting client that the server lives, and the
#: broker which clients are gone.
PING_EVERY = 3.0
#: Workers in a row that die before they are ready, after which no other is started.
FALSE_STARTS = 3
#: Seconds that a `status` waits for the worker's part of the answer.
STATUS_WAIT = 2.0


class Broker:
    """Answers clients, by itself or through its worker.

    Args:
        front: the clients' socket, a ROUTER that is bound.
        owner: the public key of the server's own user, hexadecimal.
        start_worker: starts a worker process.
        on_ready: called with the fingerprint when a worker is ready.
    """

    def __init__(
        self,
        front: zmq.Socket[Any],
        owner: str,
        start_worker: Callable[[], WorkerProcess],
        on_ready: Callable[[str], None],
    ) -> None:
        self.stopping = ""
        self._front, self._owner = front, owner
        self._start_worker, self._on_ready = start_worker, on_ready
        self._begun = time.monotonic()
        self.used = time.monotonic()
        self._sessions: dict[bytes, Session] = {}
        self._queue = Queue()
        self._running: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._hellos: list[tuple[Session, int]] = []
        self._statuses: list[tuple[float, Session, int]] = []
        self._pinged = time.monotonic()
        self._false_starts = 0
        self._restarts = -1
        self._failure: StylebridgeError | None = None
        self.worker: WorkerProcess | None = None
        self._revive()

    @property
    def worker_keys(self) -> set[bytes]:
        """The keys that the workers' sockets let in."""
        return {self.worker.key} if self.worker else set()

    # Clients.

    def from_client(self, parts: list[zmq.Frame]) -> None:
        """One message of a client, whatever it may hold."""
        routing, user = parts[0].bytes, str(parts[-1].get("User-Id"))
        session = self._sessions.get(routing)
        if session and session.user != user:
            session = None
        number, version = 0, PROTOCOL
        try:
            if not 2 <= len(parts) <= 3:
                raise StylebridgeError(Code.BAD_REQUEST, f"A message has {len(parts) - 1} parts.")
            named = unpack(parts[1].buffer)
            number, version = named["id"], named["v"]
            if version != PROTOCOL:
                raise version_error(named)
            message = check(named, REQUESTS, parts[2].buffer if len(parts) == 3 else None)
            if session is None and message.op != "hello":
                raise StylebridgeError(Code.BAD_REQUEST, f'Say "hello" before "{message.op}".')
            self.used = time.monotonic()
            if session is None:
                session = self._welcome(routing, user, message)
            self._answer(session, message)
        except StylebridgeError as error:
            if error.code not in (Code.CANCELLED, Code.NEED):
                log.info("refused id=%d from=%s: %s", number, session.name if session else "?", error)
            self._emit(routing, "error", number, _told(error), version=version)
        except Exception as error:
            log.exception("id=%d from=%s failed", number, session.name if session else "?")
            self._emit(routing, "error", number, _told(failure(error)))

    def _welcome(self, routing: bytes, user: str, message: Message) -> Session:
        if len(self._sessions) >= SESSIONS_LIMIT:
            raise StylebridgeError(
                Code.TOO_LARGE, f"The server has {SESSIONS_LIMIT} clients and takes no more: close some."
            )
        session = Session(routing, user, message.fields["client"], owner=user == self._owner)
        self._sessions[routing] = session
        log.info(
            "session=%s opened client=%r version=%s owner=%s",
            session.name,
            session.client,
            message.fields["version"],
            session.owner,
        )
        return session

    def _answer(self, session: Session, message: Message) -> None:
        fields = message.fields
        if message.op == "hello":
            self._hellos.append((session, message.id))
            self._greet()
        elif message.op == "credit":
            job = session.jobs.get(fields["of"])
            if job and job.sent and self.worker:
                self.worker.send(
                    "credit", job.number, {"attempt": fields["attempt"], "bytes": fields["bytes"]}
                )
        elif message.op == "cancel":
            job = session.jobs.get(fields["of"])
            if job:
                self._finish(job, "error", _told(_cancelled()))
        elif message.op == "status":
            self._ask_status(session, message.id)
        elif message.op == "shutdown":
            if not session.owner:
                raise StylebridgeError(Code.DENIED, "Only the user who started this server can stop it.")
            self._emit(session.routing, "result", message.id, {"value": {}})
            self.stopping = "a client asked for it"
        elif message.op == "bye":
            self._forget(session, "said bye")
        elif message.op in ("parse_look", "format_look"):
            self._emit(session.routing, "result", message.id, {"value": _look(message)})
        else:
            self._accept(session, message)

    def _accept(self, session: Session, message: Message) -> None:
        """Takes a request that the worker answers, or one more part of a pushed frame."""
        job = session.jobs.get(message.id)
        if job is None:
            if self._failure:
                raise self._failure
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
            self._emit(session.routing, "accepted", message.id, {})
            if job.whole:
                self._queue.put(job)
        elif message.op != "put_frame" or job.message.op != "put_frame" or job.whole:
            raise StylebridgeError(Code.BAD_REQUEST, f"The id {message.id} belongs to another request.")
        if not job.whole:
            self._pass_part(job, message)
        self._dispatch()

    def _pass_part(self, job: Job, message: Message) -> None:
        """Passes pixels on as they come: the broker keeps none."""
        if self.worker is None or not self.worker.ready:
            self._finish(job, "error", _told(_frame_lost(job)))
            return
        self.worker.send("part", job.number, message.fields, message.payload)
        if message.last:
            job.whole = True
            self._queue.put(job)

    def _emit(
        self,
        routing: bytes,
        op: str,
        number: int,
        fields: dict[str, Any],
        payload: Bytes | None = None,
        version: int = PROTOCOL,
    ) -> None:
        """Sends an event; a client that is gone, or has long stopped reading, is forgotten."""
        try:
            parts = encode(op, number, fields, payload, version)
        except StylebridgeError as error:
            parts = encode("error", number, _told(error))
        try:
            self._front.send_multipart([routing, *parts], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError:
            session = self._sessions.get(routing)
            if session:
                self._forget(session, "is gone")

    def _forget(self, session: Session, why: str) -> None:
        if self._sessions.pop(session.routing, None) is None:
            return
        log.info("session=%s client=%r %s", session.name, session.client, why)
        for job in list(session.jobs.values()):
            self._finish(job)

    # Jobs.

    def _dispatch(self) -> None:
        """Gives the worker what it may have now."""
        worker = self.worker
        while worker and worker.ready:
            batch = sum(not job.interactive for job in self._running.values())
            job = self._queue.next(batch)
            if job is None:
                return
            job.begin()
            self._running[job.number] = job
            worker.send(
                "run",
                job.number,
                {
                    "request": job.message.op,
                    "fields": {k: v for k, v in job.message.fields.items() if v is not None},
                    "session": job.session.name,
                    "attempt": job.attempt,
                    "interactive": job.interactive,
                    "owner": job.session.owner,
                },
            )

    def _finish(self, job: Job, op: str = "", fields: dict[str, Any] | None = None) -> None:
        """Answers a job, once, and lets go of it. Without an `op` nobody is left to be answered."""
        if not job.wanted:
            return
        job.wanted = False
        job.session.jobs.pop(job.message.id, None)
        self._queue.remove(job)
        if op:
            self._emit(job.session.routing, op, job.message.id, fields or {})
        if self.worker and (job.number in self._running or job.message.op == "put_frame"):
            self.worker.send("cancel", job.number, {})  # it stays among the running until it has stopped

    # The worker.

    def from_worker(self) -> None:
        """All that the worker says now."""
        if self.worker:
            for message in self.worker.messages():
                self.used = time.monotonic()
                self._from_worker(message)
            self._dispatch()

    def _from_worker(self, message: Message) -> None:
        assert self.worker is not None
        if message.op == "ready":
            self._false_starts = 0
            log.info(
                "worker pid=%d ready after %.1f s", self.worker.pid, time.monotonic() - self.worker.begun
            )
            self._on_ready(self.worker.fingerprint)
            self._greet()
        elif message.op == "failed":
            self._give_up(StylebridgeError(message.fields["code"], message.fields["message"]))
        elif message.op == "status":
            self._tell_status(message.fields["value"], message.id)
        else:
            self._of_job(message)

    def _of_job(self, message: Message) -> None:
        """Passes an event on to the client, under the client's number."""
        over = message.op in ("result", "error")
        job = self._running.pop(message.id, None) if over else self._running.get(message.id)
        if job is None or not job.wanted:
            return
        if over:
            self._finish(job, message.op, message.fields)
            return
        payload = message.payload if message.op == "frame" else None
        fields = job.progress(message.fields) if message.op == "progress" else message.fields
        self._emit(job.session.routing, message.op, job.message.id, fields, payload)
        if message.op == "frame" and message.last and job.message.op in STREAMS:
            job.delivered()

    def _revive(self) -> None:
        """Starts a worker, in the place of one that died."""
        self._restarts += 1
        self.worker = self._start_worker()

    def _bury(self) -> None:
        """Finds out what a dead worker was doing, and has it done by another."""
        worker = self.worker
        assert worker is not None
        self.from_worker()  # its last words
        guilty = self._running.get(worker.computing())
        log.error(
            "worker pid=%d died status=%s computing=%s jobs=%d",
            worker.pid,
            worker.status,
            guilty.message.op if guilty else "nothing",
            len(self._running),
        )
        if not worker.ready:
            self._false_starts += 1
        worker.stop()
        self.worker = None
        if guilty:
            guilty.deaths += 1
        running, self._running = self._running, {}
        for job in reversed(running.values()):
            job.sent = False
            if job.deaths >= 2:
                self._finish(job, "error", _told(_poisoned(job)))
            elif job.wanted:
                self._queue.put(job, front=True)
        for session in list(self._sessions.values()):
            for job in list(session.jobs.values()):
                if job.message.op == "put_frame":  # its pixels died with the worker
                    self._finish(job, "error", _told(_frame_lost(job)))
        if self._failure is None and self._false_starts >= FALSE_STARTS:
            self._give_up(
                StylebridgeError(
                    Code.INTERNAL,
                    f"The worker ended {FALSE_STARTS} times before it was ready: see the server's log.",
                )
            )
        if self._failure is None:
            self._revive()

    def _give_up(self, failure: StylebridgeError) -> None:
        """No worker can be had: says so to everybody who waits or will ask."""
        log.error("no worker: %s", failure)
        self._failure = failure
        for job in list(self._queue):
            self._finish(job, "error", _told(failure))
        self._greet()

    def _greet(self) -> None:
        """Answers those who said hello, once the worker is up."""
        if not self._failure and not (self.worker and self.worker.ready):
            return
        waiting, self._hellos = self._hellos, []
        for session, number in waiting:
            if self._failure:
                self._emit(session.routing, "error", number, _told(self._failure))
                continue
            value = {
                "version": __version__,
                "protocol": PROTOCOL,
                "fingerprint": self.worker.fingerprint if self.worker else "",
                "pid": os.getpid(),
                "session": session.name,
            }
            self._emit(session.routing, "result", number, {"value": value})

    # Time.

    def tick(self) -> None:
        """What is due: called several times a second."""
        if self.worker and self.worker.dead:
            self._bury()
        now = time.monotonic()
        if self._statuses and now > self._statuses[0][0]:
            self._tell_status(None, 0)
        if now - self._pinged > PING_EVERY:
            self._pinged = now
            for session in list(self._sessions.values()):
                self._emit(session.routing, "ping", 0, {})

    @property
    def idle(self) -> float:
        """Seconds since anything was asked or computed."""
        busy = self._running or len(self._queue)
        return 0.0 if busy else time.monotonic() - self.used

    def stop(self) -> None:
        """Tells those who wait, and ends the worker."""
        gone = StylebridgeError(
            Code.UNREACHABLE, f"The server stopped ({self.stopping}): start it and ask again."
        )
        for session in list(self._sessions.values()):
            for job in list(session.jobs.values()):
                self._finish(job, "error", _told(gone))
        if self.worker:
            self.worker.stop()

    # Status.

    def _ask_status(self, session: Session, number: int) -> None:
        self._statuses.append((time.monotonic() + STATUS_WAIT, session, number))
        if self.worker and self.worker.ready:
            self.worker.send("status", number, {})
        else:
            self._tell_status(None, number)

    def _tell_status(self, counters: dict[str, Any] | None, number: int) -> None:
        """Answers all who asked; without the worker's part where it does not answer in time."""
        waiting, self._statuses = self._statuses, []
        worker = self.worker
        state = "failed" if self._failure else "starting" if not (worker and worker.ready) else "ready"
        if state == "ready" and counters is None:
            state = "busy"
        value = {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._begun,
            "fingerprint": worker.fingerprint if worker else "",
            "clients": len(self._sessions),
            "running": len(self._running),
            "waiting": len(self._queue),
            "worker": {
                "state": state,
                "pid": worker.pid if worker else 0,
                "restarts": self._restarts,
                "failure": self._failure.message if self._failure else None,
            },
            "counters": counters,
        }
        for _, session, asked in waiting:
            self._emit(session.routing, "result", asked, {"value": value})


def _look(message: Message) -> dict[str, Any]:
    """Reads or writes a look; neither needs the worker, and tomlkit is loaded when it is first asked for."""
    from stylebridge_server.shot import looks

    fields = message.fields
    if message.op == "format_look":
        return {"text": looks.format_look(Look.from_data(fields["look"]), fields["original"] or "")}
    if fields["path"] is None:
        return {"look": looks.parse_look(fields["text"]).to_data()}
    path = Path(fields["path"])
    return {"look": looks.resolve_paths(looks.parse_look(fields["text"], path), path.parent).to_data()}


def _told(error: StylebridgeError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "details": error.details}


def _cancelled() -> StylebridgeError:
    return StylebridgeError(Code.CANCELLED, "The request was cancelled.")


def _frame_lost(job: Job) -> StylebridgeError:
    number = job.message.fields["number"]
    return StylebridgeError(
        Code.NEED,
        f"The server's worker was started anew and lacks frame {number}: send it again.",
        frame=number,
    )


def _poisoned(job: Job) -> StylebridgeError:
    return StylebridgeError(
        Code.POISONED,
        f'The request "{job.message.op}" ended two worker processes and is not tried again: the server\'s '
        "log says how they ended; a smaller picture or another look may work.",
    )
