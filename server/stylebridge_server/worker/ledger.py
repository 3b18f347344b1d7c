"""A worker's signs of life, in a mapped file that outlives the process: a memory write each, read by the broker."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_SIGNS = struct.Struct("<qqq")
_NUMBER = struct.Struct("<q")
_JOB_AT, _BEATS_AT, _STEPS_AT = 0, 8, 16  # each written by itself: two threads write


class Signs(NamedTuple):
    """What a worker has noted last; also when it is dead.

    Attributes:
        job: which job it computes, 0 for none.
        beats: how many of the broker's beats its receiving thread has taken.
        steps: how many steps its computing jobs have made; it only ever grows.
    """

    job: int = 0
    beats: int = 0
    steps: int = 0


class Ledger:
    """The broker's side, which makes the file.

    Where open files can lose their names it has none from the beginning, so that nothing is left behind however the
    broker ends; the worker inherits it. Elsewhere the name goes with `close`.

    Attributes:
        path: where the worker finds it.
        inherited: what the worker's process must be given.
    """

    def __init__(self, folder: Path) -> None:
        self._handle, name = tempfile.mkstemp(prefix="ledger-", dir=folder)
        self._name, self.path, self.inherited = Path(name), Path(name), tuple[int, ...]()
        try:
            os.write(self._handle, _SIGNS.pack(*Signs()))
        except OSError:
            self.close()
            raise
        if sys.platform != "win32":
            self._name.unlink()
            self.path, self.inherited = Path(f"/dev/fd/{self._handle}"), (self._handle,)

    def read(self) -> Signs:
        """What was noted last."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        return Signs(*_SIGNS.unpack(os.read(self._handle, _SIGNS.size)))

    def close(self) -> None:
        os.close(self._handle)
        with contextlib.suppress(OSError):
            self._name.unlink()


class Pen:
    """The worker's side. Only the job that computes may `note` and `step`, only the receiving thread `beat`."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIGNS.size)
        self._beats = self._steps = 0

    def note(self, job: int) -> None:
        """Says which job is being computed, 0 for none. To begin is a step, too."""
        _NUMBER.pack_into(self._map, _JOB_AT, job)
        self.step()

    def step(self) -> None:
        """The job goes on."""
        self._steps += 1
        _NUMBER.pack_into(self._map, _STEPS_AT, self._steps)

    def beat(self) -> None:
        """The process lives."""
        self._beats += 1
        _NUMBER.pack_into(self._map, _BEATS_AT, self._beats)
