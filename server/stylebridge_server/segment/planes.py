"""Small operations on (h, w) planes that several modules share."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import Plane


def plane(array: NDArray[Any]) -> Plane:
    """The same numbers as float32."""
    return np.asarray(array, np.float32)


def square(vectors: NDArray[Any]) -> Plane:
    """Squared length of the vectors of an (h, w, n) array."""
    return plane(np.einsum("ijk,ijk->ij", vectors, vectors))


def grow(mask: NDArray[Any], radius: int) -> Plane:
    """Maximum over a square of that radius."""
    return plane(cv2.dilate(plane(mask), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)))


def shrink(mask: NDArray[Any], radius: int) -> Plane:
    """Minimum over a square of that radius; beyond the picture's edge everything counts as inside."""
    return plane(cv2.erode(plane(mask), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)))


def smooth(values: NDArray[Any], sigma: float) -> Plane:
    """Gaussian blur."""
    return plane(cv2.GaussianBlur(plane(values), (0, 0), sigma))


def signed_distance(mask: NDArray[Any]) -> Plane:
    """Distance to the edge of a mask (inside where above one half) in pixels, positive inside."""
    hard = (mask > 0.5).astype(np.uint8)
    within = cv2.distanceTransform(hard, cv2.DIST_L2, 3)
    return plane(within - cv2.distanceTransform(1 - hard, cv2.DIST_L2, 3))


def fill(mask: NDArray[np.uint8], largest: float) -> NDArray[np.uint8]:
    """Close holes of at most `largest` pixels in a mask of 0 and 1."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] <= largest]
    return np.where(np.isin(parts, small), 1, mask).astype(np.uint8) if small else mask


def without_threads(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Drop what is thin and long (a lead, a leak along a line) from a mask of 0 and 1; keep short tips."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    if not opened.any():
        return mask
    thick = grow(opened, 1) > 0
    count, parts, stats, _ = cv2.connectedComponentsWithStats(((mask > 0) & ~thick).astype(np.uint8))
    longest = 0.2 * float(np.sqrt(mask.sum()))
    out = mask.copy()
    for i in range(1, count):
        if np.hypot(stats[i, cv2.CC_STAT_WIDTH], stats[i, cv2.CC_STAT_HEIGHT]) > max(longest, 8):
            out[parts == i] = 0
    return out
