"""Shots whose frames a host makes: put as blobs beforehand, or coming from a camera."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import colour
from stylebridge_server.shot.cache import key
from stylebridge_server.shot.shown import Shown
from stylebridge_server.shot.store import Store
from stylebridge_server.values import Frame, SourceInfo

LIVE_LAST = 2**31  # a camera has no last frame

#: Bytes of the frames that are kept of one camera: 64 of 4K with alpha in half floats.
LIVE_LIMIT = 4 << 30


class PushedShot(Shown):
    """A shot of frames that were put into the store, each named by the hash of its bytes.

    Args:
        info: size, type and range.
        hashes: of the frames from the first to the last: rows top-down without gaps, little-endian.
        store: where they are. They stay there until the shot is closed.
        check_cancelled: called now and then while they are looked up.
        encoding: how the pixels are read; None for what `info` says of them.

    Attributes:
        id: the hash of all this. The same frames have the same id on every server.

    Raises:
        StylebridgeError: need, with details {"frames": numbers}, for those that the store lacks; bad_value for one of
            another size.
    """

    live = False

    def __init__(
        self,
        info: SourceInfo,
        hashes: Sequence[str],
        store: Store,
        check_cancelled: Callable[[], None],
        encoding: colour.Encoding | None = None,
    ) -> None:
        self.encoding = encoding or colour.encode_declared(info)
        self.info = replace(info, colour=self.encoding.colour, alpha=self.encoding.alpha)
        self._hashes = hashes
        self._shape = (info.height, info.width, info.channels)
        read_as = () if self.encoding.id is None else (self.encoding.id,)
        kind = (info.kind, *self._shape, info.dtype, *read_as)
        self._kind = key(kind)
        rate = None if info.rate is None else (info.rate.numerator, info.rate.denominator)
        whole = () if info.whole is None else (info.whole,)  # what is said of a window that it cuts short
        self.id = key("pushed", kind, info.first, info.last, rate, list(hashes), *whole)
        self._store, self._pins = store, store.pins()
        try:
            self._hold(check_cancelled)
        except BaseException:
            self._pins.close()
            raise

    def _hold(self, check_cancelled: Callable[[], None]) -> None:
        missing = []
        nbytes = math.prod(self._shape) * np.dtype(self.info.dtype).itemsize
        self._store.check_room(len(set(self._hashes)) * nbytes)
        for number, name in enumerate(self._hashes, self.info.first):
            check_cancelled()
            try:
                self._pins.add(name, name)
                size = (self._pins.folder / name).stat().st_size
                if size != nbytes:
                    self._pins.path(name, name)  # it may have been damaged
            except StylebridgeError as error:
                if error.code != Code.NEED:
                    raise
                missing.append(number)
                continue
            if size != nbytes:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"Frame {number} holds {size} bytes, but the shot was declared as {self._shape} of "
                    f"{self.info.dtype}, which needs {nbytes}: put frames of one size and type.",
                )
        if missing:
            raise self._lacking(missing)

    def read(self, number: int) -> Frame:
        """The frame as it was put.

        Raises:
            StylebridgeError: not_found outside the range; need, with details {"frames": [number]}, where its file was
                damaged meanwhile.
        """
        name = self._hash(number)
        try:
            path = self._pins.path(name, name)
        except StylebridgeError as error:
            if error.code != Code.NEED:
                raise
            raise self._lacking([number]) from None
        pixels = np.fromfile(path, np.dtype(self.info.dtype).newbyteorder("<"), math.prod(self._shape))
        return Frame(number, pixels.reshape(self._shape).astype(self.info.dtype, copy=False))

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Frames first to last, inclusive, in order; raises as `read` does."""
        return (self.read(number) for number in range(first, last + 1))

    def content(self, number: int) -> str:
        """A name for the contents of one frame, for cache keys."""
        return key(self._kind, self._hash(number))

    def identity(self) -> str:
        """A name for all the frames of the range together."""
        return self.id

    def close(self) -> None:
        self._pins.close()

    def _hash(self, number: int) -> str:
        if not self.info.first <= number <= self.info.last:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"Frame {number} is outside the shot, which runs from {self.info.first} to {self.info.last}.",
            )
        return self._hashes[number - self.info.first]

    def _lacking(self, numbers: list[int]) -> StylebridgeError:
        return StylebridgeError(
            Code.NEED,
            f"The server lacks {len(numbers)} frames of this shot, the first is {numbers[0]}: put them and ask again.",
            frames=numbers,
        )


