"""The bounded window: a stream made steady over time without any state.

Frame t of a stream is the weighted mean of the styled frames around it, each brought to t by optical flow. It reads
styled frames only and never an earlier result, so it is the same whatever was rendered before it, nothing drifts, and
each picture is resampled once.

The window lies on both sides of t. In trials (docs/steady.md) as many frames on one side alone left a third more of
the error from frame to frame and a fifth more of the slow boil: frames near in time are like t, and there are twice as
many of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.steps import step
from stylebridge_server.temporal.flow import Field, grid, sample
from stylebridge_server.values import FlowPair, Plane, Rgb, Tile

# How fast a tap loses weight as the source changes along its path: exp(-20 |d|^2 - 200 |e|^2), RGB in [0, 1], d
# being the difference and e what of it lies outside the range of colours of the pixel's neighbours. Over fine
# texture a flow that is right to a fraction of a pixel makes great differences, all of them colours that are there;
# a ghost brings colours that are not.
_DIFFERENT = 20.0
_FOREIGN = 200.0
# Their sum is averaged over this many pixels each way before it counts, so that grain in single pixels does not
# make weights, and with them the result, grainy.
_NOISE_SIGMA = 1.0
# Weights below this are nothing. Taken off all of them, so that none jumps.
_NEGLIGIBLE = 0.005


@dataclass(frozen=True)
class Taps:
    """Where a frame's window reads, and how much each reading counts.

    Attributes:
        maps: per tap (h, w, 2) float32: the pixel position (x, y) in the tap's frame of what frame t shows at this
            pixel, clipped to the picture. Tap 0 is the frame itself.
        weights: per tap (h, w) float32, 0 or more; tap 0 is positive everywhere.
    """

    maps: tuple[Field, ...]
    weights: tuple[Plane, ...]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (*self.maps, *self.weights))

    def footprint(self, j: int, tile: Tile) -> tuple[int, int, int, int]:
        """The box (x0, y0, x1, y1), ends excluded, of tap j's frame that this tile of frame t reads.

        It holds the filter's margin and is clipped to the picture; (0, 0, 0, 0) where the tap has no weight
        in the tile and nothing is read.
        """
        if j == 0:
            return tile.x0, tile.y0, tile.x1, tile.y1
        reach = self._reach(j, tile)
        if reach is None:
            return 0, 0, 0, 0
        low, high = reach
        height, width = self.weights[j].shape
        # Cubic: one pixel before the position's own, two after.
        return (
            max(0, int(low[0]) - 1),
            max(0, int(low[1]) - 1),
            min(width, int(high[0]) + 3),
            min(height, int(high[1]) + 3),
        )

    def _reach(self, j: int, tile: Tile) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """The least and the greatest (x, y) read with any weight, or None."""
        used = (self.weights[j][tile.slices] > 0).astype(np.uint8)
        if not used.any():
            return None
        least, greatest = np.empty(2, np.float32), np.empty(2, np.float32)
        for axis in (0, 1):
            plane = cv2.extractChannel(self.maps[j][tile.slices], axis)
            least[axis], greatest[axis] = cv2.minMaxLoc(plane, used)[:2]
        return least, greatest


# The frames on one side of t, nearest first: a source frame, (h, w, 3) float32 display-referred RGB, and the flow to it
# from the one before it in this list (from t, for the first).
Side = Sequence[tuple[Rgb, FlowPair]]


def taps(image: Rgb, *sides: Side, amount: float = 1.0) -> Taps:
    """Follow every pixel of frame t through the window, and weigh what is found there.

    Args:
        image: the source frame t, (h, w, 3) float32 display-referred RGB.
        sides: the source frames before it, those after it, all of its size. The window is as long as these lists;
            cuts and the ends of the source shorten it, which is the caller's business.
        amount: in [0, 1], scales the weight of every tap but the first; 0 is the styled frame itself, bit for
            bit.

    Returns:
        Taps: of frame t, then of the sides in the order given.
    """
    height, width = image.shape[:2]
    here = grid(height, width)
    maps, weights = [here], [np.ones((height, width), np.float32)]
    likeness = _Likeness(image)
    for side in sides:
        positions, believed = here, np.ones((height, width), np.float32)
        for j, (other, pair) in enumerate(side, start=1):
            step()
            # One fixed order: the chain is followed from t on, a frame at a time.
            believed = believed * sample(pair.forward_valid, positions)
            positions = positions + sample(pair.forward, positions)
            positions, within = _kept_inside(positions)
            believed *= within
            weight = believed * likeness(sample(other, positions))
            weight *= amount * tap_weight(j, len(side))
            maps.append(positions)
            weights.append(np.maximum(weight - _NEGLIGIBLE, 0.0))
    return Taps(tuple(maps), tuple(weights))


def tap_weight(j: int, count: int) -> float:
    """The weight, before validity, of the j-th of `count` frames on a side, frame t being 1: 1 - j / (count + 1).

    What changes from one frame's result to the next is how much each styled frame counts: with weights that fall in a
    line to nothing, none comes or goes at once. Flatter ones were no steadier in trials, and softer.
    """
    return 1.0 - j / (count + 1)


def blend(taps: Taps, tile: Tile, sources: Sequence[Rgb]) -> Rgb:
    """One tile of the steady stream.

    Bit for bit the same region of what the whole frame gives, and `sources[0]`'s own bits where no other tap
    counts.

    Args:
        taps: of frame t.
        tile: the part of frame t to make.
        sources: the styled frames of the taps, in their order: (h, w, 3) float32 each, at least what
            `Taps.footprint` names being valid; the rest is not read.

    Returns:
        (th, tw, 3) float32.
    """
    present = sources[0][tile.slices]
    total = taps.weights[0][tile.slices].copy()
    change = np.zeros(present.shape, np.float32)
    for j in range(1, len(taps.maps)):
        reach = taps._reach(j, tile)
        if reach is None:
            continue
        x0, y0, x1, y1 = taps.footprint(j, tile)
        # Pixels without weight are kept from reading outside the footprint; no other position changes.
        # Subtracting a whole number from a position of at least that size is exact, so a crop reads what the
        # whole would.
        positions = _clipped(taps.maps[j][tile.slices], *reach)
        positions -= np.array([x0, y0], np.float32)
        crop = np.ascontiguousarray(sources[j][y0:y1, x0:x1])
        found = cv2.remap(crop, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        weight = taps.weights[j][tile.slices]
        found -= present
        found *= _three(weight)
        change += found
        total += weight
    change /= _three(total)
    change += present
    return change


def _kept_inside(positions: Field) -> tuple[Field, Plane]:
    """Positions clipped to the picture, and how far that left them where they were (0 from a pixel on)."""
    height, width = positions.shape[:2]
    kept = _clipped(positions, np.zeros(2, np.float32), np.array([width - 1, height - 1], np.float32))
    moved = kept - positions
    np.abs(moved, out=moved)
    x, y = cv2.split(moved)
    return kept, np.maximum(1.0 - np.maximum(x, y), 0.0)


def _clipped(positions: Field, least: NDArray[np.float32], greatest: NDArray[np.float32]) -> Field:
    x, y = cv2.split(positions)
    return np.asarray(cv2.merge((np.clip(x, least[0], greatest[0]), np.clip(y, least[1], greatest[1]))))


def _three(plane: Plane) -> Rgb:
    """A plane repeated in three channels."""
    return np.asarray(cv2.merge((plane, plane, plane)))


class _Likeness:
    """How like frame t other pictures are that have been brought to it."""

    def __init__(self, image: Rgb) -> None:
        self._image = _displayed(image)
        neighbours = np.ones((3, 3), np.uint8)
        self._least = np.asarray(cv2.erode(self._image, neighbours))
        self._greatest = np.asarray(cv2.dilate(self._image, neighbours))

    def __call__(self, found: Rgb) -> Plane:
        """1 where `found` (h, w, 3) float32 agrees, falling towards 0 as it differs: (h, w) float32."""
        # In place where that can be: new memory of this size costs as much as the sums.
        found = _displayed(found)
        different = found - self._image
        different *= different
        different *= np.float32(_DIFFERENT / _FOREIGN)
        foreign = found - self._greatest
        np.maximum(foreign, np.subtract(self._least, found, out=found), out=foreign)
        np.maximum(foreign, 0.0, out=foreign)
        foreign *= foreign
        foreign += different
        exponent = cv2.transform(foreign, np.full((1, 3), -_FOREIGN, np.float32))
        blurred = cv2.GaussianBlur(exponent, (0, 0), _NOISE_SIGMA, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.exp(blurred))


def _displayed(image: Rgb) -> Rgb:
    """What a display shows of it; what is no number, black."""
    shown = np.clip(image, 0.0, 1.0)
    cv2.patchNaNs(shown, 0.0)
    return shown
