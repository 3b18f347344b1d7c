"""The composite: `out = I + sum_i m_i s_i (S_i - I)`, in the source's own type.

Where nothing styled takes part the source's own bits are selected, and alpha is always the source's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylebridge_server.steps import step
from stylebridge_server.values import Pixels, Plane, Rgb

# (share m_i (H, W) float32, strength s_i in [0, 1], styled S_i (H, W, 3) float32 in the source's own colour space,
# white at 1, premultiplied where the source is)
Layer = tuple[Plane, float, Rgb]

# Rows at a time: what is held beside the pictures themselves does not grow with them.
_ROWS = 128


def result_channels(channels: int) -> int:
    """Channels of a composite over a source with so many: style is colour, so grey becomes RGB or RGBA."""
    return {1: 3, 2: 4}.get(channels, channels)


def composite(source: Pixels, layers: Sequence[Layer], premultiplied: bool = False) -> Pixels:
    """Mix styled pictures into their source.

    Integer values are scaled to [0, 1] for mixing, then clipped and rounded to the nearest, halves to even,
    without dither. Floats are mixed as they are; a half float ends at 65504. Colour is mixed without regard to
    alpha, which is in the layers already. A pixel keeps the source's own bits where sum m_i s_i is 0, where a value of
    it is not finite, alpha included, and where alpha is 0 in a premultiplied picture: what shines there has no
    colour of its own. Strength 1 and a share of 1 give S_i.

    Args:
        source: (H, W, C), uint8, uint16, float16 or float32; C is 1 (grey), 2 (grey, alpha), 3 or 4.
        layers: the shares (see `resolve_mattes`; their sum is at most 1), strengths and styled pictures.
        premultiplied: whether the source's colours are multiplied by its alpha.

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
            parts = [(share[rows], strength, styled[rows]) for share, strength, styled in active]
            _mix(result[rows], parts, premultiplied)
    return result


def _mix(pixels: Pixels, layers: Sequence[Layer], premultiplied: bool) -> None:
    """Mix the layers into (h, w, 3 or 4) pixels, in place."""
    parts = [share * np.float32(min(strength, 1.0)) for share, strength, _ in layers]
    covered = np.zeros(pixels.shape[:2], np.float32)
    for part in parts:
        covered += part
    touched = covered > 0.0
    if premultiplied:
        touched &= pixels[..., -1] > 0
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
        if scale == 1:
            touched &= np.isfinite(pixels).all(axis=-1)
            most = np.finfo(pixels.dtype).max
            np.clip(mixed, -most, most, out=mixed)
        values = mixed.astype(pixels.dtype)
    np.copyto(colour, values, where=touched[..., None])


def _in_colour(source: Pixels) -> Pixels:
    """A copy of the source, grey repeated in three channels."""
    channels = source.shape[2]
    if channels >= 3:
        return source.copy()
    return np.ascontiguousarray(source[..., [0, 0, 0, *range(1, channels)]])
