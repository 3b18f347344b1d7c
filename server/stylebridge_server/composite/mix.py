"""The composite: `out = I + sum_i m_i s_i (S_i - I)`, in the source's own type.

Where nothing styled takes part the source's own bits are selected, and alpha is always the source's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylebridge_server.steps import step
from stylebridge_server.values import Pixels, Plane, Rgb

# (share m_i (H, W) float32, strength s_i in [0, 1], styled S_i (H, W, 3) float32, white at 1)
Layer = tuple[Plane, float, Rgb]

# Rows at a time: what is held beside the pictures themselves does not grow with them.
_ROWS = 128


def result_channels(channels: int) -> int:
    """Channels of a composite over a source with so many: style is colour, so grey becomes RGB or RGBA."""
    return {1: 3, 2: 4}.get(channels, channels)


def composite(source: Pixels, layers: Sequence[Layer]) -> Pixels:
    """Mix styled pictures into their source.

    Integer values are scaled to [0, 1] for mixing, then clipped and rounded to the nearest, halves to even,
    without dither. Floats are mixed as they are and not clamped. Alpha is straight: colour is mixed without
    regard to it. A pixel keeps the source's own bits where sum m_i s_i is 0, and where a colour of it is not
    finite, in the source or in the result. Strength 1 and a share of 1 give S_i.

    Args:
        source: (H, W, C), uint8, uint16, float16 or float32; C is 1 (grey), 2 (grey, alpha), 3 or 4.
        layers: the shares (see `resolve_mattes`; their sum is at most 1), strengths and styled pictures.

    Returns:
        (H, W, `result_channels(C)`) of the source's dtype: new memory. A grey source gives equal channels
        where it is not styled.
    """
    result = _in_colour(source)
    active = [layer for layer in layers if layer[1] > 0.0]
    if active:
        for top in range(0, source.shape[0], _ROWS):
            step()
            rows = slice(top, top + _ROWS)
            _mix(result[rows], [(share[rows], strength, styled[rows]) for share, strength, styled in active])
    return result


def _mix(pixels: Pixels, layers: Sequence[Layer]) -> None:
    """Mix the layers into (h, w, 3 or 4) pixels, in place."""
    parts = [share * np.float32(min(strength, 1.0)) for share, strength, _ in layers]
    covered = np.zeros(pixels.shape[:2], np.float32)
    for part in parts:
        covered += part
    touched = covered > 0.0
    if not touched.any():
        return
    colour = pixels[..., :3]
    scale = np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1
    # I (1 - sum m s) + sum m s S: the formula's value, written so that full coverage is exactly S.
    with np.errstate(invalid="ignore", over="ignore"):
        mixed = colour.astype(np.float32)
        mixed *= np.maximum(1.0 - covered, 0.0)[..., None]
        for part, (_, _, styled) in zip(parts, layers, strict=True):
            # Outside its own share a layer may hold anything.
            mixed += np.where(part[..., None] > 0.0, (part * np.float32(scale))[..., None] * styled, 0.0)
        touched &= np.isfinite(mixed).all(axis=-1)
        if scale != 1:
            np.clip(mixed, 0.0, scale, out=mixed)
            np.rint(mixed, out=mixed)
        values = mixed.astype(pixels.dtype)
    if scale == 1:
        touched &= np.isfinite(values).all(axis=-1) & np.isfinite(colour).all(axis=-1)
    np.copyto(colour, values, where=touched[..., None])


def _in_colour(source: Pixels) -> Pixels:
    """A copy of the source, grey repeated in three channels."""
    channels = source.shape[2]
    if channels >= 3:
        return source.copy()
    return np.ascontiguousarray(source[..., [0, 0, 0, *range(1, channels)]])
