"""The log of a server that nobody watches: a file that several processes write into, kept small."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

#: Bytes after which the file is begun anew; the one before is kept beside it, so twice as much is the most.
LIMIT = 5 << 20


class BoundedLog:
    """A file in place of this process's standard error, and its children's; what it was before is PATH.1.

    When it is full it is copied away and emptied, not renamed: who has it open writes on in the same file. What is
    written between the two is lost.

    Args:
        path: such as HOME/run/server.log.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._older = path, path.with_name(path.name + ".1")
        with contextlib.suppress(OSError):
            path.replace(self._older)
        with path.open("ab") as file:  # for appending: each write goes to the end, wherever that is by then
            os.dup2(file.fileno(), sys.stderr.fileno())

    def look(self) -> None:
        """To be called now and then. A full disk costs the older part."""
        with contextlib.suppress(OSError):
            if self._path.stat().st_size > LIMIT:
                try:
                    shutil.copy(self._path, self._older)
                finally:
                    with self._path.open("r+b") as file:
                        file.truncate(0)
