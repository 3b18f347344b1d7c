"""Keep the source's colours under a style: the style's light and dark, the source's hue and chroma.

Done in Oklab (Björn Ottosson, "A perceptual color space for image processing", 2020,
https://bottosson.github.io/posts/oklab/), whose lightness can be exchanged without a change of apparent hue.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.steps import step
from stylebridge_server.values import Rgb

_F = NDArray[np.float32]

# Ottosson's matrices: linear sRGB to cone responses, their cube roots to Lab, and the inverses.
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_ROOTS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS)
_LAB_TO_ROOTS = np.linalg.inv(_ROOTS_TO_LAB)

# Halvings in the search for the chroma that fits: 1/256 of it, under a code value.
_HALVINGS = 8
# Rounding alone leaves in-gamut colours outside by less than this (linear light).
_SLACK = 1e-5
# Rows at a time: what is held stays in the processor's cache, and small.
_ROWS = 64


def keep(styled: Rgb, source: Rgb, amount: float) -> Rgb:
    """`styled` with the colours of `source`: lightness of the one, hue and chroma towards the other.

    A colour that a display cannot show at that lightness loses chroma until it can; its hue and lightness
    stay. Values under 0 in either picture are read as 0, and the result lies in [0, 1] where `styled` does.

    Args:
        styled, source: (H, W, 3) float32, display-referred sRGB.
        amount: in [0, 1]; 0 gives `styled` itself, 1 the source's chroma whole.

    Returns:
        (H, W, 3) float32.
    """
    if amount <= 0.0:
        return styled
    result = np.empty(styled.shape, np.float32)
    for top in range(0, styled.shape[0], _ROWS):
        step()
        rows = slice(top, top + _ROWS)
        result[rows] = _keep(styled[rows].reshape(-1, 3), source[rows].reshape(-1, 3), amount).reshape(
            styled[rows].shape
        )
    return result


def _keep(styled: _F, source: _F, amount: float) -> _F:
    lab, colours = _to_lab(styled), _to_lab(source)
    lab[:, 1:] += np.float32(min(amount, 1.0)) * (colours[:, 1:] - lab[:, 1:])
    linear = _to_linear(lab)
    ceiling = np.maximum(1.0, _extremes(_decode(styled))[1]) + np.float32(_SLACK)
    outside = ~_fits(linear, ceiling)
    if outside.any():
        linear[outside] = _to_linear(_fitted(lab[outside], ceiling[outside]))
    return _encode(np.clip(linear, 0.0, ceiling[:, None]))


def _fitted(lab: _F, ceiling: _F) -> _F:
    """The colours with the greatest share of their chroma that fits, found by halving; grey always fits.

    It is the upper end of the last bracket, over by less than 1/256 of the chroma, which the caller clips: so
    a colour that is outside by a hair changes by no more than that.
    """
    low, high = np.zeros(len(lab), np.float32), np.ones(len(lab), np.float32)
    trial = lab.copy()
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        trial[:, 1:] = lab[:, 1:] * middle[:, None]
        fits = _fits(_to_linear(trial), ceiling)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    trial[:, 1:] = lab[:, 1:] * high[:, None]
    return trial


def _fits(linear: _F, ceiling: _F) -> NDArray[np.bool_]:
    least, greatest = _extremes(linear)
    return (least >= -_SLACK) & (greatest <= ceiling)


def _extremes(values: _F) -> tuple[_F, _F]:
    """The least and the greatest of the three channels."""
    r, g, b = values[:, 0], values[:, 1], values[:, 2]
    return np.minimum(np.minimum(r, g), b), np.maximum(np.maximum(r, g), b)


def _to_lab(rgb: _F) -> _F:
    lms = _times(_decode(rgb), _RGB_TO_LMS)
    return _times(cv2.pow(np.maximum(lms, 0.0), 1.0 / 3.0), _ROOTS_TO_LAB)


def _to_linear(lab: _F) -> _F:
    roots = _times(lab, _LAB_TO_ROOTS)
    return _times(roots * roots * roots, _LMS_TO_RGB)


def _decode(rgb: _F) -> _F:
    """sRGB to linear light (IEC 61966-2-1)."""
    rgb = np.maximum(rgb, 0.0)
    return np.where(rgb <= 0.04045, rgb / 12.92, cv2.pow((rgb + 0.055) / 1.055, 2.4))


def _encode(linear: _F) -> _F:
    """Linear light to sRGB."""
    linear = np.maximum(linear, 0.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * cv2.pow(linear, 1.0 / 2.4) - 0.055)


def _times(values: _F, matrix: NDArray[np.float64]) -> _F:
    return np.asarray(cv2.transform(values[:, None], matrix.astype(np.float32)))[:, 0]
