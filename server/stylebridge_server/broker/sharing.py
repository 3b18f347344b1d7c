"""How pixels pass the broker: clients of this machine share memory with the worker, and the broker only names places in
it. What other clients send and get, it hands on through memory of its own, so that it is encrypted once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from stylebridge.arena import Arena
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Bytes
from stylebridge.protocol import Message

from ..worker.messages import told
from ..worker.sharing import BROKER
from .sessions import Session
from .supervisor import WorkerProcess

log = logging.getLogger("stylebridge.broker")

#: Regions of the broker's own memory. What finds none free goes in a message.
REGIONS = 8

#: Sends a client an event: its session, op, its number of the request, fields, payload.
Emit = Callable[[Session, str, int, dict[str, Any], "Bytes | None"], None]


class Sharing:
    """What is shared with one worker.

    Args:
        worker: that one.
        emit: sends a client an event.
    """

    def __init__(self, worker: WorkerProcess, emit: Emit) -> None:
        self._worker, self._emit = worker, emit
        self._asked: dict[str, tuple[Session, int]] = {}
        self._sessions: dict[str, Session] = {}
        self._arena: Arena | None = None
        self._lending = False
        self._offered = False
        self._ended = False

    @property
    def state(self) -> dict[str, Any]:
        """How many clients share memory with the worker, and whether the broker does; for `status`."""
        return {"clients": len(self._sessions), "lending": self._lending}

    def has(self, session: Session) -> bool:
        """Whether a client shares memory with the worker, or has asked to."""
        return session.name in self._asked or session.name in self._sessions

    # Clients that share memory of their own.

    def ask(self, session: Session, message: Message) -> None:
        """A client offers memory.

        Raises:
            StylebridgeError: `DENIED` to all but the owner, `BAD_REQUEST` where it shares some already, `NEED` where
                there is no worker.
        """
        if not session.owner:
            raise StylebridgeError(Code.DENIED, "Only the server's own user shares memory with it.")
        if self.has(session):
            raise StylebridgeError(Code.BAD_REQUEST, "This session shares memory already.")
        if self._ended:
            raise _gone()
        self._asked[session.name] = session, message.id
        self._worker.send("share", 0, {**message.fields, "session": session.name})

    def heard(self, message: Message) -> None:
        """What the worker says of memory: `shared`, `unshared` or `free`."""
        name, fields = message.fields["session"], message.fields
        if name == BROKER:
            self._of_own(message)
        elif message.op == "free":
            if name in self._sessions:
                self._emit(self._sessions[name], "free", 0, {"regions": fields["regions"]}, None)
        elif name in self._asked:
            session, number = self._asked.pop(name)
            if message.op == "shared":
                self._sessions[name] = session
                self._emit(session, "result", number, {"value": {"nonce": fields["nonce"]}}, None)
            else:
                error = StylebridgeError(fields["code"], fields["message"])
                self._emit(session, "error", number, told(error), None)

    def free(self, session: Session, regions: list[int]) -> None:
        """A client hands regions back, or never got what lies in them."""
        if session.name in self._sessions:
            self._worker.send("free", 0, {"session": session.name, "regions": regions})

    def drop(self, session: Session) -> None:
        """A client is gone, or takes its memory back."""
        asked = self._asked.pop(session.name, None)
        if self._sessions.pop(session.name, None) or asked:
            self._worker.send("unshare", 0, {"session": session.name})

    def end(self) -> None:
        """The worker is gone: clients must offer their memory to the next."""
        self._ended, self._lending = True, False
        sessions, self._sessions = (
            self._sessions,
            {},
        )  # a client that cannot be told is dropped, which comes back here
        asked, self._asked = self._asked, {}
        if self._arena:
            self._arena.close()
        for session in sessions.values():
            self._emit(session, "unshare", 0, {}, None)
        for session, number in asked.values():
            self._emit(session, "error", number, told(_gone()), None)

    # Bytes on their way.

    def pass_up(self, session: Session, message: Message) -> tuple[dict[str, Any], Bytes | None] | None:
        """How a client's part goes to the worker: its fields, and the bytes that the message is to hold. None where
        the worker lacks the memory that it lies in.
        """
        fields = {**message.fields, "session": session.name}
        if message.place:
            return (fields, None) if session.name in self._sessions else None
        self._offer()
        arena = self._arena if self._lending else None
        region = arena.upward.take() if arena else None
        if arena is None or region is None:
            return fields, message.payload
        arena.view(region, message.length)[:] = memoryview(message.payload)
        return {**fields, "lent": [region, message.length]}, None

    def leave(self, session: Session, message: Message) -> None:
        """A client's part that the worker does not get: its region is free."""
        if message.place and session.name in self._sessions:
            self._emit(session, "free", 0, {"regions": message.place[:1]}, None)

    def pass_down(self, session: Session, message: Message) -> tuple[dict[str, Any], Bytes | None]:
        """How a worker's part goes to a client: its fields, and the bytes that the message is to hold."""
        fields = {name: value for name, value in message.fields.items() if name != "lent"}
        lent = message.fields["lent"]
        if lent and self._arena:
            payload = bytes(self._arena.view(*lent))
            self._worker.send("free", 0, {"session": BROKER, "regions": [lent[0]]})
            return fields, payload
        if session.name not in self._sessions:
            self._offer()
        return fields, None if message.place else message.payload

    def waste(self, session: Session, message: Message) -> None:
        """A worker's part that nobody wants any more: its region is free."""
        if message.fields["lent"]:
            self._worker.send("free", 0, {"session": BROKER, "regions": message.fields["lent"][:1]})
        elif message.fields["place"]:
            self.free(session, message.fields["place"][:1])

    # The broker's own memory.

    def _offer(self) -> None:
        """Offers the worker memory of the broker, once."""
        if self._offered:
            return
        self._offered = True
        try:
            self._arena = arena = Arena(REGIONS, REGIONS)
        except OSError as error:
            log.info("pixels go to the worker in messages: %s", error)
            return
        self._worker.send("share", 0, {**arena.offer, "session": BROKER})

    def _of_own(self, message: Message) -> None:
        if self._arena is None:
            return
        if message.op == "free":
            self._arena.upward.give(message.fields["regions"])
        elif message.op == "shared" and self._arena.seen(bytes.fromhex(message.fields["nonce"])):
            self._arena.hide()
            self._lending = True
            self._worker.send("free", 0, {"session": BROKER, "regions": list(self._arena.downward)})
        else:
            log.info("pixels go to the worker in messages: %s", message.fields.get("message"))
            self._arena.close()
            self._arena = None


def _gone() -> StylebridgeError:
    return StylebridgeError(Code.NEED, "The server's worker was started anew: offer memory again.")
