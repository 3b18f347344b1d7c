"""Layers: what a host needs to mix by itself, `out = I + sum_i s_i (L_i - m_i I)`.

L_i = m_i S_i in three channels and m_i in the fourth, at full strength.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stylebridge_server.steps import step
from stylebridge_server.values import Pixels, Plane, Rgb

_ROWS = 128


def layer(share: Plane, styled: Rgb, dtype: DTypeLike) -> Pixels:
    """One instance's layer.

    Args:
        share: m_i, (H, W) float32 in [0, 1]; see `resolve_mattes`.
        styled: S_i, (H, W, 3) float32 in the source's own colour space, white at 1, premultiplied where the source is.
            Where the share is 0 it may hold anything.
        dtype: of the result: uint8, uint16 (1 is their greatest value; rounded to the nearest, halves to even, colours
            clipped to [0, 1]), float16 (which ends at 65504) or float32.

    Returns:
        (H, W, 4), 0 where the share is 0.
    """
    kind = np.dtype(dtype)
    result = np.zeros((*share.shape, 4), kind)
    for top in range(0, share.shape[0], _ROWS):
        step()
        rows = slice(top, top + _ROWS)
        part = share[rows]
        if not part.any():
            continue
        values = np.empty((*part.shape, 4), np.float32)
        values[..., :3] = np.where(part[..., None] > 0.0, part[..., None] * styled[rows], 0.0)
        values[..., 3] = part
        result[rows] = in_samples(values, kind)
    return result


def in_samples(values: NDArray[np.float32], dtype: DTypeLike) -> Pixels:
    """Values of which white is 1, in a sample type: integers are clipped and rounded to the nearest, a half float ends
    at 65504.
    """
    kind = np.dtype(dtype)
    if not np.issubdtype(kind, np.integer):
        return np.clip(values, -np.finfo(kind).max, np.finfo(kind).max).astype(kind, copy=False)
    return np.rint(np.clip(values, 0.0, 1.0) * np.float32(np.iinfo(kind).max)).astype(kind)
