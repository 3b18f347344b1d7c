"""Labels of many frames on disk, so that memory does not grow with the length of the shot."""

from __future__ import annotations

import tempfile
import zlib
from types import TracebackType

import numpy as np

from stylebridge_server.values import Plane


class Spool:
    """Keeps soft labels of one size by (direction, instance, frame) in an unnamed temporary file."""

    def __init__(self, h: int, w: int) -> None:
        self._size = (h, w)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._index: dict[tuple[int, int, int], tuple[int, int]] = {}
        self._empty: set[tuple[int, int, int]] = set()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, direction: int, instance: int, frame: int, label: Plane) -> None:
        """Keep an (h, w) label in [0, 1], to 8 bits."""
        data = zlib.compress(np.rint(label * 255).astype(np.uint8).tobytes(), 1)
        self._empty.discard((direction, instance, frame))
        if not label.any():
            self._empty.add((direction, instance, frame))
        self._file.seek(0, 2)
        self._index[direction, instance, frame] = (self._file.tell(), len(data))
        self._file.write(data)

    def get(self, direction: int, instance: int, frame: int) -> Plane | None:
        """The label put under these, (h, w) float32 in [0, 1], or None."""
        found = self._index.get((direction, instance, frame))
        if found is None:
            return None
        self._file.seek(found[0])
        data = zlib.decompress(self._file.read(found[1]))
        return np.frombuffer(data, np.uint8).reshape(self._size).astype(np.float32) / np.float32(255)

    def lasts(self, instance: int) -> int:
        """Number of frames on which an instance's label is not empty, in either direction."""
        return len({key[2] for key in self._index if key[1] == instance and key not in self._empty})
