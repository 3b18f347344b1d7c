"""The size at which flow is looked for: full size up to so many lines, and never more.

Above it flow is found in a reduced picture and enlarged. Measured on frames of the example scene rendered at 1080
lines with exact flow (docs/flow.md): at 720 lines DIS errs less than at 1080, since its search begins nearer to large
motion, and costs less than half; below 720 it errs more the more the picture is reduced. Enlarging goes by linear
interpolation: guided by the picture (guided filter, joint bilateral) it changed the error by less than a hundredth,
for five to ninety times the time.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]  # height, width
Field = NDArray[np.float32]  # (h, w, 2): displacements in pixels, (x, y)


def working_size(size: Size, lines: int) -> Size:
    """The size at which flow is found: the picture's own, or its aspect with `lines` on the short side."""
    scale = lines / min(size)
    return size if scale >= 1 else (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def reduced(picture: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """(h, w) or (h, w, C) at another size, by area averaging; itself where it has that size."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA))


def enlarged(flow: Field, size: Size) -> Field:
    """Flow at another size, its displacements in the pixels of that size."""
    height, width = flow.shape[:2]
    if (height, width) == size:
        return flow
    large = cv2.resize(flow, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large * np.array([size[1] / width, size[0] / height], np.float32))
