"""Half the size, at which the window follows and compares: a quarter of the work.

DIS finds a vector for each four pixels anyhow. In trials (docs/steady.md) weights that are made of means of four pixels
held the styled clips as still as those of single pixels, or stiller: grain and fine texture that flow misses by a
fraction of a pixel no longer count as differences.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.temporal.flow import believed, validity
from stylebridge_server.values import FlowPair, Plane, Rgb

Planes = NDArray[np.float32]  # (h, w) or (h, w, C)


def halved(planes: Planes) -> Planes:
    """The mean of each four pixels, ((h + 1) // 2, (w + 1) // 2); of an odd side the last ones count twice."""
    height, width = planes.shape[:2]
    if height % 2 or width % 2:
        planes = cv2.copyMakeBorder(planes, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    size = -(-width // 2), -(-height // 2)
    return np.asarray(cv2.resize(planes, size, interpolation=cv2.INTER_AREA))


def shown(picture: Rgb) -> Rgb:
    """What a display shows of a picture (h, w, 3), display-referred, at half the size; what is no number, black."""
    clipped = np.clip(picture, 0.0, 1.0)
    cv2.patchNaNs(clipped, 0.0)
    return halved(clipped)


def doubled(planes: Planes, height: int, width: int) -> Planes:
    """The way back from `halved` to a size, by linear interpolation."""
    size = planes.shape[1] * 2, planes.shape[0] * 2
    large = cv2.resize(planes, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(large[:height, :width])


def for_window(pair: FlowPair) -> FlowPair:
    """What a method of flow gave, as the window follows it: at half the size, with how far it can be believed."""
    return believed(halved_pair(pair), partial(validity, pixel=2.0))


def halved_pair(pair: FlowPair) -> FlowPair:
    """Flow at half the size, in its pixels; valid is the least of each four."""
    return FlowPair(
        halved(pair.forward) * np.float32(0.5),
        halved(pair.backward) * np.float32(0.5),
        _least(pair.forward_valid),
        _least(pair.backward_valid),
    )


def _least(valid: Plane) -> Plane:
    height, width = valid.shape
    if height % 2 or width % 2:
        valid = cv2.copyMakeBorder(valid, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    rows = np.minimum(valid[::2], valid[1::2])
    return np.minimum(rows[:, ::2], rows[:, 1::2])
