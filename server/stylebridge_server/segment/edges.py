"""From a hard label at working size to a soft matte at full resolution that follows the picture's edges.

The guided filter (He, Sun and Tang 2010) with a colour guide: inside every small window the matte is an affine function
of the picture's colour, so fur and motion blur come out as partial cover. Three things differ. The function is found
at working size and evaluated at full resolution (the fast guided filter, He and Sun 2015). Pixels weigh less in it the
nearer they lie to the label's edge, which a tracker puts a pixel off here and there: the colours on both sides decide,
and the edge does not tremble with the label. And the picture is freed of its grain before it is evaluated.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.planes import plane
from stylebridge_server.steps import step
from stylebridge_server.values import Plane, Rgb8

_RADIUS = 3  # of the windows, and of the band around the label's edge that is open, in working pixels
_EPSILON = 4e-4  # variance of colours below which a window is flat
_DOUBT = 1.5  # working pixels from the label's edge at which it is believed in full
_LEAST = 0.1  # weight of a pixel right at it
_GRAIN = 0.0014  # standard deviation of the blur that frees the picture of grain, in heights of the picture
_CONTRAST = 1.5  # takes back the filter's haze
_STEP = 5  # of the mattes' values: finer ones are the picture's noise, and cost analyses a third more


def matte(rgb: Rgb8, label: Plane) -> NDArray[np.uint8]:
    """Soft matte of one instance at full resolution.

    Args:
        rgb: (H, W, 3) uint8, the frame.
        label: (h, w) float32 in [0, 1] at working size, 1 on the instance.

    Returns:
        (H, W) uint8, 0 to 255 in steps of 5; 0 everywhere where the label is empty.
    """
    height, width = rgb.shape[:2]
    h, w = label.shape
    out = np.zeros((height, width), np.uint8)
    if float(label.max(initial=0)) < 0.5:
        return out
    rows, columns = np.flatnonzero(label.max(axis=1) > 0.01), np.flatnonzero(label.max(axis=0) > 0.01)
    margin = 3 * _RADIUS
    top, bottom = max(int(rows[0]) - margin, 0), min(int(rows[-1]) + margin + 1, h)
    left, right = max(int(columns[0]) - margin, 0), min(int(columns[-1]) + margin + 1, w)
    here = plane(label[top:bottom, left:right])
    whole = np.s_[
        round(top * height / h) : round(bottom * height / h),
        round(left * width / w) : round(right * width / w),
    ]
    picture = rgb[whole]
    full = (picture.shape[1], picture.shape[0])
    small = picture
    if (height, width) != (h, w):
        small = cv2.resize(picture, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    hard = (here > 0.5).astype(np.uint8)
    affine = _affine(plane(small) / np.float32(255), here, _trust(hard))
    step()
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _RADIUS + 1, 2 * _RADIUS + 1))
    core, reach = cv2.erode(hard, kernel), cv2.dilate(hard, kernel)
    if full != here.shape[::-1]:
        affine = cv2.resize(affine, full, interpolation=cv2.INTER_LINEAR)
        core, reach = (cv2.resize(one, full, interpolation=cv2.INTER_NEAREST) for one in (core, reach))
    step()
    calm = cv2.GaussianBlur(picture, (0, 0), max(_GRAIN * height, 0.5))
    soft = np.einsum("ijk,ijk->ij", affine[..., :3], plane(calm)) / np.float32(255) + affine[..., 3]
    step()
    soft = np.clip((soft - 0.5) * np.float32(_CONTRAST) + 0.5, 0, 1)
    soft = np.where(core > 0, 1, np.where(reach > 0, soft, 0))
    out[whole] = np.rint(soft * (255 // _STEP)).astype(np.uint8) * _STEP
    return out


def _trust(hard: NDArray[np.uint8]) -> Plane:
    """How far a label is believed, (h, w) in (0, 1]: less towards its edge."""
    away = cv2.distanceTransform(hard, cv2.DIST_L2, 3) + cv2.distanceTransform(1 - hard, cv2.DIST_L2, 3)
    return plane(np.clip((away - 0.5) / _DOUBT, _LEAST, 1))


def _affine(guide: NDArray[np.float32], values: Plane, weight: Plane) -> NDArray[np.float32]:
    """What makes `values` (h, w) of the colours of `guide` (h, w, 3) around each pixel: (h, w, 4), three slopes and
    what is added."""
    size = (2 * _RADIUS + 1, 2 * _RADIUS + 1)

    def box(array: NDArray[np.float32]) -> NDArray[np.float32]:
        return plane(cv2.boxFilter(array, -1, size, borderType=cv2.BORDER_REFLECT))

    total = box(weight)

    def mean(array: NDArray[np.float32]) -> Plane:
        return box(array * weight) / total

    r, g, b = (np.ascontiguousarray(guide[..., k]) for k in range(3))
    mr, mg, mb, mean_values = mean(r), mean(g), mean(b), mean(values)
    x, y, z = (mean(one * values) - at * mean_values for one, at in ((r, mr), (g, mg), (b, mb)))
    rr, gg, bb = (mean(one * one) - at * at + np.float32(_EPSILON) for one, at in ((r, mr), (g, mg), (b, mb)))
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    step()
    # Inverse of the symmetric 3 x 3 covariance by cofactors.
    c00, c01, c02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c00 + rg * c01 + rb * c02
    sr, sg, sb = (
        (one * x + two * y + three * z) / determinant
        for one, two, three in ((c00, c01, c02), (c01, c11, c12), (c02, c12, c22))
    )
    offset = mean_values - sr * mr - sg * mg - sb * mb
    return np.dstack([box(one) for one in (sr, sg, sb, offset)])
