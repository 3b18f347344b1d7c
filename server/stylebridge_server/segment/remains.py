"""What a label keeps of the scene: pieces that stay behind while the instance goes on, and its return from out of sight.

Both compare an instance with the scene over more than two frames, which the network that traces it does not see.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.motion import Field, camera, pull
from stylebridge_server.segment.planes import grow, plane, shrink, square
from stylebridge_server.values import Plane

_MEMORY = (
    0.93  # of the way gone, from one frame to the next: a foot that stands for ten frames is not left behind
)
_LEAST = 2.0  # pixels that the instance must have gone, so remembered
_STAYS = 0.35  # share of its way below which a pixel has stayed
_MOST = 0.6  # share of the label that may have stayed: more is the instance, and what moves is something else
_SURE, _COVERS = 0.6, 3.5  # trust in the plate, and departure from it, that show that something covers it
_WHOLE, _LARGEST = 0.25, 2.5  # shares of its area that an instance that comes back has
_ALIKE = 0.35  # mean log odds of its colours, in units of e^3, at which a piece is the instance


class Way:
    """How far every pixel of an instance has gone against the scene around it, of late.

    Attributes:
        gone: (h, w, 2) float32 pixels.
    """

    def __init__(self, h: int, w: int) -> None:
        self.gone: Field = np.zeros((h, w, 2), np.float32)

    def move(self, field: Field, valid: Plane, moved: Plane) -> None:
        """Go to the next frame.

        Args:
            field: (h, w, 2) flow from it to the frame before.
            valid: (h, w) in [0, 1], trust in the flow.
            moved: (h, w) in [0, 1], the label moved to it.
        """
        scene = camera(field, valid, grow(moved, 3))
        inside = moved > 0.5
        own = self._usual(inside)
        # What joins is taken to have come along.
        before = np.where(pull(moved, field)[..., None] > 0.5, pull(self.gone, field), own)
        self.gone = plane(np.float32(_MEMORY) * before + scene - field)
        self.gone[~inside] = self._usual(inside)

    def stayed(self, label: Plane) -> NDArray[np.bool_]:
        """The pixels of a label (h, w) that have stayed where the scene is, while the instance went."""
        inside = label > 0.5
        own = self._usual(inside)
        pace = float(np.hypot(*own))
        if pace < _LEAST:
            return np.zeros(label.shape, bool)
        still = plane((square(self.gone) < (_STAYS * pace) ** 2) & inside)
        still = grow(shrink(still, 1), 1)
        stayed = (still > 0) & inside
        return stayed if stayed.sum() < _MOST * inside.sum() else np.zeros(label.shape, bool)

    def _usual(self, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The way of most of an instance: the mean of the faster half, whose direction is the median's."""
        if not inside.any():
            return np.zeros(2, np.float32)
        ways = self.gone[inside]
        speeds = np.hypot(ways[:, 0], ways[:, 1])
        fast = ways[speeds >= np.median(speeds)]
        return np.asarray(np.median(fast, axis=0), np.float32)


def returning(departure: Plane, trust: Plane, colours: Plane, area: float) -> Plane | None:
    """Look for an instance that was out of sight: a piece that covers the plate, in its colours.

    Args:
        departure: (h, w), of the frame from the plate, in deviations.
        trust: (h, w) in [0, 1], in the plate.
        colours: (h, w) in [-1, 1], log odds of the frame's colours, the instance against its surroundings.
        area: of the instance, pixels.

    Returns:
        (h, w) 0 or 1, a first label, or None.
    """
    covers = plane((trust > _SURE) & (departure > _COVERS))
    opened = grow(shrink(covers, 1), 1).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    best, most = None, 0.0
    for i in range(1, count):
        size = float(stats[i, cv2.CC_STAT_AREA])
        if not max(12.0, _WHOLE * area) <= size <= _LARGEST * area:
            continue
        piece = parts == i
        score = float(colours[piece].mean())
        if score > _ALIKE and score * size > most:
            best, most = plane(piece), score * size
    return best
