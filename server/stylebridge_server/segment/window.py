"""A window around a thing, brought to the size at which the networks look, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import Plane

# Sizes (h, w) of windows: about as many pixels each, so that long things are seen as sharply as round ones.
SHAPES = ((128, 128), (96, 176), (176, 96))
_TOGETHER = 4  # planes that OpenCV resizes at a time
_LARGEST = 2.0  # a picture is enlarged at most that much


@dataclass(frozen=True)
class Window:
    """Columns x0 to x1 and rows y0 to y1 of a picture (ends excluded; may lie beyond it), seen at (h, w)."""

    x0: int
    y0: int
    x1: int
    y1: int
    h: int
    w: int

    @property
    def scale(self) -> float:
        """Pixels of the window for every pixel of the picture."""
        return self.w / (self.x1 - self.x0)

    def take(self, planes: NDArray[Any]) -> NDArray[np.float32]:
        """What the window shows of (H, W) or (H, W, n) float32 planes: (h, w[, n]); the border is repeated."""
        height, width = planes.shape[:2]
        x0, y0, x1, y1 = max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height)
        part = np.ascontiguousarray(planes[y0:y1, x0:x1], np.float32)
        beyond = y0 - self.y0, self.y1 - y1, x0 - self.x0, self.x1 - x1
        if any(beyond):
            wide = ((beyond[0], beyond[1]), (beyond[2], beyond[3]))
            part = np.pad(part, (*wide, (0, 0)) if part.ndim == 3 else wide, mode="edge")
        mode = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        size = (self.w, self.h)
        if part.ndim == 2 or part.shape[2] <= _TOGETHER:
            return np.asarray(cv2.resize(part, size, interpolation=mode), np.float32)
        some = [part[..., k : k + _TOGETHER] for k in range(0, part.shape[2], _TOGETHER)]
        some = [cv2.resize(np.ascontiguousarray(one), size, interpolation=mode) for one in some]
        return np.asarray(np.dstack(some), np.float32)

    def within(self, height: int, width: int) -> Plane:
        """Which of the window's pixels lie in a picture of that size, (h, w) in [0, 1]."""
        rows = (np.arange(self.h) + 0.5) * (self.y1 - self.y0) / self.h + self.y0
        columns = (np.arange(self.w) + 0.5) * (self.x1 - self.x0) / self.w + self.x0
        inside = ((rows > 0) & (rows < height))[:, None] & ((columns > 0) & (columns < width))[None, :]
        return np.asarray(inside, np.float32)

    def put(self, values: Plane, height: int, width: int, rest: float) -> Plane:
        """A picture (height, width) of (h, w) values, `rest` outside the window."""
        out = np.full((height, width), np.float32(rest))
        size = (self.x1 - self.x0, self.y1 - self.y0)
        mode = cv2.INTER_CUBIC if self.scale < 1 else cv2.INTER_AREA
        part = cv2.resize(values, size, interpolation=mode)
        x0, y0, x1, y1 = max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height)
        out[y0:y1, x0:x1] = part[y0 - self.y0 : y1 - self.y0, x0 - self.x0 : x1 - self.x0]
        return out


def around(box: tuple[int, int, int, int], margin: float) -> Window:
    """The window of the best fitting shape around a box (left, top, width, height) with a margin, all pixels."""
    x, y, w, h = box
    wide, high = w + 2 * margin, h + 2 * margin
    best = min(SHAPES, key=lambda s: max(wide / s[1], high / s[0]))
    step = max(wide / best[1], high / best[0], 1 / _LARGEST)  # pixels of the picture for one of the window
    wide, high = round(step * best[1]), round(step * best[0])
    x0, y0 = round(x + w / 2 - wide / 2), round(y + h / 2 - high / 2)
    return Window(x0, y0, x0 + wide, y0 + high, *best)


def whole(height: int, width: int) -> Window:
    """The window that shows a whole picture."""
    return around((0, 0, width, height), 0)
