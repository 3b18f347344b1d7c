"""Memory that two processes of one machine share: a mapped file in regions, in which pixels lie.

The owner makes the file and maps it; the guest opens it and uses `pread` and `pwrite`, to which a file that
somebody cut short is an error in place of the end of the process. Both prove by nonces that they see the same
memory, for an address on loopback may lead into a container or through a tunnel. Then the name is taken away:
what two processes have open goes with them, however they end.

A region belongs to one side at a time. Those at the front are the owner's to fill, the others the guest's; the
filling side names a region in a message, and may use it again when the other side hands it back. So the regions
are also the credit: nobody is sent more than there are. They are used again and again, the last one returned
first, since fresh pages cost more than a copy.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import stat
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from .errors import Code, StylebridgeError
from .pixels import PART_BYTES, REGIONS_LIMIT, Bytes

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Bytes before the first region: the owner's nonce and the guest's.
HEAD = 4096
NONCE_BYTES = 32
#: Regions of a client's arena: those that it fills, and those that the server fills. Together less than the 64 MB
#: that containers have by default.
UPWARD, DOWNWARD = 8, 20

_PREFIX, _SUFFIX = "stylebridge-", ".arena"

#: Whether this system has what sharing memory needs.
POSSIBLE = hasattr(os, "pread") and fcntl is not None


def size_of(regions: int) -> int:
    """Bytes of an arena with so many regions."""
    return HEAD + regions * PART_BYTES


class Regions:
    """Which of one side's regions are free. Used from any thread."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._free = list(numbers)[::-1]
        self._out: set[int] = set()
        self._lock = threading.Lock()

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
        path: the file's name, until `hide`.
        nonce: what lies at the beginning of the file.
        upward: the regions that this side fills.

    Args:
        upward, downward: how many regions the owner fills, and how many the guest.
        folder: where the file is made; memory where the system has a folder for it.

    Raises:
        OSError: there is no room, or no such thing on this system. Room is taken at once, so that no later
            write into the memory can fail.
    """

    def __init__(self, upward: int = UPWARD, downward: int = DOWNWARD, folder: Path | None = None) -> None:
        if not POSSIBLE:
            raise OSError(errno.ENOSYS, "this system shares no memory by files")
        folder = folder or _folder()
        _sweep(folder)
        self.count = upward + downward
        self.size = size_of(self.count)
        self.path = folder / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(8)}{_SUFFIX}"
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self.upward = Regions(range(upward))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # says that the file has an owner
            _fill(handle, self.size)
            self._map = mmap.mmap(handle, self.size)  # which has the file open, and locked, by itself
        except BaseException:
            self.hide()
            raise
        finally:
            os.close(handle)
        self._map[:NONCE_BYTES] = self.nonce
        self._memory = memoryview(self._map)

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
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        """Lets go of the memory. What still looks into it keeps it until it looks away."""
        self.hide()
        self._memory = memoryview(b"")
        with contextlib.suppress(BufferError):  # views are in use: the map goes with the last of them
            self._map.close()


class Guest:
    """The other side, which opens what an owner offers.

    Attributes:
        downward: the regions that this side fills.
        nonce: what this side wrote, for the owner to compare.

    Args:
        path, nonce: as the owner says.
        upward, downward: how many regions the owner fills, and how many this side.

    Raises:
        StylebridgeError: `DENIED` for a file that is not what its owner would have made, or not the same;
            `NOT_FOUND` where it cannot be opened; `TOO_LARGE`.
    """

    def __init__(self, path: str, nonce: bytes, upward: int, downward: int) -> None:
        self._count = upward + downward
        if not 0 < self._count <= REGIONS_LIMIT:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"Shared memory of {self._count} regions is not taken: offer at most {REGIONS_LIMIT}.",
            )
        if not POSSIBLE:
            raise StylebridgeError(Code.NOT_FOUND, "This system shares no memory by files.")
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            self._file: _File | None = _File(os.open(path, flags))
        except (OSError, ValueError) as error:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"The shared memory {path} cannot be opened ({error}): send pixels in messages.",
            ) from None
        try:
            self._check(path, self._file.handle, nonce)
            self.nonce = secrets.token_bytes(NONCE_BYTES)
            os.pwrite(self._file.handle, self.nonce, NONCE_BYTES)
        except BaseException:
            self.close()
            raise
        self.downward = Regions(range(upward, self._count))

    def _check(self, path: str, handle: int, nonce: bytes) -> None:
        """Nothing is written into a file that was not made for this."""
        facts = os.fstat(handle)
        sound = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077
        if not sound or facts.st_nlink != 1 or facts.st_size != size_of(self._count):
            raise StylebridgeError(
                Code.DENIED,
                f"{path} is no shared memory of this user: it must be a file of {size_of(self._count)} bytes "
                "that only they can read.",
            )
        found = os.pread(handle, NONCE_BYTES, 0)
        if len(nonce) != NONCE_BYTES or not secrets.compare_digest(found, nonce):
            raise StylebridgeError(
                Code.DENIED, f"{path} is not the memory that the client sees: send pixels in messages."
            )

    def read(self, region: int, length: int) -> bytes:
        """What the owner put into a region.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a place outside the arena, or one that is not there any more.
        """
        start, file = _start(region, length, self._count), self._file
        data = os.pread(file.handle, length, start) if file else b""
        if len(data) != length:
            raise StylebridgeError(
                Code.BAD_REQUEST,
                "The shared memory was given up, or cut short by another program: connect again.",
            )
        return data

    def write(self, region: int, data: Bytes) -> bool:
        """Puts bytes into a region. False where they cannot go there: send them another way."""
        length, file = memoryview(data).nbytes, self._file
        start = _start(region, length, self._count)
        try:
            whole = file is not None and os.fstat(file.handle).st_size == size_of(self._count)
            return whole and file is not None and os.pwrite(file.handle, data, start) == length
        except OSError:
            return False

    def close(self) -> None:
        """Lets go of the file, once nobody is in the middle of it."""
        self._file = None


class _File:
    """An open file that is closed when nobody refers to it, so that no thread finds another under its number."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __del__(self) -> None:
        os.close(self.handle)


def _start(region: int, length: int, count: int) -> int:
    if not (0 <= region < count and 0 < length <= PART_BYTES):
        raise StylebridgeError(
            Code.BAD_REQUEST, f"Shared memory of {count} regions has no {length} bytes in region {region}."
        )
    return HEAD + region * PART_BYTES


def _folder() -> Path:
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _fill(handle: int, size: int) -> None:
    """Takes the room now: a hole in a full file system would end the process that writes into it."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    zeros = bytes(1 << 20)
    for start in range(0, size, len(zeros)):
        left = memoryview(zeros)[: size - start]
        while left.nbytes:
            left = left[os.write(handle, left) :]


def _sweep(folder: Path) -> None:
    """Takes away what owners left that were killed before their guest had it open. Who lives holds a lock."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(handle)
