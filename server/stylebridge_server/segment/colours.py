"""Colour models of a thing and of what surrounds it: one for the whole thing, one that knows the place.

The local model is a bilateral grid over place and colour (Chen et al. 2007; for segmentation Märki et al.,
Bilateral Space Video Segmentation, 2016). It plays the part of the local classifiers along the edge in
Video SnapCut (Bai et al. 2009) without having to place and move windows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.planes import plane, smooth, square
from stylebridge_server.values import Plane, Rgb8

Lab = NDArray[np.float32]  # (h, w, 3): L 0 to 100, a and b around 0
Bins = NDArray[np.int32]

_BINS = (25, 24, 24)
_COARSE = (20, 16, 16)
_CHROMA = 60.0  # a and b beyond this share the outermost bins
_SHADE, _DARK = 0.35, 11.0  # of a darkening, this share counts; of a strong one, all but this much
_BUSY = 8.0  # range of colours within a pixel at which a match says half as much
_SAME = 5.0  # difference up to which colours are the same, pixel by pixel
CELL = 32  # side of a place cell of the local model, working pixels


def to_lab(rgb: Rgb8) -> Lab:
    """CIE L*a*b* of an 8-bit sRGB picture, (h, w, 3) float32."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[..., 0] *= 100 / 255
    lab[..., 1:] -= 128
    return lab


def _bins(lab: Lab, counts: tuple[int, int, int]) -> Bins:
    n, a, b = counts
    light = np.clip(lab[..., 0] * (n / 100), 0, n - 1).astype(np.int32)
    green = np.clip((lab[..., 1] + _CHROMA) * (a / (2 * _CHROMA)), 0, a - 1).astype(np.int32)
    blue = np.clip((lab[..., 2] + _CHROMA) * (b / (2 * _CHROMA)), 0, b - 1).astype(np.int32)
    return (light * a + green) * b + blue


def _blur(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Binomial blur along every axis, which also lends counts to empty neighbours."""
    for axis in range(grid.ndim):
        moved = np.moveaxis(grid, axis, 0)
        out = moved * np.float32(0.5)
        out[1:] += moved[:-1] * np.float32(0.25)
        out[:-1] += moved[1:] * np.float32(0.25)
        grid = np.moveaxis(out, 0, axis)
    return grid


class Palette:
    """Colours of one thing as a smoothed histogram of relative frequencies."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.float32)
        self._density: NDArray[np.float32] | None = None

    @property
    def empty(self) -> bool:
        return not bool(self._counts.any())

    def learn(self, lab: Lab, weight: Plane, rate: float = 1.0) -> None:
        """Mix a picture's colours in, each pixel with its weight; `rate` 1 counts as much as all before."""
        total = float(weight.sum())
        if total <= 0:
            return
        counts = np.bincount(_bins(lab, _BINS).ravel(), weight.ravel(), int(np.prod(_BINS)))
        fresh = (counts / total).astype(np.float32).reshape(_BINS)
        share = 1.0 if self.empty else rate / (1 + rate)
        self._counts = (1 - share) * self._counts + share * fresh
        self._density = None

    def __call__(self, lab: Lab) -> Plane:
        """Frequency of each pixel's colour bin, (h, w) float32, sums to 1 over the bins."""
        if self._density is None:
            self._density = np.ascontiguousarray(_blur(self._counts)).ravel()
        return self._density[_bins(lab, _BINS)]

    def likeness(self, lab: Lab, weight: Plane) -> float:
        """Bhattacharyya coefficient with the weighted colours of a picture: 1 where they are the same."""
        other = Palette()
        other.learn(lab, weight)
        if other.empty or self.empty:
            return 0.0
        mine, theirs = _blur(self._counts), _blur(other._counts)
        return float(np.sqrt(mine * theirs).sum())


def local_odds(lab: Lab, at: Lab, inside: Plane, outside: Plane, doubt: float) -> Plane:
    """Log odds that a colour at a place belongs inside, learned from a picture of known inside and outside.

    Args:
        lab: (h, w, 3), the colours learned from, already moved to where they are expected.
        at: (h, w, 3), the colours asked for.
        inside, outside: (h, w) weights of the learned pixels.
        doubt: pixels' worth of evidence for either side that every colour starts with.

    Returns:
        (h, w) float32 log odds; 0 where the colour was never seen nearby.
    """
    h, w = lab.shape[:2]
    rows, columns = (h - 1) // CELL + 2, (w - 1) // CELL + 2
    y = ((np.arange(h, dtype=np.int32) + CELL // 2) // CELL)[:, None]
    x = ((np.arange(w, dtype=np.int32) + CELL // 2) // CELL)[None, :]
    shape = (rows, columns, *_COARSE)
    size = int(np.prod(shape))
    place = (y * columns + x) * int(np.prod(_COARSE))
    source, target = place + _bins(lab, _COARSE), place + _bins(at, _COARSE)
    odds = []
    for weight in (inside, outside):
        counts = np.bincount(source.ravel(), weight.ravel(), size).astype(np.float32).reshape(shape)
        odds.append(np.ascontiguousarray(_blur(counts)).ravel()[target])
    return np.log((odds[0] + np.float32(doubt)) / (odds[1] + np.float32(doubt)))


def departure(plate: Lab, lab: Lab, noise: Plane) -> Plane:
    """How far each pixel departs from a plate, in usual deviations, (h, w) float32.

    Only what lies outside the plate's range of colours within a pixel counts, so a shift of a pixel costs
    nothing; and a shadow (darker, same hue) costs little.

    Args:
        plate, lab: (h, w, 3) colours of the plate and of the picture.
        noise: (h, w) usual deviation in Lab units.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    above = cv2.max(cv2.subtract(lab, plane(cv2.dilate(plate, cross))), np.zeros_like(lab))
    below = cv2.max(cv2.subtract(plane(cv2.erode(plate, cross)), lab), np.zeros_like(lab))
    dark = below[..., 0]
    shade = np.maximum(dark * np.float32(_SHADE), dark - np.float32(_DARK))
    away = cv2.add(above, below)
    away[..., 0] = above[..., 0] + shade
    return plane(np.sqrt(np.maximum(cv2.blur(square(away), (3, 3)), 0)) / noise)


def telling(plate: Lab, lab: Lab) -> tuple[Plane, Plane]:
    """How much it says that a pixel matches the plate, and that it departs: (h, w) each, in (0, 1].

    In the midst of foliage or gravel nearly every colour is found within a pixel, so a match means little,
    unless pixel after pixel is the same; and a plate that lies a little off departs everywhere.

    Args:
        plate, lab: (h, w, 3) colours of the plate and of the picture.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    spread = np.sqrt(square(cv2.subtract(plane(cv2.dilate(plate, cross)), plane(cv2.erode(plate, cross)))))
    calm = plane(_BUSY / (_BUSY + spread))
    exact = np.exp(cv2.blur(square(cv2.subtract(lab, plate)), (3, 3)) * np.float32(-0.5 / _SAME**2))
    return plane(np.maximum(calm, exact)), plane(0.3 + 0.7 * calm)


def texture(lab: Lab) -> Plane:
    """Local contrast: the standard deviation of the lightness within a few pixels, (h, w)."""
    light = plane(lab[..., 0])
    mean = smooth(light, 2.0)
    return np.sqrt(np.maximum(smooth(light * light, 2.0) - mean * mean, 0))
