"""The bounded window: a stream made steady over time without any state.

Frame t of a stream is the weighted mean of styled frames around it, each brought to t by optical flow, and made as
crisp as the frame by itself. It reads styled frames only and never an earlier result, so it is the same whatever was
rendered before it, nothing drifts, and each picture is resampled once.

The window lies on both sides of t. In trials (docs/steady.md) as many frames on one side alone left a third more of
the error from frame to frame and a fifth more of the slow boil: frames near in time are like t, and there are twice as
many of them. And it is open: the same number of frames, further apart the further they are from t, hold still what
changes slowly as well as half as many again did that lay one after another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stylebridge_server.steps import step
from stylebridge_server.temporal.crisp import around, crisp
from stylebridge_server.temporal.flow import Field, grid, sample
from stylebridge_server.temporal.half import doubled
from stylebridge_server.threads import at_once, in_bands
from stylebridge_server.values import FlowPair, Plane, Rgb, Tile

#: Names the method: another where the same frames give another result.
METHOD = "open window at half the size, crisp"

# How fast a tap loses weight as the source changes along its path: exp(-20 |d|^2 - 130 |e|^2), RGB in [0, 1], d
# being the difference and e what of it lies outside the range of colours of the pixel's neighbours. Over fine
# texture a flow that is right to a fraction of a pixel makes great differences, all of them colours that are there;
# a ghost brings colours that are not.
_DIFFERENT = 20.0
_FOREIGN = 130.0
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

        It holds the filters' margins and is clipped to the picture; (0, 0, 0, 0) where the tap has no weight
        around the tile and nothing is read.
        """
        return self._box(j, self._around(tile))

    def _around(self, tile: Tile) -> Tile:
        """The part of frame t that is blended for a tile."""
        return around(tile, *self.weights[0].shape) if len(self.maps) > 1 else tile

    def _box(self, j: int, part: Tile) -> tuple[int, int, int, int]:
        """The same for a part of frame t without a margin."""
        if j == 0:
            return part.x0, part.y0, part.x1, part.y1
        used = (self.weights[j][part.slices] > 0).astype(np.uint8)
        if not used.any():
            return 0, 0, 0, 0
        x, y = cv2.split(self.maps[j][part.slices])
        (left, right), (top, bottom) = (cv2.minMaxLoc(plane, used)[:2] for plane in (x, y))
        height, width = self.weights[j].shape
        # Cubic: one pixel before the position's own, two after.
        return (
            max(0, int(left) - 1),
            max(0, int(top) - 1),
            min(width, int(right) + 3),
            min(height, int(bottom) + 3),
        )


@dataclass(frozen=True)
class Link:
    """A frame on one side of t, reached from the one before it on that side, or from t; at half the size, see `half`.

    Attributes:
        pair: the flow to it, and back.
        plate: the source frame, float32 RGB as `half.shown` gives it; None where it is only passed on the way.
        weight: how much it counts before validity, frame t being 1; not read without a plate.
    """

    pair: FlowPair
    plate: Rgb | None = None
    weight: float = 0.0


def taps(image: Rgb, size: tuple[int, int], *sides: Iterable[Link], amount: float = 1.0) -> Taps:
    """Follow every pixel of frame t through the window, and weigh what is found there.

    Args:
        image: the source frame t at half the size, float32 RGB as `half.shown` gives it.
        size: the whole one, (h, w).
        sides: the frames before it, those after it, nearest first. The window is as long as these are; cuts and the
            ends of the source shorten it, which is the caller's business.
        amount: in [0, 1], scales the weight of every tap but the first; 0 is the styled frame itself, bit for
            bit.

    Returns:
        Taps: of frame t, then of the links with a plate, in the order given.
    """
    height, width = size
    everywhere = grid(height, width)
    likeness = _Likeness(image)

    def follow(links: Sequence[Link]) -> list[tuple[Field, Plane]]:
        path, found = _Path(image.shape[0], image.shape[1], size), []
        for link in links:
            path.follow(link.pair)
            if link.plate is None:
                continue
            weight = likeness(sample(link.plate, path.positions))
            # The tests of the flow are strict, for other uses; what they doubt and what looks right counts.
            weight *= np.sqrt(np.sqrt(path.believed))
            weight *= amount * link.weight
            weight -= _NEGLIGIBLE
            positions = doubled(path.moved, height, width)
            positions += everywhere
            cv2.min(positions, (width - 1, height - 1, 0, 0), dst=positions)
            np.maximum(positions, np.float32(0), out=positions)
            found.append((positions, doubled(np.maximum(weight, 0.0, out=weight), height, width)))
        return found

    asked: list[list[Link]] = [[] for _ in sides]
    for links, side in zip(asked, sides, strict=True):
        for link in side:
            step()
            links.append(link)
    taken = [(everywhere, np.ones(size, np.float32)), *itertools.chain(*at_once(follow, asked))]
    step()
    return Taps(tuple(positions for positions, _ in taken), tuple(weight for _, weight in taken))


