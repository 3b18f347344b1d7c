"""Which job a worker was computing when it died: eight bytes in a mapped file, which outlive the process."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_NUMBER = struct.Struct("<q")


def make(path: Path) -> None:
    """Makes an empty ledger; the broker does, for the worker to open."""
    path.write_bytes(_NUMBER.pack(0))


def read(path: Path) -> int:
    """The job that was last noted, 0 for none."""
    return int(_NUMBER.unpack(path.read_bytes())[0])


class Ledger:
    """The worker's side: `note` costs a memory write."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _NUMBER.size)

    def note(self, job: int) -> None:
        _NUMBER.pack_into(self._map, 0, job)
