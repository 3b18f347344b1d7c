"""What was made, kept on disk: what outlives a server, and what several servers may share.

Each thing is one file, named by the key of everything that it was made from (see `cache.key`), so a file is never
stale and losing one costs time, never a different picture:

    FOLDER/ab/ab54...f1.tile     a finished tile: a header, then the samples as they lie in memory
    FOLDER/ab/ab54...f1.span     a part of the tracking of an instance, such as its labels between two key frames

Each begins with a checksum of the name and of all that follows: a file that was cut short, damaged or put under
another name is dropped and made anew. It is no signature: who can write into the folder can change pictures.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import re
import secrets
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.shot.cache import key

log = logging.getLogger("stylebridge.cache")

#: Magic, checksum (BLAKE2b, 128 bits).
_SEAL = struct.Struct("<8s16s")
#: Of a tile: dtype, height, width, channels.
_SHAPE = struct.Struct("<4s3I")
_DTYPES: dict[bytes, np.dtype[Any]] = {b"u2  ": np.dtype("<u2"), b"f4  ": np.dtype("<f4")}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_NAME = re.compile(r"[0-9a-f]{32}")
_SHELF = re.compile(r"[0-9a-f]{2}")

#: Bytes of one file; what claims more is none of ours.
LARGEST = 64 << 20
#: The store is emptied to this share of its limit, looked at anew when a twentieth of it was written.
KEEP, LOOK_AGAIN = 0.9, 0.05
#: Seconds for which a folder that cannot be written is left alone.
REST = 600.0
#: Seconds after which a use is noted again, and after which a half-written file counts as left behind.
NOTE_EVERY, ABANDONED = 60.0, 3600.0

Array = NDArray[Any]


class DiskFolder:
    """Bytes by name in a folder, the least recently used dropped beyond a limit.

    Any number of processes and machines may use one folder; each keeps it within the limit, give or take the
    twentieth that it writes between two looks. Nothing here raises: a disk that is full, slow or gone costs time.

    Args:
        folder: made, for its user alone, where absent.
        limit: bytes.

    Attributes:
        kind: ending of the files, and, padded, their first eight bytes.
        hits, misses, writes: how often a file was read, was not there, was written.
        damaged: how many files were dropped because of their checksum.
        bytes: how much the folder holds, as last counted, and what was written since.
        fault: why nothing is written now; empty where all is well.
    """

    kind = ""
    _magic = b""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.hits = self.misses = self.writes = self.damaged = self.bytes = 0
        self.fault = ""
        self._rest_until = 0.0
        self._unseen = 0
        self._sweeper: threading.Thread | None = None
        self._look()

    def holds(self, name: str) -> bool:
        """Whether there is a file of that name; it may yet turn out to be damaged."""
        return self._path(name).is_file()

    def settle(self) -> None:
        """Waits until the folder is within its limit again."""
        if self._sweeper:
            self._sweeper.join()

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.{self.kind}"

    def _read(self, name: str) -> memoryview | None:
        """The bytes of that name, None where they are not here or not what was written."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                state = os.fstat(file.fileno())
                value = opened(self._magic, name, file.read(min(state.st_size, LARGEST) + 1))
        except OSError:
            return None
        if value is None:
            self._drop(path)
        elif time.time() - state.st_mtime > NOTE_EVERY:
            with contextlib.suppress(OSError):
                os.utime(path)
        return value

    def _drop(self, path: Path) -> None:
        self.damaged += 1
        with contextlib.suppress(OSError):
            path.unlink()

    def _write(self, name: str, *parts: bytes | memoryview) -> None:
        """Keeps the bytes that the parts, one after the other, are."""
        size = _SEAL.size + sum(memoryview(part).nbytes for part in parts)
        if time.monotonic() < self._rest_until or size > min(self.limit, LARGEST):
            return
        path = self._path(name)
        scratch = path.with_name(f".new-{secrets.token_hex(8)}")
        try:
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            path.parent.mkdir(exist_ok=True)
            with scratch.open("xb") as file:
                for part in (seal(self._magic, name, parts), *parts):
                    file.write(part)
            scratch.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                scratch.unlink()
            self._rest(error)
            return
        self.fault = ""
        self.writes += 1
        self.bytes += size
        self._unseen += size
        if self._unseen > self.limit * LOOK_AGAIN:
            self._look()

    def _look(self) -> None:
        """Has the folder counted and kept within its limit, beside all else."""
        if not (self._sweeper and self._sweeper.is_alive()):
            self._unseen = 0
            self._sweeper = threading.Thread(target=self._sweep, name="disk cache", daemon=True)
            self._sweeper.start()

    def _rest(self, error: OSError) -> None:
        if not self.fault:
            log.warning("nothing is kept in %s for now: %s", self.folder, error)
        self.fault = error.strerror or str(error)
        self._rest_until = time.monotonic() + REST

    def _sweep(self) -> None:
        """Counts the folder and drops what was used least recently. Only files of ours are touched."""
        kept: list[tuple[float, int, str]] = []
        with contextlib.suppress(OSError):
            for shelf in os.scandir(self.folder):
                if _SHELF.fullmatch(shelf.name):
                    with contextlib.suppress(OSError):  # another process may empty it
                        kept += _files(shelf.path, self.kind)
        total = sum(size for _, size, _ in kept)
        if total > self.limit:
            for _, size, path in sorted(kept):
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 - thousands of them
                total -= size
                if total <= self.limit * KEEP:
                    break
        self.bytes = total


