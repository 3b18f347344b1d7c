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
    weight = known.astype(np.float32)
    filled = _filled(picture * weight[..., None], weight)
    filled[known] = picture[known]
    return filled


def _filled(weighted: Rgb, weight: Plane) -> Rgb:
    """Colours of every pixel, from colours times their weights, and the weights, in [0, 1]."""
    step()
    height, width = weight.shape
    colour = weighted / np.maximum(weight, np.float32(1e-6))[..., None]
    if weight.min() >= 1 or max(height, width) == 1:
        return colour
    half = ((width + 1) // 2, (height + 1) // 2)
    coarse = _filled(
        cv2.resize(weighted, half, interpolation=cv2.INTER_AREA),
        cv2.resize(weight, half, interpolation=cv2.INTER_AREA),
    )
    under = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    # A quarter of a block is enough to know its colour.
    share = np.minimum(4 * weight, 1)[..., None]
    return np.asarray(under + share * (colour - under))
