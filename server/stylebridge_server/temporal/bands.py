"""Work done in bands of rows, so that what is made on the way stays in a core's cache, and on all threads at once.

NumPy's sums run on one thread and, over a whole picture, wait for memory: each of them takes new memory for its result.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cv2

_PIXELS = 32 << 10  # of a band: some planes of floats fit a core's cache
_MULTIPLE = 4  # rows: whole cells of `crisp`


def in_bands(height: int, width: int, work: Callable[[slice], None]) -> None:
    """Call `work` once for each band of rows, in any order, on as many threads as OpenCV has.

    Args:
        height, width: of the picture, pixels.
        work: writes its rows of a result, and nothing that another band reads.
    """
    rows = max(1, _PIXELS // max(1, width) // _MULTIPLE) * _MULTIPLE
    bands = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
    threads = min(cv2.getNumThreads(), len(bands))
    if threads < 2:
        for band in bands:
            work(band)
        return
    for _ in _pool(threads).map(work, bands):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="bands")
