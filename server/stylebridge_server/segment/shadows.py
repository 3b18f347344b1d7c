"""Whether what moves is a shadow: under it lies what lay there before, only darker or lighter.

Other frames are laid over the one at hand along the motion of what surrounds the piece. Where the piece is a thing,
they show something else there; where it is a shadow, the same fine texture.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import to_lab
from stylebridge_server.segment.evidence import Flows
from stylebridge_server.segment.motion import coordinates, pull
from stylebridge_server.segment.planes import grow, plane, shrink, smooth
from stylebridge_server.values import Plane

_DISTANCES = (-14, -9, 9, 14)  # frames to those that are compared; a piece has moved on by then
_NEAR, _RING = 3, 12  # pixels around the piece whose motion is its surroundings'
_FINE = 2.0  # pixels; what is coarser than this is shading
_LEAST = 40  # pixels needed to say anything
_SAME = 0.27  # correlation of the fine texture from which it is the same


def is_shadow(flows: Flows, masks: Mapping[int, NDArray[np.bool_]]) -> bool:
    """Whether a piece is a shadow, or a light, that falls on something that goes on under it.

    Args:
        flows: the scene.
        masks: frame to (h, w) the piece there, at the size of `evidence.size`; a few frames are enough.
    """
    best = []
    for number, mask in masks.items():
        alike = [value for d in _DISTANCES if (value := _likeness(flows, number, d, mask)) is not None]
        if alike:
            best.append(max(alike))
    return len(best) > 0 and float(np.median(best)) > _SAME


def _likeness(flows: Flows, number: int, distance: int, mask: NDArray[np.bool_]) -> float | None:
    """Correlation of the fine texture under the piece with another frame's, None where it cannot be told."""
    if not flows.first <= number + distance <= flows.last:
        return None
    pair = flows.between(number, number + distance)
    ring = (grow(mask, _RING) > 0) & (grow(mask, _NEAR) < 0.5) & (pair.forward_valid > 0.5)
    core = shrink(mask, 2) > 0.5
    if ring.sum() < _LEAST or core.sum() < _LEAST:
        return None
    at = coordinates(*mask.shape)
    base = np.concatenate([at, np.ones_like(at[..., :1])], axis=2)
    # An affine motion, fitted twice: what departs from the first fit is something else.
    keep = ring
    for _ in range(2):
        fit = np.linalg.lstsq(base[keep], pair.forward[keep], rcond=None)[0]
        away = np.linalg.norm(base @ fit - pair.forward, axis=2)
        keep = ring & (away <= max(1.0, float(np.median(away[ring]))))
    light = [plane(to_lab(flows.frame(n))[..., 0]) for n in (number, number + distance)]
    here, there = _detail(light[0]), pull(_detail(light[1]), plane(base @ fit))
    a, b = here[core], there[core]
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-6))


def _detail(light: Plane) -> Plane:
    """Local contrast without shading: proportional, so that a darker place has as much of it."""
    coarse = smooth(light, _FINE)
    return plane((light - coarse) / (coarse + 5))
