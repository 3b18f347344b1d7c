"""Luma and chroma to RGB and back, exactly as the file's colour tags say.

The matrices are those of ITU-T H.273 (equations 38 to 45 and its table of kr and kb). They are evaluated in
float32 here and not by libswscale, which is off by up to one code in full range and by four in ten bits.

Chroma at half resolution is brought up by linear interpolation at its true position (to the left horizontally as
MPEG-2, H.264 and H.265 place it, or centred as JPEG does; always centred vertically), and brought down by
the biorthogonal counterpart of that filter (LeGall 5/3 and spline 3.1: Cohen, Daubechies, Feauveau 1992), so that
a picture that goes up and down again keeps its chroma.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import Pixels

# H.273 MatrixCoefficients: kr, kb. 0 is RGB itself; 2 is unspecified.
_COEFFICIENTS: dict[int, tuple[float, float]] = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, not constant luminance
}
UNSPECIFIED = 2
KNOWN_MATRICES = frozenset(_COEFFICIENTS)

_EVEN_DOWN = np.array([-1, 3, 3, -1], np.float32) / 4  # to positions between two samples
_ODD_DOWN = np.array([-1, 2, 6, 2, -1], np.float32) / 8  # to positions on every second sample
_KEEP = np.ones(1, np.float32)


@dataclass(frozen=True)
class Coding:
    """How RGB is coded in planes.

    Attributes:
        matrix: H.273 MatrixCoefficients, one of KNOWN_MATRICES, or 0 where the planes are R, G and B.
        full: whether luma uses all codes (True), or 16 to 235 of 255 (False).
        bits: per sample, 8 to 16. Eight bits are uint8 outside and in the planes, more are uint16.
        half_width, half_height: whether chroma has half the luma's resolution.
        centred: whether chroma lies horizontally between two luma samples.
    """

    matrix: int
    full: bool
    bits: int
    half_width: bool = False
    half_height: bool = False
    centred: bool = False

    @property
    def white(self) -> int:
        """The highest RGB value outside: 255, or 65535 for more than eight bits."""
        return 255 if self.bits == 8 else 65535


def default_matrix(width: int, height: int) -> int:
    """The matrix of a movie that does not say: BT.709 for high definition, BT.601 below, as players take it."""
    return 1 if max(width, height) >= 1280 or min(width, height) > 576 else 6


def _to_codes(coding: Coding) -> NDArray[np.float64]:
    """The 3 x 4 matrix from RGB in [0, white] to Y, Cb, Cr codes."""
    kr, kb = _COEFFICIENTS[coding.matrix]
    top = 2**coding.bits - 1
    step = 2 ** (coding.bits - 8)
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - kb))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - kr))
    luma_range, chroma_range, black = (top, top, 0) if coding.full else (219 * step, 224 * step, 16 * step)
    rows = np.stack([luma * luma_range, blue * chroma_range, red * chroma_range]) / coding.white
    return np.hstack([rows, [[black], [128 * step], [128 * step]]])


def _from_codes(coding: Coding) -> NDArray[np.float64]:
    """The 3 x 4 matrix from codes to RGB: the inverse of `_to_codes`."""
    forward = _to_codes(coding)
    inverse = np.linalg.inv(forward[:, :3])
    return np.hstack([inverse, -inverse @ forward[:, 3:]])


def to_rgb(luma: Pixels, chroma: Pixels, coding: Coding) -> Pixels:
    """RGB of one picture.

    Args:
        luma: (H, W) codes.
        chroma: (h, w, 2) codes of Cb and Cr, of the resolution that `coding` says.

    Returns:
        (H, W, 3) uint8 or uint16 (full scale, whatever the bits of the codes).
    """
    height, width = luma.shape
    if coding.half_width or coding.half_height:
        across = (0.5, -0.25 if coding.centred else 0.0) if coding.half_width else (1.0, 0.0)
        down = (0.5, -0.25) if coding.half_height else (1.0, 0.0)
        where = np.array([[across[0], 0, across[1]], [0, down[0], down[1]]], np.float32)
        chroma = cv2.warpAffine(
            chroma,
            where,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    codes = cv2.merge([luma, chroma[..., 0], chroma[..., 1]])
    return cv2.transform(codes, _from_codes(coding).astype(np.float32)).reshape(height, width, 3)


def from_rgb(rgb: Pixels, coding: Coding) -> tuple[Pixels, Pixels]:
    """Luma (H, W) and chroma (h, w, 2) codes of (H, W, 3) RGB, uint8 for eight bits, else uint16 of full scale."""
    codes = cv2.transform(rgb, _to_codes(coding).astype(np.float32)).reshape(rgb.shape)
    if coding.bits > 8:
        codes = np.minimum(codes, 2**coding.bits - 1)
    chroma = np.ascontiguousarray(codes[..., 1:])
    if coding.half_width or coding.half_height:
        odd_across = coding.half_width and not coding.centred
        across = _ODD_DOWN if odd_across else _EVEN_DOWN if coding.half_width else _KEEP
        down = _EVEN_DOWN if coding.half_height else _KEEP
        anchor = (2 if odd_across else 1 if coding.half_width else 0, 1 if coding.half_height else 0)
        chroma = cv2.sepFilter2D(chroma, -1, across, down, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
        chroma = chroma.reshape(*codes.shape[:2], 2)
        chroma = chroma[:: 2 if coding.half_height else 1, :: 2 if coding.half_width else 1]
        if coding.bits > 8:
            chroma = np.minimum(chroma, 2**coding.bits - 1)
    return codes[..., 0], chroma
