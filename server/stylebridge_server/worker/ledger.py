"""Which job a worker was computing when it died: eight bytes in a mapped file, which outlive the process."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import tempfile
from pathlib import Path

_NUMBER = struct.Struct("<q")


class Ledger:
    """The broker's side, which makes the file. The name goes as soon as the worker has it open, so that a killed
    broker leaves nothing behind.

    Attributes:
        path: where the worker finds it.
    """

    def __init__(self, folder: Path) -> None:
        self._handle, name = tempfile.mkstemp(prefix="ledger-", dir=folder)
        self.path = Path(name)
        os.write(self._handle, _NUMBER.pack(0))

    def read(self) -> int:
        """The job that was noted last, 0 for none."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        return int(_NUMBER.unpack(os.read(self._handle, _NUMBER.size))[0])

    def hide(self) -> None:
        """Takes the name away; where open files cannot lose theirs, `close` does."""
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        os.close(self._handle)
        self.hide()


class Pen:
    """The worker's side: `note` costs a memory write."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _NUMBER.size)

    def note(self, job: int) -> None:
        """Says which job is being computed, 0 for none."""
        _NUMBER.pack_into(self._map, 0, job)
