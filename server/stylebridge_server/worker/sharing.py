"""The memory that clients and the broker share with this worker: opened, read, filled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from stylebridge.arena import Guest
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Bytes
from stylebridge.protocol import Message

log = logging.getLogger("stylebridge.worker")

#: Under this name the broker's own memory is known, beside those of sessions.
BROKER = ""
#: Regions that are handed back together, where a client has so many: who has fewer would wait for ever.
BACK_AT_ONCE = 3


class Sharing:
    """All that is shared now, by session. Used from any thread.

    Args:
        send: sends the broker an event: op, job, fields.
    """

    def __init__(self, send: Callable[[str, int, dict[str, Any]], None]) -> None:
        self._send = send
        self._guests: dict[str, Guest] = {}
        self._done: dict[str, list[int]] = {}  # regions that were read and not handed back yet
        self._lock = threading.Lock()  # guards _done

    def receive(self, message: Message) -> None:
        """What the broker says of shared memory: `share`, `unshare` or `free`."""
        session, fields = message.fields["session"], message.fields
        if message.op == "share":
            self._open(session, fields)
        elif message.op == "unshare":
            guest = self._guests.pop(session, None)
            with self._lock:
                self._done.pop(session, None)
            if guest:
                guest.close()
        elif session in self._guests:
            self._guests[session].downward.give(fields["regions"])

    def _open(self, session: str, offer: dict[str, Any]) -> None:
        try:
            nonce = bytes.fromhex(offer["nonce"])
            guest = Guest(offer["path"], nonce, offer["upward"], offer["downward"])
        except (StylebridgeError, ValueError) as error:
            code = error.code if isinstance(error, StylebridgeError) else Code.BAD_VALUE
            self._send("unshared", 0, {"session": session, "code": code, "message": str(error)})
            return
        self._guests[session] = guest
        self._send("shared", 0, {"session": session, "nonce": guest.nonce.hex()})

    def read(self, message: Message, into: memoryview | None = None) -> memoryview:
        """The bytes that a part brings, wherever they are.

        Args:
            into: where they are to be put; else they may stay where they are.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a place that is not, or not any more.
        """
        place = message.place
        if place is None:
            if into is None:
                return memoryview(message.payload)
            into[:] = memoryview(message.payload)
            return into
        session = message.fields["session"] if message.fields.get("place") else BROKER
        guest = self._guests.get(session)
        if guest is None:
            raise StylebridgeError(
                Code.BAD_REQUEST, "Bytes were sent in memory that is not shared: connect again."
            )
        into = memoryview(bytearray(place[1])) if into is None else into
        try:
            guest.read(place[0], into)
        finally:
            if session == BROKER:
                self._send("free", 0, {"session": BROKER, "regions": place[:1]})
        return into

    def skip(self, message: Message) -> None:
        """A part that is not read: what it lies in is handed back to the broker. `taken` hands back to the client."""
        if message.fields.get("lent"):
            self._send("free", 0, {"session": BROKER, "regions": message.fields["lent"][:1]})

    def taken(self, message: Message) -> None:
        """A part is done with: its client may send as much again. Regions go back a few at a time, but the last one of
        an upload takes all with it.
        """
        place = message.fields.get("place")
        if not place:
            self._send("credit", message.id, {"bytes": message.length})
            return
        session = message.fields["session"]
        with self._lock:
            done = self._done.setdefault(session, [])
            done.append(place[0])
            guest = self._guests.get(session)
            if guest and len(done) < min(BACK_AT_ONCE, guest.upward) and not message.last:
                return
            del self._done[session]
        self._send("free", 0, {"session": session, "regions": done})

    def write(self, session: str, data: Bytes) -> tuple[dict[str, Any], Bytes | None]:
        """How a part goes to a session: more fields of its message, and the bytes that the message is to hold."""
        for name, owner in (("place", session), ("lent", BROKER)):
            guest = self._guests.get(owner)
            region = guest.downward.take() if guest else None
            if guest and region is not None:
                if guest.write(region, data):
                    return {name: [region, memoryview(data).nbytes]}, None
                guest.downward.give([region])
        return {}, bytes(data)
