"""Pushed frames on their way: put together and hashed in a thread of their own, beside whatever computes."""

from __future__ import annotations

import contextlib
import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

from stylebridge.errors import StylebridgeError
from stylebridge.pixels import Assembly, Picture
from stylebridge.protocol import Message

from .sharing import Sharing


class Frames:
    """Takes the parts of frames in the order in which they come. For the thread that receives.

    Args:
        sharing: reads the parts, and is told when they were taken.
    """

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing
        self._thread = ThreadPoolExecutor(1, "frames")
        self._coming: dict[int, _Frame] = {}
        self._whole: dict[int, Future[Picture | None]] = {}

    def take(self, message: Message) -> None:
        """Takes one part. It is read at once, to where it belongs, so that reading goes on beside hashing."""
        frame = self._coming.setdefault(message.id, _Frame())
        added = self._thread.submit(frame.hash, frame.read(message, self._sharing), message)
        added.add_done_callback(lambda _: self._sharing.taken(message))
        if message.last:
            del self._coming[message.id]
            self._whole[message.id] = added

    def whole(self, job: int) -> Future[Picture | None] | None:
        """The frame of a job, once: soon, or never where no last part of it came. Its result is None where parts are
        missing.
        """
        return self._whole.pop(job, None)

    def cancel(self, job: int) -> None:
        """Nobody wants the frame any more."""
        self._coming.pop(job, None)
        self._whole.pop(job, None)


class _Frame:
    """One frame. Its picture has the hash of its bytes, BLAKE2b-256, as `extra["hash"]`."""

    def __init__(self) -> None:
        self._assembly, self._digest = Assembly(_unfilled), hashlib.blake2b(digest_size=32)

    def read(self, message: Message, sharing: Sharing) -> memoryview | None:
        """Puts a part where it belongs; None where it belongs nowhere, or is not to be had."""
        try:
            room = self._assembly.room(message.layout, message.fields["offset"], message.length)
        except (StylebridgeError, MemoryError):
            sharing.skip(message)
        else:
            with contextlib.suppress(StylebridgeError):
                return sharing.read(message, room)
        self._assembly = Assembly(_unfilled)
        return None

    def hash(self, part: memoryview | None, message: Message) -> Picture | None:
        """Hashes a part; the picture, where it was the last one and none is missing."""
        if message.fields["offset"] == 0:
            self._digest = hashlib.blake2b(digest_size=32)
        if part is not None:
            self._digest.update(part)
        pixels = self._assembly.whole if message.last else None
        if pixels is None:
            return None
        extra = {"hash": self._digest.hexdigest()}
        return Picture(message.fields["number"], message.layout, pixels, extra)


def _unfilled(size: int) -> memoryview:
    """Memory with anything in it: all of it is filled, and zeros would take as long as a copy."""
    import numpy as np  # here, since the broker imports this module and loads nothing heavy

    return np.empty(size, np.uint8).data
