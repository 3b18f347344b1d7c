"""What averaging different strokes takes from a picture's finest contrast, given back.

The mean of pictures that differ has less contrast than each of them (Heitz and Neyret, "High-performance by-example
noise using a histogram-preserving blending operator", 2018, keep it by scaling the mean's deviation). Here the mean's
finest detail, what a binomial kernel of 3 x 3 takes away, is made as strong as it is in the styled frame on average
over some pixels. Only that average is taken from the single frame: where the strokes lie is the mean's, and steady.

Every sum here is one of whole numbers, exact in floats, so a part of a picture comes out as it does in the whole.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.threads import in_bands
from stylebridge_server.values import Plane, Rgb, Tile

# Pixels each way over which detail is averaged at once, and how many such cells around each: 20 pixels.
_CELL, _AROUND = 4, 2
# Cells beyond a tile: those averaged around its neighbour's centre, and one for the kernel's rim.
_MARGIN = (_AROUND + 2) * _CELL
# How much of the frame's detail the mean is to have, and how much more than what it lacks is added to the finest
# octave for the next one, which this leaves as it is. Chosen by `benchmarks.steady`: with more the error from frame to
# frame grows faster than sharpness does.
_WANTED, _GAIN = 0.97, 1.97
_MOST = 1.0  # times the mean's own detail are added at most
_STEPS = 256  # of what is added: whole ones, so that sums are exact
_CODES = 65535  # and pixel values
_FLAT = 0.5 / 255  # detail so weak, on average over the channels, is nobody's stroke

_BINOMIAL = np.array([1, 2, 1], np.float32)  # 16 in both directions together


def around(tile: Tile, height: int, width: int) -> Tile:
    """The part of a picture that must be known for a tile of it to be made crisp."""
    return Tile(
        max(0, tile.x0 // _CELL * _CELL - _MARGIN),
        max(0, tile.y0 // _CELL * _CELL - _MARGIN),
        min(width, -(-tile.x1 // _CELL) * _CELL + _MARGIN),
        min(height, -(-tile.y1 // _CELL) * _CELL + _MARGIN),
    )


def crisp(mean: Rgb, present: Rgb, share: Plane) -> Rgb:
    """The mean with as much fine detail as the frame has.

    Args:
        mean: (h, w, 3) float32 in [0, 1], of a part from `around`; written over.
        present: the frame by itself, likewise; values outside [0, 1] count as the nearest.
        share: (h, w) float32 in [0, 1]: how far the mean is one; 0 leaves a pixel's own bits.

    Returns:
        (h, w, 3) float32, right in the tile that `around` was asked about.
    """
    height, width = share.shape
    detail = np.empty(mean.shape, np.float32)
    size = -(-height // _CELL), -(-width // _CELL)
    of_mean, of_present = np.empty(size), np.empty(size)

    def measure(rows: slice) -> None:
        cells = slice(rows.start // _CELL, -(-rows.stop // _CELL))
        detail[rows] = _detail(mean, rows)
        of_mean[cells] = _cells(detail[rows])
        of_present[cells] = _cells(_detail(present, rows))

    in_bands(height, width, measure)
    lacking = _energy(of_present) / _energy(of_mean)
    added = np.clip(_GAIN * (_WANTED * lacking - 1.0), 0.0, _MOST)
    if not added.any():
        return mean
    steps = np.rint(added * _STEPS).astype(np.float32)
    gain = cv2.resize(steps, (steps.shape[1] * _CELL, steps.shape[0] * _CELL), interpolation=cv2.INTER_LINEAR)

    def add(rows: slice) -> None:
        here = gain[rows, :width] * share[rows]
        here *= np.float32(1 / (_STEPS * 16 * _CODES))
        more = cv2.merge((here, here, here))
        more *= detail[rows]
        mean[rows] += more

    in_bands(height, width, add)
    return mean


def _detail(picture: Rgb, rows: slice) -> Rgb:
    """What the binomial kernel takes away in some rows, in sixteenths of a code value: whole numbers under 2^21."""
    top = max(0, rows.start - 1)
    codes = np.clip(picture[top : rows.stop + 1], 0.0, 1.0)
    codes *= np.float32(_CODES)
    np.rint(codes, out=codes)
    blurred = cv2.sepFilter2D(codes, -1, _BINOMIAL, _BINOMIAL, borderType=cv2.BORDER_REPLICATE)
    codes *= np.float32(16)
    codes -= blurred
    return codes[rows.start - top : rows.stop - top]


def _cells(detail: Rgb) -> NDArray[np.float64]:
    """The detail in each cell, as far as the picture goes: (rows, columns)."""
    height, width = detail.shape[:2]
    rows, columns = -(-height // _CELL), -(-width // _CELL)
    strength = cv2.transform(np.abs(detail), np.ones((1, 3), np.float32))
    strength = cv2.copyMakeBorder(
        strength, 0, rows * _CELL - height, 0, columns * _CELL - width, cv2.BORDER_CONSTANT, value=0
    )
    # In doubles: whole numbers of 23 bits are summed over 400 pixels.
    return np.asarray(strength.reshape(rows, _CELL, columns, _CELL).sum((1, 3), dtype=np.float64))


def _energy(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean detail around each cell, and a little for flat ones: (rows, columns)."""
    side = 2 * _AROUND + 1
    summed = cv2.boxFilter(cells, -1, (side, side), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(summed + side**2 * _CELL**2 * 3 * _FLAT * 16 * _CODES)
