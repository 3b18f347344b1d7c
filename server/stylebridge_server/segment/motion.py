"""Where things went: the camera's motion out of optical flow, and pictures moved along a flow."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.planes import plane, square
from stylebridge_server.values import FlowPair, Plane

Field = NDArray[np.float32]  # (h, w, 2), pixels (x, y)

_STEP = 8  # spacing of the samples that the camera's motion is fitted to


def coordinates(h: int, w: int) -> Field:
    """Position (x, y) of every pixel, (h, w, 2)."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    return np.stack([x, y], axis=2)


def pull(picture: NDArray[np.float32], field: Field, cubic: bool = False) -> NDArray[np.float32]:
    """The picture seen along a field: out[p] = picture[p + field[p]], edges repeated."""
    at = coordinates(*field.shape[:2]) + field
    mode = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    return np.asarray(
        cv2.remap(picture, at[..., 0], at[..., 1], mode, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def inside(field: Field) -> Plane:
    """1 where p + field[p] lies in the picture, else 0."""
    h, w = field.shape[:2]
    at = coordinates(h, w) + field
    ok = (at[..., 0] >= 0) & (at[..., 0] <= w - 1) & (at[..., 1] >= 0) & (at[..., 1] <= h - 1)
    return ok.astype(np.float32)


def camera(field: Field, valid: Plane, things: Plane) -> Field:
    """The motion of the scene behind the things, where they are too.

    A homography is fitted to the flow outside the things (RANSAC); what the scene's depth adds to it is taken
    from the flow around and carried smoothly into the places that things cover.

    Args:
        field: (h, w, 2) flow from the picture at hand to its neighbour.
        valid: (h, w) in [0, 1], trust in the flow.
        things: (h, w) in [0, 1], 1 on things that move by themselves.

    Returns:
        (h, w, 2) float32, the scene's own flow.
    """
    h, w = field.shape[:2]
    base = homography(field, valid, things)
    residual = field - base
    weight = valid * (1 - things)
    # What departs strongly from the fit is another moving thing, not depth.
    weight = weight * np.exp(-square(residual) / np.float32(2 * (0.01 * max(h, w)) ** 2))
    # Smooth, so a quarter of the resolution is enough.
    small = max(1, w // 4), max(1, h // 4)
    sigma = max(1.0, min(h, w) / 120)
    stacked = np.dstack([residual * weight[..., None], weight])
    stacked = cv2.GaussianBlur(cv2.resize(stacked, small, interpolation=cv2.INTER_AREA), (0, 0), sigma)
    depth = stacked[..., :2] / (stacked[..., 2:] + np.float32(1e-3))
    return plane(base + cv2.resize(depth, (w, h), interpolation=cv2.INTER_LINEAR))


def homography(field: Field, valid: Plane, things: Plane) -> Field:
    """The motion of one plane, the largest, everywhere: (h, w, 2) float32; arguments as for `camera`."""
    h, w = field.shape[:2]
    grid = coordinates(h, w)[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP].reshape(-1, 2)
    moved = grid + field[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP].reshape(-1, 2)
    keep = ((valid > 0.5) & (things < 0.1))[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP].ravel()
    if keep.sum() >= 24:
        cv2.setRNGSeed(0)
        matrix, _ = cv2.findHomography(grid[keep], moved[keep], cv2.RANSAC, 1.0, maxIters=500)
        if matrix is not None and np.isfinite(matrix).all() and _sane(matrix, h, w):
            at = cv2.perspectiveTransform(coordinates(h, w).reshape(-1, 1, 2), matrix).reshape(h, w, 2)
            return (at - coordinates(h, w)).astype(np.float32)
    shift = np.median(moved[keep] - grid[keep], axis=0) if keep.any() else np.zeros(2)
    return np.broadcast_to(shift.astype(np.float32), (h, w, 2)).copy()


def _sane(matrix: NDArray[Any], h: int, w: int) -> bool:
    """Refuse a fit that folds or blows up the picture."""
    corners = np.array([[[0, 0]], [[w, 0]], [[w, h]], [[0, h]]], np.float64)
    at = cv2.perspectiveTransform(corners, matrix).reshape(-1, 2)
    area = abs(float(cv2.contourArea(at.astype(np.float32))))
    return bool(np.isfinite(at).all()) and 0.5 < area / (h * w) < 2


def still(h: int, w: int) -> FlowPair:
    """Flow of a picture that does not move, for pictures too small to estimate one."""
    zero, one = np.zeros((h, w, 2), np.float32), np.ones((h, w), np.float32)
    return FlowPair(zero, zero, one, one)
