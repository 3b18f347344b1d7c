"""The broker: between the clients' socket and the workers. It computes nothing."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Collection
from typing import Any

import zmq

from stylebridge import __version__
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Bytes
from stylebridge.protocol import PROTOCOL, REQUESTS, Message, check, encode, unpack, version_error

from ..worker.logs import Seldom, event
from ..worker.messages import failure, told
from .answers import revoked, stopping
from .crew import Crew
from .limits import check_request, check_session
from .sessions import QUESTIONS_LIMIT, Session
from .status import Status
from .supervisor import WorkerProcess

log = logging.getLogger("stylebridge.broker")

#: Seconds between signs of life to every client. They tell a waiting client that the server lives, and the
#: broker which clients are gone.
PING_EVERY = 3.0
#: Seconds between looks at whether the sessions' keys are still let in.
KEYS_EVERY = 1.0
#: Seconds that running requests have to end when the server stops.
GRACE = 10.0
#: Looks in messages of at most so many bytes are read and written here; larger ones would hold up everybody.
SMALL = 4096


class Broker:
    """Answers clients, by itself or through its workers.

    Args:
        front: the clients' socket, a ROUTER that is bound.
        owner: the public key of the server's own user, hexadecimal.
        devices: what computes, a worker for each.
        start_worker: starts a worker process for a device.
        on_ready: called with the fingerprint that new sessions get, when a worker is ready.
        allowed: the public keys that are let in.

    Attributes:
        leaving: why it takes no more requests and stops when those that run are answered; empty while it takes some.
        stopping: why it is to stop now, empty while it is not.
    """

    def __init__(
        self,
        front: zmq.Socket[Any],
        owner: str,
        devices: Collection[str],
        start_worker: Callable[[str], WorkerProcess],
        on_ready: Callable[[str], None],
        allowed: Callable[[], set[bytes]],
    ) -> None:
        self.leaving = self.stopping = ""
        self._leave_by = math.inf
        self._front, self._owner, self._on_ready, self._allowed = front, owner, on_ready, allowed
        self._seldom = Seldom(most=100)
        self._used = time.monotonic()
        self._sessions: dict[bytes, Session] = {}
        self._gone: set[bytes] = set()
        self._hellos: list[tuple[Session, int]] = []
        self._pinged = self._keys_seen = time.monotonic()
        self.crew = Crew(
            devices,
            start_worker,
            self._event,
            self._changed,
            lambda work, counters: self._status.heard(work, counters),
        )
        self._status = Status(self.crew, self._sessions.values, self._result)

    # What clients say.

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
            self._used = time.monotonic()
            if session is None:
                session = self._welcome(routing, user, message)
            self._answer(session, message, len(parts[1].buffer))
        except StylebridgeError as error:
            if error.code not in (Code.CANCELLED, Code.NEED):
                self._note_refusal(number, session, error)
            self._emit(routing, "error", number, told(error), version=version)
        except Exception as error:
            event(log, "failed", logging.ERROR, error, id=number, session=session.name if session else None)
            self._emit(routing, "error", number, told(failure(error, owner=bool(session and session.owner))))

    def _welcome(self, routing: bytes, user: str, message: Message) -> Session:
        check_session(self._sessions.values(), user == self._owner)
        if self.leaving:
            raise stopping(self.leaving)
        if bytes.fromhex(user) not in self._allowed():  # revoked since the connection was made
            raise revoked()
        # A name that a client chose, and another took when it was gone.
        if before := self._sessions.get(routing):
            self._forget(before, "its connection's name is another's now")
        session = Session(routing, user, message.fields["client"], owner=user == self._owner)
        self._sessions[routing] = session
        event(
            log,
            "session opened",
            session=session.name,
            client=session.client,
            version=message.fields["version"],
            owner=session.owner,
        )
        return session

    def _note_refusal(self, number: int, session: Session | None, error: StylebridgeError) -> None:
        told, missed = self._seldom.pass_()
        if told:
            name = session.name if session else None
            event(log, "refused", id=number, session=name, why=error.message, unmentioned=missed or None)

    def _answer(self, session: Session, message: Message, size: int) -> None:
        fields = message.fields
        if message.op == "hello":
            if sum(one is session for one, _ in self._hellos) >= QUESTIONS_LIMIT:
                raise _too_often(message.op)
            self._hellos.append((session, message.id))
            self._greet()
        elif message.op == "credit":
            self.crew.of(session).credit(session, fields["of"], fields["attempt"], fields["bytes"])
        elif message.op == "share":
            self.crew.of(session).sharing.ask(session, message)
        elif message.op == "unshare":
            self.crew.of(session).sharing.drop(session)
        elif message.op == "free":
            self.crew.of(session).sharing.free(session, fields["regions"])
        elif message.op == "cancel":
            self.crew.of(session).cancel(session, fields["of"])
        elif message.op == "status":
            if self._status.asked(session) >= QUESTIONS_LIMIT:
                raise _too_often(message.op)
            self._status.ask(session, message.id)
        elif message.op == "shutdown":
            if not session.owner:
                raise StylebridgeError(Code.DENIED, "Only the user who started this server can stop it.")
            self._result(session, message.id, {})
            self.retire("a client asked for it")
        elif message.op == "bye":
            self._forget(session, "said bye")
        elif message.op in ("parse_look", "format_look") and size <= SMALL:
            self._result(session, message.id, _look(message))
        elif self.leaving and message.id not in session.jobs:
            raise stopping(self.leaving)
        else:
            if message.id not in session.jobs:
                try:
                    check_request(self._sessions.values(), session, message, size)
                except StylebridgeError:
                    self.crew.of(session).sharing.leave(session, message)
                    raise
            self.crew.accept(session, message)

    # What clients are told.

    def _emit(
        self,
        routing: bytes,
        op: str,
        number: int,
        fields: dict[str, Any],
        payload: Bytes | None = None,
        version: int = PROTOCOL,
    ) -> None:
        """Sends an event. A client that is gone, or has long stopped reading, is forgotten at the next tick: whoever
        tells several is not to find another list of them in the middle.
        """
        try:
            parts = encode(op, number, fields, payload, version)
        except StylebridgeError as error:
            parts = encode("error", number, told(error))
        try:
            self._front.send_multipart([routing, *parts], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError:
            self._gone.add(routing)

    def _event(
        self, session: Session, op: str, number: int, fields: dict[str, Any], payload: Bytes | None
    ) -> None:
        self._emit(session.routing, op, number, fields, payload)

    def _result(self, session: Session, number: int, value: dict[str, Any]) -> None:
        self._emit(session.routing, "result", number, {"value": value})

    def _changed(self) -> None:
        """A worker is ready, or none can be had."""
        if self.crew.first.ready and not self.leaving:
            # Where the disk is full, clients find what was announced before.
            try:
                self._on_ready(self.crew.first.kind)
            except (OSError, StylebridgeError) as error:
                event(log, "not announced", logging.WARNING, why=str(error))
        self._greet()

    def _greet(self) -> None:
        """Answers those who said hello, once their worker is up, or cannot be."""
        waiting, self._hellos = self._hellos, []
        for session, number in waiting:
            work = self.crew.of(session)
            if work.failure:
                self._emit(session.routing, "error", number, told(work.failure))
                continue
            if not work.ready:
                self._hellos.append((session, number))
                continue
            value = {
                "version": __version__,
                "protocol": PROTOCOL,
                "fingerprint": work.kind,
                "pid": os.getpid() if session.owner else 0,
                "session": session.name,
            }
            self._result(session, number, value)

    def _forget(self, session: Session, why: str) -> None:
        if self._sessions.pop(session.routing, None) is None:
            return
        event(log, "session ended", session=session.name, client=session.client, why=why)
        self._hellos = [one for one in self._hellos if one[0] is not session]
        self._status.drop(session)
        self.crew.drop(session)

    # Time.

    def tick(self) -> None:
        """What is due: called several times a second."""
        gone, self._gone = self._gone, set()
        for session in [self._sessions[one] for one in gone if one in self._sessions]:
            self._forget(session, "is gone")
        self.crew.tick()
        self._status.tick()
        now = time.monotonic()
        if now - self._pinged > PING_EVERY:
            self._pinged = now
            for session in list(self._sessions.values()):
                self._emit(session.routing, "ping", 0, {})
        if now - self._keys_seen > KEYS_EVERY and self._sessions:
            self._keys_seen = now
            self._check_keys()
        if self.leaving and not self.stopping and (not self.crew.running or now > self._leave_by):
            self.stopping = self.leaving

    def _check_keys(self) -> None:
        """Ends the sessions whose keys are let in no longer; the owner's cannot be taken back under the server."""
        try:
            allowed = {key.hex() for key in self._allowed()} | {self._owner}
        except StylebridgeError as error:
            self._note_refusal(0, None, error)
            return
        for session in [one for one in self._sessions.values() if one.user not in allowed]:
            self.crew.of(session).refuse(session, revoked())
            self._emit(session.routing, "error", 0, told(revoked()))
            self._forget(session, "its key was revoked")

    def publish(self, show: Callable[[dict[str, Any]], None]) -> None:
        """From now on has `show` called every second with the server's status; see `Status.value`."""
        self._status.publish(show)

    def retire(self, why: str, grace: float = GRACE) -> None:
        """Takes no more requests, and stops when those that run are answered; asked again, stops now.

        Args:
            why: for the log and for clients.
            grace: seconds after which it stops at the latest.
        """
        if self.leaving:
            self.stopping = self.stopping or why
            return
        event(log, "stopping", why=why, running=self.crew.running, waiting=self.crew.waiting)
        self.leaving, self._leave_by = why, time.monotonic() + grace
        for work in self.crew.works:
            for job in list(work.waiting):
                work.finish(job, "error", told(stopping(why)))

    @property
    def idle(self) -> float:
        """Seconds since anything was asked or computed."""
        return 0.0 if self.crew.busy else time.monotonic() - max(self._used, self.crew.used)

    def stop(self) -> None:
        """Tells those who wait, and ends the workers."""
        for session in list(self._sessions.values()):
            self.crew.of(session).refuse(session, stopping(self.stopping))
        self.crew.stop()


def _too_often(op: str) -> StylebridgeError:
    return StylebridgeError(
        Code.TOO_LARGE, f'{QUESTIONS_LIMIT} requests "{op}" are waiting: wait for some to be answered.'
    )


def _look(message: Message) -> dict[str, Any]:
    """Reads or writes a small look; neither needs the worker, and tomlkit is loaded when it is first asked for."""
    from stylebridge_server.shot import looks

    fields = message.fields
    if message.op == "format_look":
        return looks.write(fields["look"], fields["original"])
    return looks.read(fields["text"], fields["path"])
