"""Blobs on their way into the store: written and hashed in a thread of their own, beside whatever computes."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from stylebridge.errors import StylebridgeError
from stylebridge.pixels import Bytes
from stylebridge.protocol import Message
from stylebridge_server.shot.store import Incoming, Store

from .messages import failure, told
from .sharing import Sharing

log = logging.getLogger("stylebridge.worker")

#: Sends an event: op, job, fields.
Send = Callable[[str, int, dict[str, Any]], None]


class Uploads:
    """Takes the parts of blobs in the order in which they come, and answers for them.

    Args:
        store: keeps them.
        sharing: reads the parts, and is told when they were taken.
        send: sends one `result` or `error` for each blob.
    """

    def __init__(self, store: Store, sharing: Sharing, send: Send) -> None:
        self._store, self._sharing, self._send = store, sharing, send
        self._coming: dict[int, Incoming] = {}
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="uploads", daemon=True).start()

    def take(self, message: Message) -> None:
        """Takes one part, soon; from the thread that receives. It is read at once, so that reading goes on beside
        hashing.
        """
        try:
            data = self._sharing.read(message)
        except StylebridgeError as error:
            failed = error
            self._sharing.taken(message)
            self._work.put(lambda: self._refuse(message.id, failed))
        else:
            self._work.put(lambda: self._take(message, data))

    def cancel(self, job: int) -> None:
        """Forgets a blob that is not whole; from any thread."""
        self._work.put(lambda: self._forget(job))

    def _run(self) -> None:
        while True:
            try:
                self._work.get()()
            except Exception:  # one upload must not end the others
                log.exception("an upload could not be taken")

    def _take(self, message: Message, data: Bytes) -> None:
        try:
            name = self._add(message.id, message.fields, data)
        except Exception as error:
            self._refuse(message.id, failure(error))
            return
        finally:
            self._sharing.taken(message)
        if name is not None:
            self._coming.pop(message.id, None)
            self._send("result", message.id, {"value": {"hash": name}})

    def _refuse(self, job: int, error: StylebridgeError) -> None:
        self._forget(job)
        self._send("error", job, told(error))

    def _add(self, job: int, fields: dict[str, Any], data: Bytes) -> str | None:
        named, offset = fields.get("hash"), fields["offset"]
        if offset == 0:
            self._forget(job)
            if named and self._store.has(named):
                return str(named)
            self._coming[job] = self._store.begin(fields["size"], named)
        incoming = self._coming.get(job)
        if incoming is None:
            return None  # the rest of one that was answered already
        return incoming.add(offset, data)

    def _forget(self, job: int) -> None:
        incoming = self._coming.pop(job, None)
        if incoming:
            incoming.abandon()