class DiskStore(DiskFolder):
    """Tiles: arrays (H, W, C), uint16 or float32."""

    kind = "tile"
    _magic = b"sbtile1\n"

    def get(self, name: str, make: Callable[[], Array]) -> Array:
        """The array of that name (from `cache.key`), read, or made now and kept. It may be read-only."""
        data = self._read(name)
        if data is not None:
            found = _array(data)
            if found is not None:
                self.hits += 1
                return found
            self._drop(self._path(name))
        self.misses += 1
        value = make()
        height, width, channels = value.shape
        shape = _SHAPE.pack(_CODES[value.dtype.newbyteorder("<")], height, width, channels)
        self._write(name, shape, np.ascontiguousarray(value).data)
        return value


class DiskParts(DiskFolder):
    """Parts of shots' tracking; see `segment.Parts`.

    Args:
        folder, limit: see `DiskFolder`.
        fingerprint: of the process; parts that another made might differ in the last bits, and are not read.
    """

    kind = "span"
    _magic = b"sbpart1\n"

    def __init__(self, folder: Path, limit: int, fingerprint: str = "") -> None:
        super().__init__(folder, limit)
        self._fingerprint = fingerprint

    def get(self, name: str) -> bytes | None:
        """What was put under that name, or None."""
        found = self._read(key(self._fingerprint, name))
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        return bytes(found)

    def put(self, name: str, data: bytes) -> None:
        """Keep the bytes under that name."""
        self._write(key(self._fingerprint, name), data)


def _files(shelf: str, kind: str) -> list[tuple[float, int, str]]:
    """Last use, size and path of the files of a kind; what was left half-written long ago is removed."""
    found = []
    for entry in os.scandir(shelf):
        with contextlib.suppress(OSError):
            state = entry.stat(follow_symlinks=False)
            name, _, ending = entry.name.partition(".")
            if ending == kind and _NAME.fullmatch(name):
                found.append((state.st_mtime, state.st_size, entry.path))
            elif entry.name.startswith(".new-") and time.time() - state.st_mtime > ABANDONED:
                os.unlink(entry.path)  # noqa: PTH108
    return found


def seal(magic: bytes, name: str, parts: Sequence[bytes | memoryview]) -> bytes:
    """What a file of that name and contents begins with."""
    digest = hashlib.blake2b(name.encode(), digest_size=16)
    for part in parts:
        digest.update(part)
    return _SEAL.pack(magic, digest.digest())


def opened(magic: bytes, name: str, data: bytes) -> memoryview | None:
    """The contents of a file's bytes, None where they are not what was written."""
    contents = memoryview(data)[_SEAL.size :]
    return contents if data[: _SEAL.size] == seal(magic, name, [contents]) else None


def _array(data: memoryview) -> Array | None:
    """The array that a tile's contents are, None where they are none."""
    if len(data) < _SHAPE.size:
        return None
    code, height, width, channels = _SHAPE.unpack_from(data)
    dtype = _DTYPES.get(code)
    if dtype is None or len(data) != _SHAPE.size + math.prod((height, width, channels)) * dtype.itemsize:
        return None
    return np.frombuffer(data, dtype, offset=_SHAPE.size).reshape(height, width, channels)
