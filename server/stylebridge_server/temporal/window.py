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

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stylebridge_server.steps import step
from stylebridge_server.temporal.bands import in_bands
from stylebridge_server.temporal.crisp import around, crisp
from stylebridge_server.temporal.flow import Field, grid, sample
from stylebridge_server.values import FlowPair, Plane, Rgb, Tile

#: Names the method: another where the same frames give another result.
METHOD = "open window, crisp"

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
    """A frame on one side of t, reached from the one before it on that side, or from t.

    Attributes:
        pair: the flow to it, and back.
        plate: the source frame, (h, w, 3) float32 display-referred RGB; None where it is only passed on the way.
        weight: how much it counts before validity, frame t being 1; not read without a plate.
    """

    pair: FlowPair
    plate: Rgb | None = None
    weight: float = 0.0


def taps(image: Rgb, *sides: Iterable[Link], amount: float = 1.0) -> Taps:
    """Follow every pixel of frame t through the window, and weigh what is found there.

    Args:
        image: the source frame t, (h, w, 3) float32 display-referred RGB.
        sides: the frames before it, those after it, nearest first, all of its size. Each is asked for when it is
            followed. The window is as long as these are; cuts and the ends of the source shorten it, which is the
            caller's business.
        amount: in [0, 1], scales the weight of every tap but the first; 0 is the styled frame itself, bit for
            bit.

    Returns:
        Taps: of frame t, then of the links with a plate, in the order given.
    """
    height, width = image.shape[:2]
    maps, weights = [grid(height, width)], [np.ones((height, width), np.float32)]
    likeness = _Likeness(image)
    for side in sides:
        path = _Path(height, width)
        for link in side:
            step()
            path.follow(link.pair)
            if link.plate is None:
                continue
            positions = path.positions.copy()
            maps.append(positions)
            weights.append(likeness(link.plate, positions, path.believed, amount * link.weight))
    return Taps(tuple(maps), tuple(weights))


class _Path:
    """Where frame t's pixels have gone, a frame at a time in one fixed order.

    Attributes:
        positions: (h, w, 2) float32 pixels, (x, y), within the picture; written over by the next frame.
        believed: (h, w) float32 in [0, 1]: how far that is known; likewise.
    """

    def __init__(self, height: int, width: int) -> None:
        self.positions: Field = grid(height, width).copy()
        self.believed: Plane = np.ones((height, width), np.float32)
        # Kept, for new memory costs more than what is done in it.
        self._flow = np.empty((height, width, 3), np.float32)
        self._started = False

    def follow(self, pair: FlowPair) -> None:
        """Go on by the pair's forward flow."""
        height, width = self.believed.shape
        flow, started = self._flow, self._started

        def beside(rows: slice) -> None:
            # One reading of three channels costs less than two of fewer.
            cv2.mixChannels([pair.forward[rows], pair.forward_valid[rows]], [flow[rows]], [0, 0, 1, 1, 2, 2])

        def onward(rows: slice) -> None:
            places, believed = self.positions[rows], self.believed[rows]
            here = sample(flow, places) if started else flow[rows]
            moved, valid = np.empty_like(places), np.empty_like(believed)
            cv2.mixChannels([here], [moved, valid], [0, 0, 1, 1, 2, 2])
            moved += places
            cv2.min(moved, (width - 1, height - 1, 0, 0), dst=places)
            cv2.max(places, (0, 0, 0, 0), dst=places)
            # From a pixel outside on nothing is believed of them.
            cv2.absdiff(moved, places, dst=moved)
            np.subtract(np.float32(1.0), moved, out=moved)
            cv2.max(moved, (0, 0, 0, 0), dst=moved)
            believed *= valid
            believed *= moved[..., 0]
            believed *= moved[..., 1]

        in_bands(height, width, beside)
        in_bands(height, width, onward)
        self._started = True


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
            `Taps.footprint` names being valid; the rest is not read.

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
        for j in range(1, len(taps.maps)):
            x0, y0, x1, y1 = taps._box(j, here)
            if x0 == x1:
                continue
            positions = taps.maps[j][here.slices]
            if x0 or y0:
                # Subtracting a whole number from a position of at least that size is exact, so a crop reads what the
                # whole would. Pixels without weight may read its rim.
                positions = cv2.subtract(positions, (x0, y0, 0, 0))
            crop = sources[j][y0:y1, x0:x1]
            found = cv2.remap(crop, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            weight = taps.weights[j][here.slices]
            found *= _three(weight)
            summed += found
            total += weight
        np.divide(summed, _three(total), out=mean[rows])
        total -= np.float32(1.0)
        np.minimum(total, np.float32(1.0), out=share[rows])

    step()
    in_bands(*present.shape[:2], band)
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
        self._image = _displayed(image)
        neighbours = np.ones((3, 3), np.uint8)
        self._least = np.asarray(cv2.erode(self._image, neighbours))
        self._greatest = np.asarray(cv2.dilate(self._image, neighbours))

    def __call__(self, plate: Rgb, positions: Field, believed: Plane, most: float) -> Plane:
        """How much a picture counts at each pixel: (h, w) float32.

        Args:
            plate: (h, w, 3) float32 display-referred RGB.
            positions: (h, w, 2) float32, where it shows what frame t shows.
            believed: (h, w) float32, how far that is known.
            most: what counts where both agree; less as they differ.
        """
        height, width = believed.shape
        exponent = np.empty((height, width), np.float32)

        def compare(rows: slice) -> None:
            found = _displayed(sample(plate, positions[rows]))
            different = found - self._image[rows]
            different *= different
            different *= np.float32(_DIFFERENT / _FOREIGN)
            foreign = found - self._greatest[rows]
            cv2.max(foreign, np.subtract(self._least[rows], found, out=found), dst=foreign)
            np.clip(foreign, 0.0, 2.0, out=foreign)
            foreign *= foreign
            foreign += different
            cv2.transform(foreign, np.full((1, 3), -_FOREIGN, np.float32), dst=exponent[rows])

        in_bands(height, width, compare)
        weight = np.asarray(cv2.GaussianBlur(exponent, (0, 0), _NOISE_SIGMA, borderType=cv2.BORDER_REPLICATE))

        def weigh(rows: slice) -> None:
            here = weight[rows]
            cv2.exp(here, dst=here)
            # The tests of the flow are strict, for other uses; what they doubt and what looks right counts.
            here *= np.sqrt(believed[rows])
            here *= np.float32(most)
            here -= np.float32(_NEGLIGIBLE)
            np.maximum(here, np.float32(0.0), out=here)

        in_bands(height, width, weigh)
        return weight


def _displayed(image: Rgb) -> Rgb:
    """What a display shows of it; what is no number, black."""
    shown = np.clip(image, 0.0, 1.0)
    cv2.patchNaNs(shown, 0.0)
    return shown