class _Path:
    """Where frame t's pixels have gone, a frame at a time in one fixed order; in pixels of half the size.

    Attributes:
        positions: (h, w, 2) float32, (x, y), within the picture.
        believed: (h, w) float32 in [0, 1]: how far that is known.
    """

    def __init__(self, height: int, width: int, size: tuple[int, int]) -> None:
        self._start = self.positions = grid(height, width)
        # The middles of the outermost pixels of the whole size.
        self._last = np.array((size[1] / 2 - 0.75, size[0] / 2 - 0.75), np.float32)
        self.believed: Plane = np.ones((height, width), np.float32)

    @property
    def moved(self) -> Field:
        """(h, w, 2) float32: how far they went, (x, y), in pixels of the whole size."""
        away = self.positions - self._start
        away *= np.float32(2)
        return away

    def follow(self, pair: FlowPair) -> None:
        """Go on by the pair's forward flow."""
        flow, valid = pair.forward, pair.forward_valid
        if self.positions is not self._start:
            flow, valid = sample(flow, self.positions), sample(valid, self.positions)
        moved = self.positions + flow
        self.positions = np.clip(moved, np.float32(-0.25), self._last)
        self.believed *= valid
        # From a pixel of the whole size outside on nothing is believed of them.
        beyond = cv2.transform(cv2.absdiff(moved, self.positions), np.full((1, 2), 2, np.float32))
        np.subtract(np.float32(1), beyond.reshape(valid.shape), out=beyond)
        self.believed *= np.maximum(beyond, np.float32(0), out=beyond)


def fade(distances: Sequence[int], beyond: int) -> list[float]:
    """The weights, before validity, of frames on one side of t, so far away, frame t being 1.

    They fall in a line to nothing where the next frame would be, `beyond`: what changes from one frame's result to the
    next is how much each styled frame counts, and so none comes or goes at once. Where they lie further apart each
    stands for more, by the root of the space around it: more still would hold slow changes better, and fast ones worse.
    """
    edges = [0, *distances, beyond]
    return [
        (1 - there / beyond) * math.sqrt((after - before) / 2)
        for before, there, after in zip(edges, edges[1:], edges[2:], strict=False)
    ]


def blend(taps: Taps, tile: Tile, sources: Sequence[Rgb]) -> Rgb:
    """One tile of the steady stream.

    Bit for bit the same region of what the whole frame gives, and `sources[0]`'s own bits where no other tap
    counts.

    Args:
        taps: of frame t.
        tile: the part of frame t to make.
        sources: the styled frames of the taps, in their order: (h, w, 3) float32 each, at least what
            `Taps.footprint` names being valid; the rest finite, whatever it is.

    Returns:
        (th, tw, 3) float32.
    """
    if len(taps.maps) == 1:
        return sources[0][tile.slices].copy()
    part = taps._around(tile)
    present = sources[0][part.slices]
    mean = np.empty(present.shape, np.float32)
    share = np.empty(present.shape[:2], np.float32)

    def band(rows: slice) -> None:
        here = Tile(part.x0, part.y0 + rows.start, part.x1, part.y0 + rows.stop)
        total = taps.weights[0][here.slices].copy()
        summed = sources[0][here.slices].copy()
        for positions, weights, source in zip(taps.maps[1:], taps.weights[1:], sources[1:], strict=True):
            weight = weights[here.slices]
            if not weight.any():
                continue
            found = cv2.remap(
                source, positions[here.slices], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            found *= _three(weight)
            summed += found
            total += weight
        np.divide(summed, _three(total), out=mean[rows])
        total -= np.float32(1.0)
        np.minimum(total, np.float32(1.0), out=share[rows])

    step()
    in_bands(present.shape[0], present.shape[1], band)
    step()
    steady = crisp(mean, present, share)
    rows = slice(tile.y0 - part.y0, tile.y1 - part.y0)
    return np.ascontiguousarray(steady[rows, tile.x0 - part.x0 : tile.x1 - part.x0])


def _three(plane: Plane) -> Rgb:
    """A plane repeated in three channels."""
    return np.asarray(cv2.merge((plane, plane, plane)))


class _Likeness:
    """How like frame t other pictures are that have been brought to it."""

    def __init__(self, image: Rgb) -> None:
        self._image = image
        neighbours = np.ones((3, 3), np.uint8)
        self._least = np.asarray(cv2.erode(image, neighbours))
        self._greatest = np.asarray(cv2.dilate(image, neighbours))

    def __call__(self, found: Rgb) -> Plane:
        """1 where `found` (h, w, 3) float32 agrees, falling towards 0 as it differs: (h, w) float32."""
        # In place where that can be: new memory of this size costs as much as the sums.
        different = found - self._image
        different *= different
        different *= np.float32(_DIFFERENT / _FOREIGN)
        foreign = cv2.max(cv2.min(found, self._greatest), self._least)
        foreign -= found
        foreign *= foreign
        foreign += different
        exponent = cv2.transform(foreign, np.full((1, 3), -_FOREIGN, np.float32))
        blurred = cv2.GaussianBlur(exponent, (0, 0), _NOISE_SIGMA, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.exp(blurred))
