"""Pictures of every kind to what the network reads: float32 RGB in [0, 1], display-referred sRGB."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.values import Rgb

_FAINT = 32.0  # sum of differences of R, G and B, of 255, that counts as grain
_EVEN = 100.0  # deviation in pixels of the weights by distance: all alike
_LONGEST = 4  # times the short side: what a strip of a picture is squeezed to


def to_rgb(image: NDArray[Any]) -> Rgb:
    """Any picture (H, W) or (H, W, C), C 1 to 4, to float32 (H, W, 3) in [0, 1].

    Integers are scaled by their type's range; grey becomes RGB; alpha is dropped; what is not finite becomes
    0.

    Raises:
        StylebridgeError: BAD_VALUE where the array is no picture.
    """
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if (
        array.ndim != 3
        or array.shape[2] not in (1, 2, 3, 4)
        or 0 in array.shape
        or array.dtype.kind not in "buf"
    ):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"An array of shape {array.shape} and type {array.dtype} is no picture: "
            "give height x width x 1 to 4 channels of unsigned integers or floats.",
        )
    array = array[..., :3] if array.shape[2] >= 3 else array[..., :1]
    scale = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
    rgb = np.clip(np.nan_to_num(array.astype(np.float32), nan=0.0) / np.float32(scale), 0, 1)
    return rgb if rgb.shape[2] == 3 else np.repeat(rgb, 3, 2)


def shrunk(rgb: Rgb, side: int) -> Rgb:
    """The picture brought to a short side of `side`, sides rounded to 4; long strips are squeezed to 4 :
    1."""
    height, width = rgb.shape[:2]
    scale = side / min(height, width)
    target = tuple(max(side, min(_LONGEST * side, round(n * scale / 4) * 4)) for n in (width, height))
    if target == (width, height):
        return rgb
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, target, interpolation=way), np.float32)


def calmed(rgb: Rgb) -> Rgb:
    """The picture without the faintest of its grain, edges kept: what a style would answer with restless strokes.

    A bilateral filter (Tomasi and Manduchi 1998) of 5 x 5 pixels in steps of 1/255; what it takes away is taken from
    the unrounded picture.
    """
    steps = np.rint(rgb * 255).astype(np.uint8)
    smooth = cv2.bilateralFilter(steps, 5, _FAINT, _EVEN, borderType=cv2.BORDER_REPLICATE)
    return np.clip(rgb + (smooth.astype(np.float32) - steps) / np.float32(255), 0, 1)
