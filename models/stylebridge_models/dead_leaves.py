"""Pictures of nothing in particular, with the statistics of photographs: flat things of all sizes, one before another.

"Dead leaves" (Lee, Mumford and Huang 2001, "Occlusion models for natural images"): what a network does to them says
what it does to photographs, and they belong to nobody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST, _MOST = 3.0, 110.0  # half lengths of leaves, in pixels


def dead_leaves(seed: int, height: int, width: int, count: int) -> NDArray[np.float32]:
    """A picture (height, width, 3) in [0, 1], display-referred sRGB, of `count` shaded and grained leaves."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    picture[:] = rng.uniform(0.3, 0.7, 3)
    sizes = 1 / np.sqrt(rng.uniform(1 / _MOST**2, 1 / _LEAST**2, count))
    # Large ones mostly lie behind small ones, or few small ones would be left to see.
    for size in sizes[np.argsort(-sizes * np.exp(rng.normal(0, 0.5, count)))]:
        _leaf(rng, picture, float(size))
    return np.clip(picture, 0, 1)


def _leaf(rng: np.random.Generator, picture: NDArray[np.float32], size: float) -> None:
    """Lays one leaf onto the picture, in place."""
    height, width = picture.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    long, short = size * rng.uniform(0.6, 1.6), size * rng.uniform(0.4, 1)
    angle, softness = rng.uniform(0, np.pi), rng.uniform(0.7, 3)
    colour = np.clip(rng.normal(0.42, 0.2) + rng.normal(0, 0.06, 3), 0.02, 0.98)
    slope, grain = rng.normal(0, 0.2, 2), max(0.0, rng.normal(0.03, 0.05))
    reach = max(long, short) * 2 + 2
    top, bottom = max(0, int(y - reach)), min(height, int(y + reach) + 1)
    left, right = max(0, int(x - reach)), min(width, int(x + reach) + 1)
    down, across = np.mgrid[top:bottom, left:right]
    u = ((across - x) * np.cos(angle) + (down - y) * np.sin(angle)) / long
    v = ((down - y) * np.cos(angle) - (across - x) * np.sin(angle)) / short
    cover = np.clip((1 - np.hypot(u, v)) * min(long, short) / softness + 0.5, 0, 1)[..., None]
    noise = rng.standard_normal((bottom - top + 1, right - left + 1))
    noise = (noise[1:, 1:] + noise[:-1, 1:] + noise[1:, :-1] + noise[:-1, :-1]) / 2
    shade = (1 + slope[0] * u + slope[1] * v)[..., None] * colour + grain * noise[..., None]
    piece = picture[top:bottom, left:right]
    piece += (cover * (np.clip(shade, 0, 1) - piece)).astype(np.float32)
