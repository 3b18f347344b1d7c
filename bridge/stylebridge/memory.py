"""Memory under a name, by which another process of the same user opens it.

On Linux it is memory that has no file anywhere (`memfd_create`), sealed so that nobody can cut it short; it is named by
the owner's open file in /proc. Elsewhere it is a file, in memory where there is a folder for that, whose name is to be
taken away as soon as the other side has it open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import tempfile
from pathlib import Path

from .lock import lock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX, SUFFIX = "stylebridge-", ".arena"

#: Whether this system has what sharing memory needs.
POSSIBLE = hasattr(os, "pread") and fcntl is not None
#: Whether it has memory that cannot be cut short.
SEALABLE = POSSIBLE and hasattr(os, "memfd_create") and hasattr(fcntl, "F_ADD_SEALS")

_SEALED_NAME = re.compile(r"/proc/[0-9]+/fd/[0-9]+")


class Memory:
    """The owner's memory, as long as it has a name.

    Attributes:
        path: under which the other side opens it.
        handle: the open file, closed by `hide`.

    Args:
        size: bytes.
        folder: where a file is to be made, in place of sealed memory.

    Raises:
        OSError: there is no room, or no such thing on this system. Room is taken at once, so that no later write
            into the memory can fail.
    """

    def __init__(self, size: int, folder: Path | None = None) -> None:
        if not POSSIBLE:
            raise OSError(errno.ENOSYS, "this system shares no memory by files")
        self._file: Path | None = None
        if folder is None and SEALABLE:
            self.handle = os.memfd_create("stylebridge", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            self.path = f"/proc/{os.getpid()}/fd/{self.handle}"
        else:
            folder = folder or files_folder()
            _sweep(folder)
            self._file = folder / f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
            self.path = str(self._file)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self.handle = os.open(self._file, flags, 0o600)
        try:
            _fill(self.handle, size)
            if self._file:
                if not lock(self.handle):  # says that the file has an owner
                    raise OSError(errno.ENOLCK, "files of this folder cannot be locked")
            else:
                seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
                fcntl.fcntl(self.handle, fcntl.F_ADD_SEALS, seals)
        except BaseException:
            self.hide()
            raise

    def hide(self) -> None:
        """Takes the name away, and closes the handle. What others have open, or mapped, stays."""
        if self._file:
            with contextlib.suppress(OSError):
                self._file.unlink()
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def open_memory(path: str, size: int) -> int:
    """Opens what an owner has made: an open file, for reading and writing.

    Raises:
        OSError: it cannot be opened, or is not what an owner of this user would have made.
        ValueError: the path cannot be one.
    """
    if not POSSIBLE:
        raise OSError(errno.ENOSYS, "this system shares no memory by files")
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    by_handle = _SEALED_NAME.fullmatch(path) is not None
    handle = os.open(path, flags if by_handle else flags | os.O_NOFOLLOW)
    try:
        facts = os.fstat(handle)
        own = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.getuid() and facts.st_size == size
        alone = is_sealed(handle) if by_handle else facts.st_nlink == 1 and not facts.st_mode & 0o077
        if not (own and alone):
            raise OSError(errno.EPERM, "it is no memory that a client of this user would share")
    except BaseException:
        os.close(handle)
        raise
    return handle


def is_sealed(handle: int) -> bool:
    """Whether nobody can cut an open file short."""
    try:
        return SEALABLE and bool(fcntl.fcntl(handle, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK)
    except OSError:  # a file in a folder
        return False


def files_folder() -> Path:
    """Where files that stand for memory are made."""
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
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                if lock(handle):
                    path.unlink()
            finally:
                os.close(handle)
