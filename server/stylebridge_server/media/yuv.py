"""Luma and chroma to RGB and back, exactly as the file's colour tags say.

The matrices are those of ITU-T H.273 (equations 38 to 45 and its table of kr and kb). They are evaluated in
float32 here and not by libswscale, which is off by up to one code in full range and by four in ten bits.

Chroma at half resolution is brought up by linear interpolation at its true position (to the left horizontally
as MPEG-2, H.264 and H.265 place it, or centred as JPEG does; always centred vertically), and brought down by
the biorthogonal counterpart of that filter (LeGall 5/3 and spline 3.1: Cohen, Daubechies, Feauveau 1992),
so that a picture that goes up and down again keeps its chroma.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    """The matrix of a movie that does not say: BT.709 for high definition, BT.601 below, as in players."""
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


def to_rgb(luma: Pixels, chroma: Sequence[Pixels], coding: Coding) -> Pixels:
    """RGB of one picture.

    Args:
        luma: (H, W) codes.
        chroma: codes of Cb and of Cr, (h, w) each, of the resolution that `coding` says.

    Returns:
        (H, W, 3) uint8 or uint16 (full scale, whatever the bits of the codes).
    """
    height, width = luma.shape
    blue, red = (_enlarged(plane, width, height, coding) for plane in chroma)
    codes = cv2.merge([luma, blue, red])
    return cv2.transform(codes, _from_codes(coding).astype(np.float32)).reshape(height, width, 3)


def _enlarged(plane: Pixels, width: int, height: int, coding: Coding) -> Pixels:
    """A plane of chroma at the resolution of luma, each sample in its true position."""
    if not (coding.half_width or coding.half_height):
        return plane
    if coding.half_width and coding.centred:
        rows = plane.shape[0] * (2 if coding.half_height else 1)
        return cv2.resize(plane, (2 * plane.shape[1], rows), interpolation=cv2.INTER_LINEAR)[:height, :width]
    if coding.half_height:
        plane = cv2.resize(plane, (plane.shape[1], 2 * plane.shape[0]), interpolation=cv2.INTER_LINEAR)[
            :height
        ]
    padded = cv2.copyMakeBorder(plane, 0, 0, 0, 1, cv2.BORDER_REPLICATE)
    between = cv2.addWeighted(padded[:, :-1], 0.5, padded[:, 1:], 0.5, 0)
    return cv2.merge([plane, between]).reshape(height, -1)[:, :width]


def from_rgb(rgb: Pixels, coding: Coding) -> tuple[Pixels, Pixels, Pixels]:
    """Luma (H, W), Cb and Cr (h, w) codes of (H, W, 3) RGB: uint8 for eight bits, else full-scale uint16."""
    codes = cv2.transform(rgb, _to_codes(coding).astype(np.float32)).reshape(rgb.shape)
    if coding.bits > 8:
        codes = np.minimum(codes, 2**coding.bits - 1)
    luma, blue, red = cv2.split(codes)
    return luma, _reduced(blue, coding), _reduced(red, coding)


def _reduced(plane: Pixels, coding: Coding) -> Pixels:
    """A plane of chroma at its own resolution: `_enlarged` of the result gives back what that had made."""
    if not (coding.half_width or coding.half_height):
        return plane
    reduced = plane.astype(np.float32)
    if coding.half_height:
        if len(reduced) % 2:
            reduced = np.concatenate([reduced, reduced[-1:]])
        reduced = _halved(reduced[0::2], reduced[1::2], 0, between=True)
    if coding.half_width:
        if reduced.shape[1] % 2:
            reduced = np.concatenate([reduced, reduced[:, -1:]], axis=1)
        columns: Any = cv2.split(reduced.reshape(len(reduced), -1, 2))
        reduced = _halved(columns[0], columns[1], 1, between=coding.centred)
    return np.clip(np.rint(reduced), 0, 2**coding.bits - 1).astype(plane.dtype)


def _halved(
    even: NDArray[np.float32], odd: NDArray[np.float32], axis: int, between: bool
) -> NDArray[np.float32]:
    """Low-pass filter along an axis, at the even samples or between them and the next; mirrored borders."""
    if between:  # -1 3 3 -1
        outer = _shifted(odd, even, axis, 1) + _shifted(even, odd, axis, -1)
        return ((even + odd) * 3 - outer) * np.float32(0.25)
    before = _shifted(odd, odd, axis, 1)  # -1 2 6 2 -1
    beside = before + odd
    beyond = _shifted(even, even[:, 1:2] if even.shape[1] > 1 else even, axis, 1) + _shifted(
        even, even, axis, -1
    )
    return (even * 6 + beside * 2 - beyond) * np.float32(0.125)


def _shifted(
    samples: NDArray[np.float32], border: NDArray[np.float32], axis: int, by: int
) -> NDArray[np.float32]:
    """The samples moved by one along an axis; the gap at the border is filled from another array's end."""
    first, last = (slice(None),) * axis + (slice(0, 1),), (slice(None),) * axis + (slice(-1, None),)
    if by > 0:
        rest = (slice(None),) * axis + (slice(0, -1),)
        return np.concatenate([border[first], samples[rest]], axis)
    rest = (slice(None),) * axis + (slice(1, None),)
    return np.concatenate([samples[rest], border[last]], axis)
