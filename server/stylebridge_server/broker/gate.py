"""Who is let in: answers ZeroMQ's questions (ZAP, rfc.zeromq.org/spec/27) about CURVE keys."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import zmq

from stylebridge.errors import StylebridgeError

from ..worker.logs import Seldom, event

log = logging.getLogger("stylebridge.broker")

#: ZAP domains of the two kinds of sockets.
CLIENTS = "clients"
WORKERS = "workers"


class Gate:
    """Decides on each handshake by the client's public key; the sockets of this context then stamp every
    message with it, as `User-Id` in hexadecimal.

    Args:
        allowed: for each domain, what returns the public keys that are let in. Asked each time, so that a key
            put into the folder works at once.
    """

    def __init__(self, context: zmq.Context[Any], allowed: dict[str, Callable[[], set[bytes]]]) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")
        self._allowed = allowed
        self._seldom = Seldom()
        self.refused = 0
        """How many handshakes were refused."""

    def answer(self) -> None:
        """Answers the one question that waits."""
        parts = self.socket.recv_multipart()
        request = parts[1] if len(parts) > 1 else b""
        key = b""
        if len(parts) == 7 and parts[5] == b"CURVE":
            key = parts[6]
        status, text, why = b"400", b"key not allowed", "not allowed"
        try:
            if key in self._allowed[parts[2].decode()]():
                status, text = b"200", b"OK"
        except StylebridgeError as error:
            # Not the key's fault. 300 is for this, but a client cannot tell it from a server with another key.
            status, text, why = b"500", b"keys not readable now", f"nobody is let in: {error}"
        except (KeyError, IndexError, UnicodeDecodeError) as error:
            why = f"nobody is let in: {error}"
        if status != b"200":
            self._note(why, key, parts[3].decode("ascii", "replace") if key else None)
        self.socket.send_multipart([b"1.0", request, status, text, key.hex().encode(), b""])

    def _note(self, why: str, key: bytes, origin: str | None) -> None:
        """Logs a refusal; of many within a minute only the first ones, and how many there were."""
        self.refused += 1
        told, missed = self._seldom.pass_()
        if told:
            event(
                log,
                "handshake refused",
                logging.WARNING,
                why=why,
                key=key.hex() or None,
                origin=origin,
                unmentioned=missed or None,
            )
