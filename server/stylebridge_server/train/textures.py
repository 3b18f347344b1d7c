"""Procedural style pictures: a few paintings are not "any style", and these cost nothing and belong to
nobody."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb8 = NDArray[np.uint8]


def _noise(rng: np.random.Generator, side: int, stretch: tuple[float, float]) -> NDArray[np.float32]:
    """Smooth noise, (side, side), normalised to [0, 1], with features about `stretch` (x, y) pixels long."""
    field = rng.standard_normal((side, side)).astype(np.float32)
    smooth = cv2.GaussianBlur(field, (0, 0), sigmaX=stretch[0], sigmaY=stretch[1])
    low, high = np.percentile(smooth, (1, 99))
    return np.clip((smooth - low) / (high - low), 0, 1).astype(np.float32)


def _warped(rng: np.random.Generator, field: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """The field bent by smooth noise."""
    side = field.shape[0]
    y, x = np.mgrid[:side, :side].astype(np.float32)
    reach = side / 12
    dx, dy = (_noise(rng, side, (reach, reach)) - 0.5 for _ in range(2))
    return cv2.remap(
        field, x + amount * dx, y + amount * dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    ).astype(np.float32)


def texture(rng: np.random.Generator, side: int) -> Rgb8:
    """A (side, side, 3) texture in two to five colours: strokes, swirls, stripes, cells or dabs."""
    palette = rng.uniform(0, 255, (int(rng.integers(2, 6)), 3)).astype(np.float32)
    kind = int(rng.integers(5))
    length = float(rng.uniform(4, 30))
    y, x = np.mgrid[:side, :side].astype(np.float32)
    if kind == 0:
        field = _noise(rng, side, (length, length / 6))
    elif kind == 1:
        field = _warped(rng, _noise(rng, side, (length, length / 8)), side / 3)
    elif kind == 2:
        angle = rng.uniform(0, np.pi)
        wave = 0.5 + 0.5 * np.sin((x * np.cos(angle) + y * np.sin(angle)) / length * 2)
        field = _warped(rng, wave.astype(np.float32), side / 4)
    elif kind == 3:
        seeds = np.full((side, side), 255, np.uint8)
        for px, py in rng.integers(0, side, (int(rng.integers(60, 600)), 2)):
            seeds[py, px] = 0
        distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5)
        field = (labels * 0.618 % 1).astype(np.float32) * 0.8 + 0.2 * np.clip(distance / length, 0, 1)
    else:
        canvas = np.zeros((side, side), np.float32)
        for px, py in rng.integers(0, side, (1500, 2)):
            size = (int(rng.uniform(2, length)), int(rng.uniform(2, length / 2 + 2)))
            angle = float(rng.uniform(0, 180))
            cv2.ellipse(
                canvas, (int(px), int(py)), size, angle, 0, 360, float(rng.uniform()), -1, cv2.LINE_AA
            )
        field = canvas
    position = np.clip(field, 0, 1) * (len(palette) - 1)
    low = np.minimum(position.astype(int), len(palette) - 2)
    share = (position - low)[..., None]
    picture = palette[low] * (1 - share) + palette[low + 1] * share
    grain = _noise(rng, side, (3.0, 0.8))[..., None]
    return np.clip(picture * (0.8 + 0.4 * grain), 0, 255).astype(np.uint8)


def ink(side: int) -> Rgb8:
    """A (side, side, 3) sheet of bent ink lines that swell and thin out on cream paper, always the same."""
    rng = np.random.default_rng(12)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    lines = _warped(rng, (0.5 + 0.5 * np.sin((x * 0.5 + y * 0.87) / 1.9)).astype(np.float32), side / 3)
    swell = _noise(rng, side, (side / 14, side / 14))
    cover = np.clip((lines - 0.15 - 0.7 * swell) * 4 + 0.5, 0, 1)[..., None]
    wash = _noise(rng, side, (side / 20, side / 20))[..., None]
    grain = _noise(rng, side, (1.2, 1.2))[..., None]
    dark, pale = np.array([34.0, 32, 46]), np.array([238.0, 228, 204])
    paper = pale * (0.8 + 0.16 * wash + 0.06 * grain)
    return np.clip(paper + (dark * (0.8 + 0.4 * grain) - paper) * cover, 0, 255).astype(np.uint8)
