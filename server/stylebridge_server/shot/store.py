"""Blobs that clients put: files named by the hash of their bytes, in a folder that processes may share.

    FOLDER/blobs/ab/<hash>          whole blobs; the time of modification is that of their last use
    FOLDER/run/<process>/lock       held while the process lives; what a dead one left is swept away
    FOLDER/run/<process>/parts/     blobs on their way, renamed into place when whole
    FOLDER/run/<process>/pins/      hard links of what open shots use

What was not used for longest goes first when the limit is reached. A blob with a second link is in use somewhere
and stays: so processes need not talk to one another. Before its first use in a process a blob is checked against its
name, so a damaged one is not used but asked for again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import platformdirs

from stylebridge.errors import Code, StylebridgeError
from stylebridge.files import hash_of
from stylebridge.lock import lock
from stylebridge_server.steps import step

log = logging.getLogger("stylebridge.store")

#: Space on the disk that is left to others, in bytes.
SPARE = 256 << 20
#: How full an eviction leaves the store, as a part of the limit.
EVICT_TO = 0.9
#: What a process keeps in its folder.
WITHIN = ("parts", "pins")
#: Lacking blobs that are named at once: a message has no room for all the files of a long sequence.
NAMED = 4096
#: Writes of so much, as a part of the limit, after which the folder is looked through again: other processes
#: write there too.
LOOK_EVERY = 1 / 16


class Store:
    """The blobs of a folder, for the threads of one process.

    Args:
        folder: made where it is absent.
        limit: bytes to hold. What open shots use is never dropped, and counts.

    Raises:
        StylebridgeError: not_writable, where the folder cannot be made.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._blobs = folder / "blobs"
        self._lock = threading.Lock()
        self._verified: set[tuple[str, int]] = set()  # hash and inode of files that were found to be it
        self._closed = False
        self._coming = 0  # bytes that came of blobs that are not whole yet
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._blobs.mkdir(exist_ok=True)
            _sweep(folder / "run")
            self._own, self._held = _own_folder(folder / "run")
        except OSError as error:
            raise StylebridgeError(
                Code.NOT_WRITABLE,
                f"The folder {folder} for what clients send cannot be used ({error.strerror}): set "
                "STYLEBRIDGE_STORE to one that you can write.",
            ) from None
        self.bytes = self._look()
        self._unlooked = 0

    def has(self, name: str) -> bool:
        """Whether the blob is here. It may yet prove damaged when it is used."""
        return self._place(name).is_file()

    def check_room(self, size: int) -> None:
        """Refuses what is used together and can never be here together.

        Raises:
            StylebridgeError: too_large.
        """
        if size > self.limit:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"This shot has {size >> 20} MiB, and the server's store of what clients send holds "
                f"{self.limit >> 20} MiB: open a shorter shot, or have STYLEBRIDGE_STORE_MB raised on the server.",
            )

    def begin(self, size: int, name: str | None = None) -> Incoming:
        """Starts to receive a blob. Room is made for its bytes as they come: a word alone takes nothing from others.

        Args:
            size: its bytes.
            name: its hash, where the sender knows it.

        Raises:
            StylebridgeError: too_large, where it could not fit beside what open shots use; not_writable, where the
                disk is too full for it.
        """
        with self._lock:
            self._check_fits(size)
            try:
                if self._closed:
                    raise OSError(errno.ENOENT, "this process ends")
                incoming = Incoming(self, self._own / "parts" / secrets.token_hex(8), size, name)
            except OSError as error:
                raise self.not_writable(error) from None
            return incoming

    def path(self, name: str) -> Path:
        """The file of a blob, which counts as used now.

        Raises:
            StylebridgeError: need, with details {"files": [name]}, where it is not here or was found damaged.
        """
        place = self._place(name)
        try:
            self._check(name, place)
            os.utime(place)
        except OSError:
            raise lacking([name]) from None
        return place

    def pins(self) -> Pins:
        """Starts to hold blobs fast, for one shot."""
        folder = self._own / "pins" / secrets.token_hex(8)
        try:
            folder.mkdir()
        except OSError as error:
            raise self.not_writable(error) from None
        return Pins(self, folder)

    def close(self) -> None:
        """Lets go of the folder; blobs stay. What other threads put there meanwhile is left to the next process, which
        finds it by the lock.
        """
        with self._lock:
            self._closed = True
        for name in WITHIN:
            shutil.rmtree(self._own / name, ignore_errors=True)
        if not any((self._own / name).exists() for name in WITHIN):
            shutil.rmtree(self._own, ignore_errors=True)
        self._held.close()

    def not_writable(self, error: OSError) -> StylebridgeError:
        """The sentence for an error while writing."""
        return StylebridgeError(
            Code.NOT_WRITABLE,
            f"The server cannot keep what you send ({(error.strerror or str(error)).lower()}): free space in "
            f"{self.folder} on its machine.",
        )

    def _place(self, name: str) -> Path:
        return self._blobs / name[:2] / name

    def _check(self, name: str, place: Path) -> None:
        """Reads a blob once in the life of this process, to see that it is what it is called."""
        mark = (name, place.stat().st_ino)
        if mark in self._verified:
            return
        if hash_of(place, step) != name:
            log.error("blob %s is damaged and was thrown away", place)
            place.unlink()
            raise lacking([name])
        self._verified.add(mark)

    def _admit(self, part: Path, name: str, size: int) -> None:
        """Moves a whole blob into place."""
        place = self._place(name)
        place.parent.mkdir(exist_ok=True)
        part.replace(place)
        self._verified.add((name, place.stat().st_ino))
        with self._lock:
            self.bytes += size
            self._unlooked += size

    def _take(self, size: int) -> None:
        """Makes room for bytes that came, and counts them; raises as `begin`."""
        with self._lock:
            self._make_room(size)
            self._coming += size

    def _release(self, size: int) -> None:
        """Bytes that came are a whole blob now, or gone."""
        with self._lock:
            self._coming -= size

    def _check_fits(self, size: int) -> None:
        """Refuses what would not fit even if all that nobody uses made room."""
        free = shutil.disk_usage(self.folder).free
        if self.bytes + size <= self.limit and free >= size + SPARE:
            return
        unused = sum(status.st_size for _, status in self._walk() if status.st_nlink == 1)
        if self.bytes - unused + size > self.limit:
            raise self._too_large(size)
        if free + unused < size + SPARE:
            raise self.not_writable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def _make_room(self, size: int) -> None:
        """Drops what was not used for longest until `size` more fits."""
        if self._unlooked > self.limit * LOOK_EVERY:
            self.bytes, self._unlooked = self._look(), 0
        need = self.bytes + self._coming + size
        free = shutil.disk_usage(self.folder).free
        if need > self.limit:
            self._evict(need - int(self.limit * EVICT_TO))
            if self.bytes + self._coming + size > self.limit:
                raise self._too_large(size)
        elif free < size + SPARE:
            # More than for this part: each eviction looks through the folder.
            self._evict(size + SPARE - free + int(self.limit * (1 - EVICT_TO)))
            if shutil.disk_usage(self.folder).free < size + SPARE:
                raise self.not_writable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def _too_large(self, size: int) -> StylebridgeError:
        return StylebridgeError(
            Code.TOO_LARGE,
            f"{-(-size >> 20)} MiB do not fit into the server's store of {self.limit >> 20} MiB beside what open shots "
            "use: close shots, or have STYLEBRIDGE_STORE_MB raised on the server.",
        )

    def _evict(self, size: int) -> None:
        """Frees at least so many bytes where that is possible."""
        found = []
        for path, status in self._walk():
            if status.st_nlink == 1:
                found.append((status.st_mtime_ns, status.st_size, path))
        freed = 0
        for _, weight, path in sorted(found):
            if freed >= size:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                freed += weight
        log.info("evicted %d MiB", freed >> 20)
        self.bytes, self._unlooked = self._look(), 0

    def _look(self) -> int:
        """The bytes that are here. What is here no more is forgotten."""
        found = list(self._walk())
        self._verified &= {(path.name, status.st_ino) for path, status in found}
        return sum(status.st_size for _, status in found)

    def _walk(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder in self._blobs.iterdir():
            for path in folder.iterdir():
                with contextlib.suppress(OSError):  # another process dropped it
                    yield path, path.stat()


class Incoming:
    """One blob on its way, written as its parts come; the hash runs along."""

    def __init__(self, store: Store, part: Path, size: int, name: str | None) -> None:
        self._store, self._part, self._size, self._name = store, part, size, name
        self._digest = hashlib.blake2b(digest_size=32)
        self._filled = 0
        self._file: IO[bytes] | None = part.open("xb", buffering=0)

    def add(self, offset: int, data: bytes | bytearray | memoryview) -> str | None:
        """Takes the part at an offset; parts come in order.

        Returns:
            The blob's hash with its last part, None before.

        Raises:
            StylebridgeError: bad_request for a part that does not follow the one before or does not fit, bad_value
                where the whole has another hash than was said, too_large or not_writable where others left no room
                meanwhile. Nothing is left of the blob then.
        """
        size = memoryview(data).nbytes
        try:
            if self._file is None or offset != self._filled or not 0 < size <= self._size - offset:
                raise StylebridgeError(
                    Code.BAD_REQUEST,
                    f"A part of {size} bytes at {offset} does not fit: send the parts in order.",
                )
            self._store._take(size)
            self._filled += size
            self._write(memoryview(data).cast("B"))
            self._digest.update(data)
            return self._finish() if self._filled == self._size else None
        except OSError as error:
            self.abandon()
            raise self._store.not_writable(error) from None
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Forgets the blob, unless it is whole."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a disk that is gone: what is left there is swept away later
                self._file.close()
            self._file = None
            self._store._release(self._filled)
            with contextlib.suppress(OSError):
                self._part.unlink()

    def _write(self, data: memoryview) -> None:
        assert self._file is not None
        while data.nbytes:  # a nearly full disk takes less than it is given
            data = data[self._file.write(data) :]

    def _finish(self) -> str:
        name = self._digest.hexdigest()
        if self._name not in (None, name):
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The bytes sent as {self._name} are {name}: the file changed meanwhile, or is damaged.",
            )
        assert self._file is not None
        self._file.close()
        self._store._admit(self._part, name, self._size)
        self._file = None
        self._store._release(self._size)
        return name


