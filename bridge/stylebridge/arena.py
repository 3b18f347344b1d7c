"""Memory that two processes of one machine share, in regions in which pixels lie.

The owner makes it and maps it; the guest opens it, and maps it too where nobody can cut it short. Of other memory it
uses `pread` and `pwrite`, to which a file cut short is an error in place of the end of the process. Both prove by
nonces that they see the same memory, for an address on loopback may lead into a container or through a tunnel. Then
the name is taken away: what two processes have open goes with them, however they end.

A region belongs to one side at a time. Those at the front are the owner's to fill, the others the guest's; the
filling side names a region in a message, and may use it again when the other side hands it back. So the regions
are also the credit: nobody is sent more than there are. They are used again and again, the last one returned
first, since fresh pages cost more than a copy.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import Code, StylebridgeError
from .memory import Memory, is_sealed, open_memory
from .pixels import PART_BYTES, REGIONS_LIMIT, Bytes

#: Bytes before the first region: the owner's nonce and the guest's.
HEAD = 4096
NONCE_BYTES = 32
#: Regions of a client's arena: those that it fills, and those that the server fills. Together less than the 64 MB
#: that containers have by default.
UPWARD, DOWNWARD = 8, 20


def size_of(regions: int) -> int:
    """Bytes of an arena with so many regions."""
    return HEAD + regions * PART_BYTES


class Regions:
    """Which of one side's regions are free. Used from any thread.

    Args:
        numbers: all of them.
        free: whether they are free at first; else they were taken, and are to be given.
    """

    def __init__(self, numbers: Iterable[int], free: bool = True) -> None:
        self._free = list(numbers)[::-1]
        self._out: set[int] = set()
        self._lock = threading.Lock()
        if not free:
            self._free, self._out = [], set(self._free)

    def take(self) -> int | None:
        """A free region, None where none is."""
        with self._lock:
            if not self._free:
                return None
            number = self._free.pop()
            self._out.add(number)
            return number

    def give(self, numbers: Iterable[int]) -> None:
        """Takes regions back. Those that are not out are none of the giver's business, and are left alone."""
        with self._lock:
            for number in numbers:
                if number in self._out:
                    self._out.remove(number)
                    self._free.append(number)

    def __len__(self) -> int:
        return len(self._free)


class Arena:
    """The owner's side.

    Attributes:
        path: its name, until `hide`.
        nonce: what lies at the beginning of it.
        upward: the regions that this side fills.
        downward: those that the guest fills, once they were given to it.

    Args:
        upward, downward: how many regions the owner fills, and how many the guest.
        folder: where a file is to be made, in place of memory without one.

    Raises:
        OSError: there is no room, or no such thing on this system.
    """

    def __init__(self, upward: int = UPWARD, downward: int = DOWNWARD, folder: Path | None = None) -> None:
        self.count = upward + downward
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self.upward, self.downward = Regions(range(upward)), range(upward, self.count)
        self._file = Memory(size_of(self.count), folder)
        self.path = self._file.path
        try:
            self._map = mmap.mmap(self._file.handle, size_of(self.count))
        except BaseException:
            self._file.hide()
            raise
        self._map[:NONCE_BYTES] = self.nonce
        self._memory = memoryview(self._map)

    @property
    def offer(self) -> dict[str, Any]:
        """What the guest is told of it: the fields of the request `share`."""
        return {
            "path": self.path,
            "nonce": self.nonce.hex(),
            "upward": self.count - len(self.downward),
            "downward": len(self.downward),
        }

    def seen(self, nonce: bytes) -> bool:
        """Whether the guest's nonce lies where the guest says that it wrote it."""
        told = bytes(self._memory[NONCE_BYTES : 2 * NONCE_BYTES])
        return len(nonce) == NONCE_BYTES and secrets.compare_digest(told, nonce)

    def view(self, region: int, length: int) -> memoryview:
        """The memory of a region's first bytes.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a place outside the arena.
        """
        start = _start(region, length, self.count)
        view = self._memory[start : start + length]
        if view.nbytes != length:
            raise StylebridgeError(Code.BAD_REQUEST, "The shared memory was given up.")
        return view

    def hide(self) -> None:
        """Takes the name away; both sides have the file open, or never will."""
        self._file.hide()

    def close(self) -> None:
        """Lets go of the memory. What still looks into it keeps it until it looks away."""
        self.hide()
        self._memory = memoryview(b"")
        with contextlib.suppress(BufferError):  # views are in use: the map goes with the last of them
            self._map.close()


