"""Labels of many frames on disk, so that memory does not grow with the length of the shot."""

from __future__ import annotations

import tempfile
from types import TracebackType

from stylebridge_server.segment.parts import large, small
from stylebridge_server.values import Plane


class Spool:
    """Keeps soft labels of one size by (direction, instance, frame) in an unnamed temporary file."""

    def __init__(self, h: int, w: int) -> None:
        self._size = (h, w)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._index: dict[tuple[int, int, int], tuple[int, int]] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, direction: int, instance: int, frame: int, label: Plane) -> None:
        """Keep an (h, w) label in [0, 1], to 8 bits."""
        self.put_small(direction, instance, frame, small(label))

    def put_small(self, direction: int, instance: int, frame: int, data: bytes) -> None:
        """Keep a label that `parts.small` has compressed."""
        self._file.seek(0, 2)
        self._index[direction, instance, frame] = (self._file.tell(), len(data))
        self._file.write(data)

    def get(self, direction: int, instance: int, frame: int) -> Plane | None:
        """The label put under these, (h, w) float32 in [0, 1], or None."""
        data = self.get_small(direction, instance, frame)
        return None if data is None else large(data, self._size)

    def get_small(self, direction: int, instance: int, frame: int) -> bytes | None:
        """The same, compressed."""
        found = self._index.get((direction, instance, frame))
        if found is None:
            return None
        self._file.seek(found[0])
        return self._file.read(found[1])