class Pins:
    """Blobs that stay as long as this is open, each under a file name of its own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self.folder = folder

    def add(self, name: str, file_name: str) -> None:
        """Holds a blob fast, without reading it.

        Raises:
            StylebridgeError: need, with details {"files": [name]}, where it is not here; not_writable.
        """
        place, pin = self._store._place(name), self.folder / file_name
        try:
            os.utime(place)
        except OSError:
            raise lacking([name]) from None
        try:
            os.link(place, pin)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise lacking([name]) from None
        except OSError:  # a file system without hard links
            try:
                shutil.copyfile(place, pin)
            except OSError as error:
                raise self._store.not_writable(error) from None

    def path(self, name: str, file_name: str) -> Path:
        """The file of a blob that is held fast, found to be what it is called.

        Raises:
            StylebridgeError: need, as `add`, also where it was found damaged.
        """
        pin = self.folder / file_name
        if not pin.exists():
            self.add(name, file_name)
        try:
            self._store._check(name, pin)
        except StylebridgeError:
            self._store._place(name).unlink(missing_ok=True)  # the same damaged bytes
            raise
        return pin

    def close(self) -> None:
        """Lets go of the blobs."""
        shutil.rmtree(self.folder, ignore_errors=True)


def open_store() -> Store:
    """The store as the environment names it; raises as `Store`."""
    named = os.environ.get("STYLEBRIDGE_STORE")
    folder = Path(named) if named else platformdirs.user_cache_path("stylebridge") / "store"
    return Store(folder, int(os.environ.get("STYLEBRIDGE_STORE_MB", "16384")) << 20)


def lacking(names: list[str]) -> StylebridgeError:
    """What is answered where blobs are not here. Of very many only the first are named: the others next time."""
    what = f"the file {names[0]}" if len(names) == 1 else f"{len(names)} files, the first is {names[0]}"
    return StylebridgeError(Code.NEED, f"The server lacks {what}: put it and ask again.", files=names[:NAMED])


def _own_folder(run: Path) -> tuple[Path, IO[bytes]]:
    """A folder for this process, and the open file that tells others that it lives."""
    while True:
        folder = run / f"{os.getpid()}-{secrets.token_hex(4)}"
        for name in WITHIN:
            (folder / name).mkdir(parents=True)
        held = (folder / "lock").open("ab")
        if lock(held.fileno()) and (folder / "lock").exists():
            return folder, held
        held.close()  # another process took it for one that was left behind


def _sweep(run: Path) -> None:
    """Removes what dead processes left."""
    for folder in run.iterdir() if run.is_dir() else ():
        with contextlib.suppress(OSError), (folder / "lock").open("r+b") as held:
            if lock(held.fileno()):
                shutil.rmtree(folder, ignore_errors=True)