class Guest:
    """The other side, which opens what an owner offers.

    Attributes:
        downward: the regions that this side fills: none before the owner gives them, who knows then that both see
            the same memory.
        upward: how many regions the owner fills.
        nonce: what this side wrote, for the owner to compare.

    Args:
        path, nonce: as the owner says.
        upward, downward: how many regions the owner fills, and how many this side.

    Raises:
        StylebridgeError: `DENIED` for a file that is not what its owner would have made, or not the same;
            `NOT_FOUND` where it cannot be opened; `TOO_LARGE`.
    """

    def __init__(self, path: str, nonce: bytes, upward: int, downward: int) -> None:
        self.upward, self._count = upward, upward + downward
        if not 0 < self._count <= REGIONS_LIMIT:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"Shared memory of {self._count} regions is not taken: offer at most {REGIONS_LIMIT}.",
            )
        size = size_of(self._count)
        try:
            self._file: _File | None = _File(open_memory(path, size), size)
        except (OSError, ValueError) as error:
            code = Code.DENIED if isinstance(error, PermissionError) else Code.NOT_FOUND
            raise StylebridgeError(
                code, f"The shared memory {path} cannot be opened ({error}): send pixels in messages."
            ) from None
        found = bytearray(NONCE_BYTES)
        self._file.read(memoryview(found), 0)
        if len(nonce) != NONCE_BYTES or not secrets.compare_digest(found, nonce):
            self.close()  # nothing is written into what was not made for this
            raise StylebridgeError(
                Code.DENIED, f"{path} is not the memory that the client sees: send pixels in messages."
            )
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self._file.write(self.nonce, NONCE_BYTES)
        self.downward = Regions(range(upward, self._count), free=False)

    def read(self, region: int, into: memoryview) -> None:
        """Fills memory with what the owner put into a region.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a place outside the arena, or one that is not there any more.
        """
        start, file = _start(region, into.nbytes, self._count), self._file
        if file is None or not file.read(into, start):
            raise StylebridgeError(
                Code.BAD_REQUEST,
                "The shared memory was given up, or cut short by another program: connect again.",
            )

    def write(self, region: int, data: Bytes) -> bool:
        """Puts bytes into a region. False where they cannot go there: send them another way."""
        start, file = _start(region, memoryview(data).nbytes, self._count), self._file
        return file is not None and file.write(data, start)

    def close(self) -> None:
        """Lets go of the file, once nobody is in the middle of it."""
        self._file = None


class _File:
    """An open file that is closed when nobody refers to it, so that no thread finds another under its number."""

    def __init__(self, handle: int, size: int) -> None:
        self._handle, self._size = handle, size
        self._memory = memoryview(mmap.mmap(handle, size)) if is_sealed(handle) else None

    def __del__(self) -> None:
        os.close(self._handle)

    def read(self, into: memoryview, start: int) -> bool:
        """Fills memory; whether all of it could be."""
        if self._memory is not None:
            into[:] = self._memory[start : start + into.nbytes]
            return True
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._handle, [into], start) == into.nbytes
            data = os.pread(self._handle, into.nbytes, start)
        except OSError:
            return False
        into[: len(data)] = data
        return len(data) == into.nbytes

    def write(self, data: Bytes, start: int) -> bool:
        """Whether all of the data could be written. A file that was cut short is not made longer."""
        length = memoryview(data).nbytes
        if self._memory is not None:
            self._memory[start : start + length] = memoryview(data).cast("B")
            return True
        try:
            whole = os.fstat(self._handle).st_size == self._size
            return whole and os.pwrite(self._handle, data, start) == length
        except OSError:
            return False


def _start(region: int, length: int, count: int) -> int:
    if not (0 <= region < count and 0 < length <= PART_BYTES):
        raise StylebridgeError(
            Code.BAD_REQUEST, f"Shared memory of {count} regions has no {length} bytes in region {region}."
        )
    return HEAD + region * PART_BYTES
