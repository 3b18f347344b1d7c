"""Optical flow between two frames, both ways, with a soft measure of where it can be believed.

The flow is DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016), OpenCV's medium
preset, on 8-bit luma. Where it can be believed follows the tests of Ruder, Dosovitskiy and Brox
("Artistic style transfer for videos", GCPR 2016), made soft: a threshold flips on rounding, so two machines would
disagree by whole pixels of weight, and a threshold crawls visibly along edges from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.steps import step
from stylebridge_server.temporal.working import Field, enlarged, reduced, working_size
from stylebridge_server.threads import at_once
from stylebridge_server.values import FlowPair, Plane, Rgb, Rgb8

Test = Callable[[Field, Field], Plane]

LINES = 720  # the short side at which DIS works at most; see `working`
# DIS's coarsest patches do not fit a side shorter than this (it raises, or reads outside the picture).
SMALLEST_SIDE = 16


class Effort(NamedTuple):
    """What DIS takes: pixels between patches, and steps of gradient descent for each."""

    stride: int
    steps: int


PRESET = Effort(3, 25)
# On the example shot it errs as little as the preset (docs/flow.md), in three quarters of the time. Things, which are
# followed over many frames, were followed less well by it.
LESS = Effort(4, 8)


def flow_pair(a: Rgb8 | Rgb, b: Rgb8 | Rgb, test: Test | None = None) -> FlowPair:
    """Flow from `a` to `b` and back, with soft validity.

    A pure function of the two pictures. Identical pictures give zero flow, valid everywhere. Pictures with a
    side under 16 pixels are taken to stand still: the weights of the window see for themselves whether that
    holds.

    Args:
        a, b: (h, w, 3) of one size, display-referred RGB: uint8, or float32 in [0, 1] (values outside are
            clipped).
        test: says how far a flow can be believed, given the flow the other way round: `validity` for blending, where
            a doubtful pixel is better left out; `occlusion` for following things, whose edges are motion boundaries.

    Returns:
        `FlowPair`: float32, displacements in pixels.
    """
    return believed(dis(a, b), test)


def dis(a: Rgb8 | Rgb, b: Rgb8 | Rgb, effort: Effort = PRESET) -> FlowPair:
    """As `flow_pair`, and all of it believed."""
    size = a.shape[0], a.shape[1]
    small = working_size(size, LINES)
    first, second = (reduced(luma8(picture), small) for picture in (a, b))
    # DIS's coarse levels leave all threads but one idle. The same bits.
    forward, backward = at_once(
        lambda ends: enlarged(_dis(*ends, effort), size), [(first, second), (second, first)]
    )
    step()
    return FlowPair(forward, backward, np.ones(size, np.float32), np.ones(size, np.float32))


def believed(pair: FlowPair, test: Test | None = None) -> FlowPair:
    """Flow both ways with how far each way can be believed, of what was valid; `test` as for `flow_pair`."""
    test = test or validity
    ways = (
        (pair.forward, pair.backward, pair.forward_valid),
        (pair.backward, pair.forward, pair.backward_valid),
    )
    forward, backward = at_once(lambda way: test(way[0], way[1]) * way[2], ways)
    return FlowPair(pair.forward, pair.backward, forward, backward)


def luma8(rgb: Rgb8 | Rgb) -> NDArray[np.uint8]:
    """Luma (Rec. 601 weights, as OpenCV's) of display-referred RGB as (h, w) uint8."""
    if rgb.dtype == np.uint8:
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    grey = cv2.cvtColor(np.ascontiguousarray(rgb, dtype=np.float32), cv2.COLOR_RGB2GRAY)
    cv2.patchNaNs(grey, 0.0)
    return np.asarray(cv2.convertScaleAbs(np.clip(grey, 0.0, 1.0, out=grey), alpha=255.0))


def validity(flow: Field, back: Field, pixel: float = 1.0) -> Plane:
    """How far `flow` can be believed at each pixel, from the flow the other way round.

    The product of three soft tests, each a falling function of what Ruder et al. compare with a threshold: the
    way there and back (occlusion; one half at their threshold), the gradient of the flow (motion boundary; one
    half at three times theirs), and the part of the way that lies outside the picture (over one pixel).

    Args:
        flow: (h, w, 2) float32 pixels, from this picture to the other.
        back: (h, w, 2) float32 pixels, from the other picture to this.
        pixel: how many pixels of the whole size one of these is long: the thresholds are in those.

    Returns:
        (h, w) float32 in [0, 1].
    """
    height, width = flow.shape[:2]
    scale = np.float32(pixel**2)
    target = flow + grid(height, width)
    returning = sample(back, target)
    speed = _squared(flow)
    speed *= scale
    away = _squared(returning)
    away *= scale
    away += speed
    away *= np.float32(0.01)
    away += np.float32(0.5)
    returning += flow
    occluded = _squared(returning)
    occluded *= scale
    occluded /= away
    # At their own threshold DIS's unevenness over still texture already counts as a boundary, which cost a third of the
    # steadiness in trials and kept no ghost away: the other tests and the window's own see to those.
    speed *= np.float32(0.01)
    speed += np.float32(0.002)
    speed *= np.float32(3.0)
    boundary = _gradient_energy(flow)
    boundary /= speed
    found = _soft(occluded)
    found *= _soft(boundary)
    found *= inside(target)
    return found


def occlusion(flow: Field, back: Field) -> Plane:
    """How far a pixel of this picture is seen in the other at all: Ruder et al.'s occlusion test alone.

    Args:
        flow, back: as for `validity`.

    Returns:
        (h, w) float32: 1 up to their threshold, 0 from twice of it on and outside the picture.
    """
    target = flow + grid(*flow.shape[:2])
    # Outside, the way back leads nowhere near.
    far = (999.0, 999.0)
    returning = cv2.remap(
        back, target, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=far
    )
    ratio = _squared(flow + returning) / (0.01 * (_squared(flow) + _squared(returning)) + 0.5)
    return np.clip(2.0 - ratio, 0.0, 1.0)


@lru_cache(4)
def grid(height: int, width: int) -> Field:
    """The position of every pixel: (h, w, 2) float32, (x, y), read-only."""
    positions = np.empty((height, width, 2), np.float32)
    positions[..., 0] = np.arange(width, dtype=np.float32)
    positions[..., 1] = np.arange(height, dtype=np.float32)[:, None]
    positions.flags.writeable = False
    return positions


def sample(values: NDArray[np.float32], positions: Field) -> Any:
    """`values` (h, w) or (h, w, C) at float `positions` (th, tw, 2), bilinear; the edge goes on outside."""
    return cv2.remap(values, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def inside(positions: Field) -> Plane:
    """1 for positions within the picture of their own size, 0 from a pixel outside on: (h, w) float32."""
    height, width = positions.shape[:2]
    within = cv2.max(cv2.min(positions, (width - 1, height - 1, 0, 0)), 0.0)
    x, y = cv2.split(cv2.absdiff(positions, within))
    beyond = cv2.max(x, y)
    np.subtract(np.float32(1.0), beyond, out=beyond)
    return np.maximum(beyond, np.float32(0.0), out=beyond)


def inside_picture(flow: Field) -> Plane:
    """1 where `flow` (h, w, 2) leads to a place within the picture, 0 from a pixel outside on: (h, w) float32."""
    return inside(flow + grid(*flow.shape[:2]))


def _dis(a: NDArray[np.uint8], b: NDArray[np.uint8], effort: Effort) -> Field:
    if min(a.shape) < SMALLEST_SIDE:
        return np.zeros((*a.shape, 2), np.float32)
    # A new object each time: it keeps buffers, and is not safe between threads.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setPatchStride(effort.stride)
    method.setGradientDescentIterations(effort.steps)
    # None as the flow: an array given there is read as an initial guess, and the result would depend on what it held.
    return np.asarray(method.calc(a, b, None))


def _squared(field: Field) -> Plane:
    squares = field * field
    return np.add(squares[..., 0], squares[..., 1])


def _gradient_energy(flow: Field) -> Plane:
    """|grad u|^2 + |grad v|^2 by central differences: (h, w) float32."""
    border = cv2.BORDER_REPLICATE
    along_x = cv2.Sobel(flow, cv2.CV_32F, 1, 0, ksize=1, scale=0.5, borderType=border)
    along_y = cv2.Sobel(flow, cv2.CV_32F, 0, 1, ksize=1, scale=0.5, borderType=border)
    along_x *= along_x
    along_y *= along_y
    along_x += along_y
    return np.add(along_x[..., 0], along_x[..., 1])


def _soft(ratio: Plane) -> Plane:
    """1 well under a ratio of 1, one half at it, 0 well above; written over."""
    ratio *= ratio
    ratio += np.float32(1.0)
    return np.divide(np.float32(1.0), ratio, out=ratio)