class LiveShot(Shown):
    """A camera: frames come for ever, nothing is known of the whole, only the last few are kept, in a file.

    The file has no name: the system takes it back however this process ends.

    Args:
        info: the declared size and type; its range is every number from 0 to `LIVE_LAST`.
        name: makes the id; no two cameras are the same shot.
        encoding: how the pixels are read; None for what `info` says of them.

    Raises:
        StylebridgeError: too_large for frames that are too large to keep 64 of.
    """

    live = True
    KEPT = 64  # more than the longest window

    def __init__(self, info: SourceInfo, name: str, encoding: colour.Encoding | None = None) -> None:
        self.encoding = encoding or colour.encode_declared(info)
        self.info = replace(info, colour=self.encoding.colour, alpha=self.encoding.alpha)
        nbytes = math.prod(self._shape) * np.dtype(info.dtype).itemsize
        if nbytes * self.KEPT > LIVE_LIMIT:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"Live frames of {info.width}x{info.height} in {info.dtype} hold {nbytes >> 20} MiB each; at most "
                f"{LIVE_LIMIT // self.KEPT >> 20} MiB are possible: send them smaller, or in another type.",
            )
        self.id = key("live", name)
        self._file = tempfile.TemporaryFile(prefix="stylebridge-live-")  # noqa: SIM115 - closed by `close`
        self._kept: dict[int, tuple[int, str]] = {}  # slot -> number and digest

    def put(self, frame: Frame) -> None:
        """Keep a frame. Putting a number again replaces it, and everything made from it gets other names.

        Raises:
            StylebridgeError: bad_value for another size or dtype, not_found for a number that cannot be, not_writable
                where the disk is full.
        """
        if frame.pixels.shape != self._shape or frame.pixels.dtype != self.info.dtype:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"Frame {frame.number} is {frame.pixels.dtype} {frame.pixels.shape}, the shot was declared as "
                f"{self.info.dtype} {self._shape}: put frames of one size and type.",
            )
        if not self.info.first <= frame.number <= self.info.last:
            raise StylebridgeError(
                Code.NOT_FOUND, f"A live frame's number is from 0 to {LIVE_LAST}, not {frame.number}."
            )
        data = np.ascontiguousarray(frame.pixels).reshape(-1).view(np.uint8).data
        slot = frame.number % self.KEPT
        self._kept.pop(slot, None)
        try:
            self._file.seek(self._place(slot))
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise StylebridgeError(
                Code.NOT_WRITABLE,
                f"The server cannot keep frame {frame.number} ({error.strerror}): free space in "
                f"{tempfile.gettempdir()}.",
            ) from None
        self._kept[slot] = (frame.number, hashlib.blake2b(data, digest_size=16).hexdigest())

    def read(self, number: int) -> Frame:
        """The frame as it was put.

        Raises:
            StylebridgeError: need, with details {"frames": [number]}, where it is not here (any more).
        """
        self.content(number)
        self._file.seek(self._place(number % self.KEPT))
        pixels = np.fromfile(self._file, self.info.dtype, math.prod(self._shape))
        return Frame(number, pixels.reshape(self._shape))

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Frames first to last, inclusive, in order; raises as `read` does."""
        return (self.read(number) for number in range(first, last + 1))

    def content(self, number: int) -> str:
        """A name for the contents of one frame, for cache keys."""
        kept = self._kept.get(number % self.KEPT)
        if kept is None or kept[0] != number:
            raise StylebridgeError(
                Code.NEED, f"The server lacks frame {number} of this camera: put it first.", frames=[number]
            )
        read_as = () if self.encoding.id is None else (self.encoding.id,)
        return key("live frame", self._shape, self.info.dtype, kept[1], *read_as)

    def identity(self) -> str:
        """
        Raises:
            StylebridgeError: bad_request: a camera is never whole.
        """
        raise StylebridgeError(Code.BAD_REQUEST, "A camera has no range and cannot be analysed.")

    def close(self) -> None:
        self._file.close()

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.info.height, self.info.width, self.info.channels

    def _place(self, slot: int) -> int:
        """Where a frame lies in the file, in bytes."""
        return slot * math.prod(self._shape) * np.dtype(self.info.dtype).itemsize
