"""Motion that a host supplies, from its renderer, as a method of flow."""

from __future__ import annotations

import cv2
import numpy as np

from stylebridge_server.steps import step
from stylebridge_server.temporal.methods import Numbers, Pictures
from stylebridge_server.values import FlowPair, GivenFlow, Motion, Plane

_KEPT = 3  # frames whose motion is kept: a pair's two, and the one that the next pair shares


class Given:
    """See `methods.Flow`. The way back of a pair is the later frame's, the way there the earlier frame's.

    Motion is at the size of the shot. At another size each pixel has that of one of the pixels that it stands for, so
    that no value is a mix of two things.
    """

    METHOD = "1"  # raised when the same motion would give another flow

    def __init__(self, given: GivenFlow) -> None:
        self._given = given
        self._recent: dict[int, Motion] = {}
        self.id = f"host-{self.METHOD}-{given.content}"

    def memory(self, pixels: int) -> int:
        # Motion is 16 bytes a pixel; what is read is held twice.
        return 16 * pixels * (_KEPT + 2)

    def name(self, numbers: Numbers) -> str:
        later, earlier = (self._given.contents(number) for number in numbers)
        return f"host-{self.METHOD}-{later}-{earlier}"

    def pair(self, numbers: Numbers, pictures: Pictures) -> FlowPair:
        size = pictures[0].shape[0], pictures[0].shape[1]
        later, earlier = numbers
        forward, known = _sized(self._motion(later).previous, size)
        backward, known_back = _sized(self._motion(earlier).following, size)
        step()
        return FlowPair(forward, backward, known, known_back)

    def _motion(self, number: int) -> Motion:
        if number not in self._recent:
            step()
            self._recent[number] = self._given.read(number)
            while len(self._recent) > _KEPT:
                del self._recent[next(iter(self._recent))]
        return self._recent[number]


def _sized(motion: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, Plane]:
    """Motion at a size, in its pixels, 0 where it is not known; and where it is: (h, w) float32, 0 or 1."""
    height, width = motion.shape[:2]
    if (height, width) != size:
        motion = cv2.resize(motion, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
        motion = motion * np.array([size[1] / width, size[0] / height], np.float32)
    known = np.isfinite(motion).all(-1)
    return np.where(known[..., None], motion, np.float32(0)), known.astype(np.float32)
