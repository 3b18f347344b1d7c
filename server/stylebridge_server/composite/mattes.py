"""From the mattes of an analysis to the shares that a composite gives its layers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stylebridge_server.steps import step
from stylebridge_server.values import Plane

# (matte (H, W) float32 in [0, 1], z, grow in pixels, softness in pixels, visible)
Placed = tuple[Plane, int, float, float, bool]

# A Gaussian's edge goes from 2 % to 98 % over about four of its sigmas: "softness" is that width.
_SIGMAS_PER_SOFTNESS = 4.0
# What a matte holds under this is nothing, when its box is looked for.
_EMPTY = 1.0 / 1024.0
# Pixels to the contour of a matte that has none.
_FAR = 1e6


def resolve_mattes(instances: Sequence[Placed]) -> tuple[list[Plane], Plane]:
    """Shape every matte, let the upper ones cover the lower ones, and give the background what is left.

    A matte is grown or shrunk, then softened. From the greatest z down, each takes of every pixel what it
    asks for as far as those above have left it: where an upper matte covers half a pixel, the other half is
    the next one's. So two things that touch share their edge, and no background shines through between them.
    Of equal z, the later in the list lies on top. An invisible instance covers nothing.

    Args:
        instances: at least one (matte (H, W) float32 in [0, 1], z, grow in pixels (negative shrinks),
            softness in pixels, visible), all of one size.

    Returns:
        The shares of the instances, in the order given, and of the background: (H, W) float32, 0 or more,
        together 1.
    """
    left = np.ones(instances[0][0].shape, np.float32)
    shares = [np.zeros_like(left) for _ in instances]
    for index in sorted(range(len(instances)), key=lambda i: (instances[i][1], i), reverse=True):
        step()
        matte, _, grow, softness, visible = instances[index]
        if visible:
            shares[index] = np.minimum(shape_matte(matte, grow, softness), left)
            left -= shares[index]
    return shares, left


def shape_matte(matte: Plane, grow: float, softness: float) -> Plane:
    """A matte grown by `grow` pixels (shrunk where negative), its edge then made `softness` pixels softer.

    Both are smooth in their parameter, below a pixel too, so that keyframes glide; 0 and 0 give the matte
    itself.

    Args:
        matte: (H, W) float32 in [0, 1].

    Returns:
        (H, W) float32 in [0, 1].
    """
    sigma = max(0.0, softness) / _SIGMAS_PER_SOFTNESS
    if grow == 0.0 and sigma == 0.0:
        return matte
    # All that can change lies in the box of the matte and what the edge can move by.
    reach = int(np.ceil(max(grow, 0.0) + 4.0 * sigma)) + 4
    box = _box(matte, reach)
    if box is None:
        return matte
    shaped = matte[box]
    if grow != 0.0:
        shaped = _grown(shaped, grow)
    if sigma > 0.0:
        side = 2 * int(np.ceil(3.0 * sigma)) + 1
        shaped = cv2.GaussianBlur(shaped, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    result = np.zeros_like(matte)
    result[box] = np.clip(shaped, 0.0, 1.0)
    return result


def _grown(matte: Plane, grow: float) -> Plane:
    """The matte's half-way contour moved out by `grow` pixels, with an edge as wide as the matte's own.

    The contour moves by distance, so corners stay round and thin parts survive; what is fine in the matte's
    edge and is not its width (hair, motion blur) stays whole without growth and is gone at one edge width of
    it.
    """
    distance = _signed_distance(matte)
    width = _edge_width(matte)
    moved = _ramp(distance + grow, width)
    own = max(0.0, 1.0 - abs(grow) / width)
    if own > 0.0:
        moved += np.float32(own) * (matte - _ramp(distance, width))
    return moved


def _signed_distance(matte: Plane) -> Plane:
    """Pixels to the half-way contour, positive within."""
    covered = (matte >= 0.5).astype(np.uint8)
    if covered.all() or not covered.any():
        return np.full(matte.shape, _FAR if covered.all() else -_FAR, np.float32)
    within = cv2.distanceTransform(covered, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    without = cv2.distanceTransform(1 - covered, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Distances go from pixel centre to pixel centre: the contour lies half a pixel before. Smoothing takes
    # out the steps of the pixel grid.
    distance = within - without - np.sign(within - without) * np.float32(0.5)
    return np.asarray(cv2.GaussianBlur(distance, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE))


def _edge_width(matte: Plane) -> float:
    """How many pixels the matte's edge is wide, 1 for a hard one.

    Along a straight ramp of width w, 4 m (1 - m) sums to 2/3 w a pixel of contour, and the length of the
    contour is the sum of the gradient.
    """
    x = cv2.Sobel(matte, cv2.CV_32F, 1, 0, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    y = cv2.Sobel(matte, cv2.CV_32F, 0, 1, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    length = float(cv2.magnitude(x, y).sum(dtype=np.float64))
    soft = float((4.0 * matte * (1.0 - matte)).sum(dtype=np.float64))
    return max(1.0, 1.5 * soft / max(length, 1e-6))


def _ramp(distance: Plane, width: float) -> Plane:
    return np.clip(0.5 + distance / np.float32(width), 0.0, 1.0)


def _box(matte: Plane, reach: int) -> tuple[slice, slice] | None:
    """The part of the picture where the matte is not empty, `reach` pixels more on each side."""
    x, y, width, height = cv2.boundingRect((matte > _EMPTY).astype(np.uint8))
    if width == 0 or height == 0:
        return None
    return slice(max(0, y - reach), y + height + reach), slice(max(0, x - reach), x + width + reach)
