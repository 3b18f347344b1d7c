"""Minimum cut between two labels on a pixel grid, in its continuous form.

Minimises  sum_x r(x) u(x) + sum_xy g_xy |u(x) - u(y)|  over u in [0, 1] by the primal-dual method of
Chambolle and Pock (2011). The minimum over the relaxed u is that of the graph cut (Unger et al., TVSeg,
2008). Every step is a handful of whole-array operations, so it runs fast on numpy; and unlike cv2.grabCut it
takes any data term.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.planes import square
from stylebridge_server.steps import step
from stylebridge_server.values import Plane

ITERATIONS = 50


def edge_weights(lab: NDArray[np.float32], floor: float = 0.06) -> tuple[Plane, Plane]:
    """How much it costs to cut between neighbours: near 1 in flat areas, `floor` across a strong edge.

    Args:
        lab: (h, w, 3) float32 colour.
        floor: the least cost.

    Returns:
        Weights to the right neighbour (h, w - 1) and to the lower neighbour (h - 1, w), float32.
    """
    right = square(lab[:, 1:] - lab[:, :-1])
    down = square(lab[1:] - lab[:-1])
    total = float(right.sum() + down.sum())
    mean = max(total / max(right.size + down.size, 1), 1.0)
    scale = np.float32(-0.5 / mean)
    return floor + (1 - floor) * np.exp(right * scale), floor + (1 - floor) * np.exp(down * scale)


def cut(logit: Plane, weights: tuple[Plane, Plane], smoothness: float, iterations: int = ITERATIONS) -> Plane:
    """Label the pixels of a picture.

    Args:
        logit: (h, w) float32, how much more likely the pixel is on the thing than beside it, as log odds.
        weights: from `edge_weights`, (h, w - 1) and (h - 1, w).
        smoothness: price of a cut of unit length through a flat area, in the unit of `logit`.
        iterations: fixed, so that the result depends on the input alone.

    Returns:
        u (h, w) float32 in [0, 1], close to 0 or 1 almost everywhere.
    """
    tau = np.float32(0.25)  # tau * sigma * |gradient|^2 <= 1 with |gradient|^2 <= 8
    sigma = np.float32(0.5)
    gain = tau * logit
    limit_x, limit_y = weights[0] * np.float32(smoothness), weights[1] * np.float32(smoothness)
    u = 1 / (1 + np.exp(-logit))
    leading = u.copy()
    px, py = np.zeros_like(limit_x), np.zeros_like(limit_y)
    for _ in range(iterations):
        step()
        px += sigma * (leading[:, 1:] - leading[:, :-1])
        np.clip(px, -limit_x, limit_x, out=px)
        py += sigma * (leading[1:] - leading[:-1])
        np.clip(py, -limit_y, limit_y, out=py)
        leading[:] = u
        u = u + gain
        u[:, :-1] += tau * px
        u[:, 1:] -= tau * px
        u[:-1] += tau * py
        u[1:] -= tau * py
        np.clip(u, 0, 1, out=u)
        np.subtract(2 * u, leading, out=leading)
    return np.ascontiguousarray(u, dtype=np.float32)
