"""The memory that clients and the broker share with this worker: opened, read, filled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from stylebridge.arena import Guest
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Bytes
from stylebridge.protocol import Message

log = logging.getLogger("stylebridge.worker")

#: Under this name the broker's own memory is known, beside those of sessions.
BROKER = ""


class Sharing:
    """All that is shared now, by session. Used from any thread.

    Args:
        send: sends the broker an event: op, job, fields.
    """

    def __init__(self, send: Callable[[str, int, dict[str, Any]], None]) -> None:
        self._send = send
        self._guests: dict[str, Guest] = {}

    def receive(self, message: Message) -> None:
        """What the broker says of shared memory: `share`, `unshare` or `free`."""
        session, fields = message.fields["session"], message.fields
        if message.op == "share":
            self._open(session, fields)
        elif message.op == "unshare":
            guest = self._guests.pop(session, None)
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

    def read(self, message: Message) -> Bytes:
        """The bytes that a message brings, wherever they are. Where they are in shared memory, their region is then
        free for the next.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a place that is not, or not any more.
        """
        place = message.place
        if place is None:
            return message.payload
        session = message.fields["session"] if message.fields.get("place") else BROKER
        guest = self._guests.get(session)
        if guest is None:
            raise StylebridgeError(
                Code.BAD_REQUEST, "Bytes were sent in memory that is not shared: connect again."
            )
        try:
            return guest.read(*place)
        finally:
            self._send("free", 0, {"session": session, "regions": [place[0]]})

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
