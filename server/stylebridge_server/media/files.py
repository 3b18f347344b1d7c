"""Files: what is there before work starts, output that appears whole or not at all, and content hashes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge.lock import lock
from stylebridge.recent import Recent
from stylebridge_server.steps import step

#: Files whose hashes are remembered: more than the frames of the longest sequence.
HASHES_KEPT = 1 << 17

_hashes: Recent[tuple[str, int, int, int], str] = Recent(HASHES_KEPT)


def readable_file(path: str | Path) -> Path:
    """The path of an existing, readable, regular file; refuses everything else in a sentence."""
    path = Path(path)
    if path.is_dir():
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"{path} is a folder; name a file in it, or a sequence such as {path / 'name.####.png'}.",
        )
    if not path.exists():
        raise StylebridgeError(Code.NOT_FOUND, f"There is no file {path}; check its name and folder.")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise StylebridgeError(
            Code.NOT_READABLE, f"{path} cannot be opened for reading; check its permissions."
        )
    if path.stat().st_size == 0:
        raise StylebridgeError(Code.NOT_READABLE, f"{path} is an empty file.")
    return path


def writable_place(path: str | Path) -> Path:
    """A path in a folder that exists and can be written to, and that names no folder itself."""
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise StylebridgeError(
            Code.NOT_WRITABLE, f"The folder {folder} for {path.name} does not exist; make it first."
        )
    if path.is_dir():
        raise StylebridgeError(Code.NOT_WRITABLE, f"{path} is a folder; name a file in it.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"The folder {folder} cannot be written to; choose another one for {path.name}.",
        )
    return path


def not_writable(path: Path, error: OSError) -> StylebridgeError:
    """The sentence for an operating system error while writing `path`."""
    reason = (error.strerror or str(error)).lower()
    return StylebridgeError(
        Code.NOT_WRITABLE, f"{path} could not be written ({reason}); nothing is left of it."
    )


class PartFile:
    """An empty file beside the one to be written: on the same disk, a move replaces at once.

    What a killed process left of one is taken over by the next that writes the same target.

    Attributes:
        path: where to write.

    Raises:
        StylebridgeError: not_writable.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._open = True
        try:
            self.path, self._lock = _claim(target)
        except OSError as error:
            raise not_writable(target, error) from error

    def keep(self) -> None:
        """Moves it to the target."""
        self.path.replace(self._target)
        self._let_go()

    def discard(self) -> None:
        """Removes it, unless it was kept or removed before."""
        if self._open:
            self.path.unlink(missing_ok=True)
            self._let_go()

    def _let_go(self) -> None:
        self._open = False
        if self._lock is not None:
            os.close(self._lock)


def _claim(target: Path) -> tuple[Path, int | None]:
    """A part file's path, and the lock that keeps others from taking it over where there are locks."""
    stem = f".{target.name[:180]}"
    path = target.with_name(f"{stem}.part")
    if os.name == "posix":  # elsewhere a file that is open cannot be moved
        with contextlib.suppress(OSError):
            held = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o666)
            # Where it could not be had, another writes it now, or this file system has no locks.
            with contextlib.suppress(OSError):
                status = os.fstat(held)
                # Whoever had it may just have moved it to its target.
                if lock(held) and os.path.samestat(status, path.stat()) and os.fstat(held).st_nlink == 1:
                    os.truncate(held, 0)
                    return path, held
            os.close(held)
    path = target.with_name(f"{stem}.{secrets.token_hex(6)}.part")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path, None


@contextlib.contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """Yields a temporary path to write to; moved to `path` at the end, removed on any exception."""
    part = PartFile(path)
    try:
        yield part.path
        part.keep()
    except OSError as error:
        raise not_writable(path, error) from error
    finally:
        part.discard()


def content_hash(path: Path) -> str:
    """BLAKE2b (256 bits, hexadecimal) of a file's bytes, streamed.

    Remembered in this process for as long as path, size, modification time and inode stay the same.
    """
    key = _state(path)
    known = _hashes.get(key)
    if known is None:
        digest = hashlib.blake2b(digest_size=32)
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                step()
                digest.update(chunk)
        known = _hashes[key] = digest.hexdigest()
    return known


def know_hash(path: Path, value: str) -> None:
    """Remembers what `content_hash` would find, for a file that was just checked against its hash."""
    _hashes[_state(path)] = value


def state_of(path: Path) -> tuple[int, int, int] | None:
    """What changes where a file is written over, in place or by another; None where it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _state(path: Path) -> tuple[str, int, int, int]:
    status = path.stat()
    return str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino
