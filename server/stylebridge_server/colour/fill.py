"""Pixels without a colour, filled from those around them: what lies under alpha 0 must not bleed into what is shown.

Push and pull (Gortler et al., "The Lumigraph", 1996): the known colours are averaged into ever smaller pictures until
every pixel has one, and what is missing is taken from the next smaller one, enlarged.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.steps import step
from stylebridge_server.values import Plane, Rgb


def fill(picture: Rgb, known: NDArray[np.bool_]) -> Rgb:
    """The picture with its unknown pixels filled smoothly. Known ones keep their bits.

    Args:
        picture: (H, W, 3) float32. What unknown pixels hold does not matter, but it must be finite.
        known: (H, W). Where nothing is known the result is 0.

    Returns:
        (H, W, 3) float32; `picture` itself where all is known.
    """
    if known.all():
        return picture
    unknown = ~known
    weight = known.astype(np.float32)
    weighted = picture.copy()
    weighted[unknown] = 0
    under = _under(weighted, weight)
    weighted[unknown] = under[unknown]
    return weighted


def _under(weighted: Rgb, weight: Plane) -> Rgb:
    """What the next smaller picture knows of every pixel, from colours times weights and weights in [0, 1]."""
    step()
    height, width = weight.shape
    half = ((width + 1) // 2, (height + 1) // 2)
    weighted = cv2.resize(weighted, half, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    coarse = weighted / np.maximum(weight, np.float32(1e-6))[..., None]
    if weight.min() < 1 and max(half) > 1:
        under = _under(weighted, weight)
        # A quarter of a block is enough to know its colour.
        coarse = under + np.minimum(4 * weight, 1)[..., None] * (coarse - under)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
