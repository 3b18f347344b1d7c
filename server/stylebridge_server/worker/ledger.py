"""A worker's signs of life, in a mapped file that outlives the process: a memory write each, read by the broker."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
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
    """The broker's side, which makes the file. The name goes as soon as the worker has it open, so that a killed
    broker leaves nothing behind.

    Attributes:
        path: where the worker finds it.
    """

    def __init__(self, folder: Path) -> None:
        self._handle, name = tempfile.mkstemp(prefix="ledger-", dir=folder)
        self.path = Path(name)
        try:
            os.write(self._handle, _SIGNS.pack(*Signs()))
        except OSError:
            self.close()
            raise

    def read(self) -> Signs:
        """What was noted last."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        return Signs(*_SIGNS.unpack(os.read(self._handle, _SIGNS.size)))

    def hide(self) -> None:
        """Takes the name away; where open files cannot lose theirs, `close` does."""
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        os.close(self._handle)
        self.hide()


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
