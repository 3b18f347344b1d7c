"""From a hard label at working size to a soft matte at full resolution that follows the picture's edges.

The guided filter (He, Sun and Tang 2010) with a colour guide: inside every small window the matte is an
affine function of the picture's colour, so fur and motion blur come out as partial cover.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.planes import plane
from stylebridge_server.steps import step
from stylebridge_server.values import Plane, Rgb8


def guided(guide: NDArray[np.float32], values: Plane, radius: int, epsilon: float) -> Plane:
    """Filter `values` (h, w) along the edges of `guide` (h, w, 3) in [0, 1]."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(array: NDArray[np.float32]) -> NDArray[np.float32]:
        return plane(cv2.boxFilter(array, -1, size, borderType=cv2.BORDER_REFLECT))

    step()
    mean_guide, mean_values = mean(guide), mean(values)
    cross = mean(guide * values[..., None]) - mean_guide * mean_values[..., None]
    r, g, b = guide[..., 0], guide[..., 1], guide[..., 2]
    mr, mg, mb = mean_guide[..., 0], mean_guide[..., 1], mean_guide[..., 2]
    rr, gg, bb = (
        mean(r * r) - mr * mr + epsilon,
        mean(g * g) - mg * mg + epsilon,
        mean(b * b) - mb * mb + epsilon,
    )
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    step()
    # Inverse of the symmetric 3 x 3 covariance by cofactors.
    c00, c01, c02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c00 + rg * c01 + rb * c02
    x, y, z = cross[..., 0], cross[..., 1], cross[..., 2]
    slope = np.stack(
        [c00 * x + c01 * y + c02 * z, c01 * x + c11 * y + c12 * z, c02 * x + c12 * y + c22 * z], axis=2
    )
    step()
    slope /= determinant[..., None]
    offset = mean_values - np.einsum("ijk,ijk->ij", slope, mean_guide)
    return plane(np.einsum("ijk,ijk->ij", mean(slope), guide) + mean(offset))


def matte(rgb: Rgb8, label: Plane) -> NDArray[np.uint8]:
    """Soft matte of one instance at full resolution.

    Args:
        rgb: (H, W, 3) uint8, the frame.
        label: (h, w) float32 in [0, 1] at working size, 1 on the instance.

    Returns:
        (H, W) uint8, 0 to 255; 0 everywhere where the label is empty.
    """
    height, width = rgb.shape[:2]
    out = np.zeros((height, width), np.uint8)
    if float(label.max(initial=0)) < 0.5:
        return out
    scale = height / label.shape[0]
    big = cv2.resize(label, (width, height), interpolation=cv2.INTER_LINEAR)
    radius = max(2, round(3.0 * scale))
    ys, xs = np.nonzero(big.max(axis=1) > 0.01)[0], np.nonzero(big.max(axis=0) > 0.01)[0]
    margin = 3 * radius
    y0, y1 = max(int(ys[0]) - margin, 0), min(int(ys[-1]) + margin + 1, height)
    x0, x1 = max(int(xs[0]) - margin, 0), min(int(xs[-1]) + margin + 1, width)
    crop = plane(big[y0:y1, x0:x1])
    guide = plane(rgb[y0:y1, x0:x1]) / np.float32(255)
    soft = guided(guide, crop, radius, 4e-4)
    step()
    # Only a narrow band around the edge is open; in it a little contrast takes back the filter's haze.
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    hard = (crop > 0.5).astype(np.uint8)
    core, reach = cv2.erode(hard, kernel), cv2.dilate(hard, kernel)
    soft = np.clip((soft - 0.5) * np.float32(1.3) + 0.5, 0, 1)
    soft = np.where(core > 0, 1, np.where(reach > 0, soft, 0))
    out[y0:y1, x0:x1] = np.rint(soft * 255).astype(np.uint8)
    return out
