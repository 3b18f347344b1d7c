"""Work done on all threads at once: a few pieces of it, or bands of rows.

NumPy's sums run on one thread, and OpenCV's many small ones wait for one another. Over a whole picture they wait for
memory too; of a band, what is made on the way stays in a core's cache. Such work must not do any of that itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import cv2

_PIXELS = 116 << 10  # of a band: some planes of floats fit a core's cache
_MULTIPLE = 4  # rows: whole cells of `crisp`


Given = TypeVar("Given")
Made = TypeVar("Made")


def at_once(work: Callable[[Given], Made], pieces: Iterable[Given]) -> list[Made]:
    """What `work` makes of each piece, in their order, on as many threads as OpenCV has."""
    threads = cv2.getNumThreads()
    return list(_pool(threads).map(work, pieces) if threads > 1 else map(work, pieces))


def in_bands(height: int, width: int, work: Callable[[slice], None]) -> None:
    """Call `work` once for each band of rows, in any order, on as many threads as OpenCV has.

    Args:
        height, width: of the picture, pixels.
        work: writes its rows of a result, and nothing that another band reads.
    """
    rows = max(1, _PIXELS // max(1, width) // _MULTIPLE) * _MULTIPLE
    bands = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
    at_once(work, bands)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="pictures")
