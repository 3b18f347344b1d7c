"""Between a source's own values and the working space: float32 display-referred sRGB, white at 1.

Integer code values are scaled by their greatest one, floats are taken as they are. Every code value of an
integer type, and every float16, comes back from the trip there and back unchanged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from stylebridge_server.values import Pixels, Rgb


def to_working(pixels: Pixels) -> Rgb:
    """The colour of a picture in the working space, alpha left out (straight alpha: colour is not divided by
    it).

    Args:
        pixels: (H, W, C), uint8, uint16, float16 or float32; C is 1 (grey), 2 (grey, alpha), 3 or 4.

    Returns:
        (H, W, 3) float32, C-contiguous; grey is repeated in the three channels.
    """
    channels = pixels.shape[2]
    colour = pixels[..., :1] if channels < 3 else pixels[..., :3]
    values = colour.astype(np.float32)
    if np.issubdtype(pixels.dtype, np.integer):
        values /= np.float32(np.iinfo(pixels.dtype).max)
    if channels < 3:
        plane = values[..., 0]
        values = np.stack((plane, plane, plane), axis=-1)
    return np.ascontiguousarray(values)


def from_working(rgb: Rgb, dtype: DTypeLike) -> Pixels:
    """Working space to a source's own type.

    Args:
        rgb: (H, W, 3) float32.
        dtype: uint8 or uint16 (clipped to [0, 1], rounded to the nearest, halves to even; what is no number
            becomes 0), or float16 or float32 (not clipped).

    Returns:
        (H, W, 3) of `dtype`.
    """
    dtype = np.dtype(dtype)
    if not np.issubdtype(dtype, np.integer):
        return rgb.astype(dtype)
    codes = np.nan_to_num(rgb, nan=0.0)
    np.clip(codes, 0.0, 1.0, out=codes)
    codes *= np.float32(np.iinfo(dtype).max)
    return np.rint(codes, out=codes).astype(dtype)
