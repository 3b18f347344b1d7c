"""Blobs on their way into the store: written and hashed in a thread of their own, beside whatever computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from stylebridge.pixels import Bytes
from stylebridge_server.shot.store import Incoming, Store

from .messages import failure

#: Sends an event: op, job, fields.
Send = Callable[[str, int, dict[str, Any]], None]


class Uploads:
    """Takes the parts of blobs in the order in which they come, and answers for them.

    Args:
        store: keeps them.
        send: sends `credit` for each part taken, and one `result` or `error` for each blob.
    """

    def __init__(self, store: Store, send: Send) -> None:
        self._store, self._send = store, send
        self._coming: dict[int, Incoming] = {}
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="uploads", daemon=True).start()

    def take(self, job: int, fields: dict[str, Any], read: Callable[[], Bytes]) -> None:
        """Takes one part, soon; from any thread.

        Args:
            job: the blob that it belongs to.
            fields: "hash" (None where the sender does not know it), "size" and "offset".
            read: gives the part's bytes, wherever they are; called once.
        """
        self._work.put(lambda: self._take(job, fields, read))

    def cancel(self, job: int) -> None:
        """Forgets a blob that is not whole; from any thread."""
        self._work.put(lambda: self._forget(job))

    def _run(self) -> None:
        while True:
            self._work.get()()

    def _take(self, job: int, fields: dict[str, Any], read: Callable[[], Bytes]) -> None:
        try:
            name = self._add(job, fields, read)
        except Exception as error:
            self._forget(job)
            seen = failure(error)
            told = {"code": seen.code, "message": seen.message, "details": seen.details}
            self._send("error", job, told)
            return
        if name is not None:
            self._coming.pop(job, None)
            self._send("result", job, {"value": {"hash": name}})

    def _add(self, job: int, fields: dict[str, Any], read: Callable[[], Bytes]) -> str | None:
        named, offset = fields.get("hash"), fields["offset"]
        data = read()  # also of what is not needed: the memory that it lies in is to be used again
        if offset == 0:
            self._forget(job)
            if named and self._store.has(named):
                return str(named)
            self._coming[job] = self._store.begin(fields["size"], named)
        incoming = self._coming.get(job)
        if incoming is None:
            return None  # the rest of one that was answered already
        name = incoming.add(offset, data)
        self._send("credit", job, {"bytes": memoryview(data).nbytes})
        return name

    def _forget(self, job: int) -> None:
        incoming = self._coming.pop(job, None)
        if incoming:
            incoming.abandon()
