"""What a label keeps of the scene: pieces that stay behind while the instance goes on.

That shows over more frames than the network that traces the instance sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.motion import Field, camera, pull
from stylebridge_server.segment.planes import grow, plane, shrink, square
from stylebridge_server.values import Plane

_MEMORY = (
    0.93  # of the way gone, from one frame to the next: a foot that stands for ten frames is not left behind
)
_LEAST = 2.0  # pixels that the instance must have gone, so remembered
_JOINS = 0.45  # share of its way that what joins is taken to have gone
_STAYS = 0.35  # share of its way below which a pixel has stayed
_MOST = 0.6  # share of the label that may have stayed: more is the instance, and what moves is something else


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
        before = pull(self.gone, field)
        # What joins is neither taken to have come along nor to have stayed: it shows that within a few frames.
        before[~inside] = np.float32(_JOINS) * self._usual(before, inside)
        self.gone = plane(np.float32(_MEMORY) * before + scene - field)

    def stayed(self, label: Plane) -> NDArray[np.bool_]:
        """The pixels of a label (h, w) that have stayed where the scene is, while the instance went."""
        inside = label > 0.5
        own = self._usual(self.gone, inside)
        pace = float(np.hypot(*own))
        if pace < _LEAST:
            return np.zeros(label.shape, bool)
        still = plane((square(self.gone) < (_STAYS * pace) ** 2) & inside)
        still = grow(shrink(still, 1), 1)
        stayed = (still > 0) & inside
        return stayed if stayed.sum() < _MOST * inside.sum() else np.zeros(label.shape, bool)

    @staticmethod
    def _usual(gone: Field, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The way of an instance: the median of its faster half."""
        if not inside.any():
            return np.zeros(2, np.float32)
        ways = gone[inside]
        speeds = np.hypot(ways[:, 0], ways[:, 1])
        fast = ways[speeds >= np.median(speeds)]
        return np.asarray(np.median(fast, axis=0), np.float32)
