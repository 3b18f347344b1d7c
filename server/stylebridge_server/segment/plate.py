"""The plate: what the scene looks like behind the things, learned frame by frame, carried along the camera.

A pixel that shows what the plate shows is background, whatever its colour; one that does not is covered by
something. The plate learns only where no thing is, so a thing that stands still never sinks into it.
"""

from __future__ import annotations

import cv2
import numpy as np

from stylebridge_server.segment.colours import Lab
from stylebridge_server.segment.motion import Field, inside, pull
from stylebridge_server.segment.planes import plane, shrink
from stylebridge_server.values import Plane

_RATE = 0.25  # how fast the plate follows a background that changes
_NOISE = 1.5  # least deviation of a background pixel, in Lab units
_TRUST = 3.0  # views after which a pixel of the plate is fully trusted


class Plate:
    """Background colours (h, w, 3), their usual deviation (h, w), and how often each was seen (h, w)."""

    def __init__(self, lab: Lab, things: Plane) -> None:
        free = (things < 0.02).astype(np.float32)
        self.lab = lab.copy()
        self.seen = free * np.float32(_TRUST)
        self.noise = np.full(lab.shape[:2], _NOISE, np.float32)

    def move(self, scene: Field) -> None:
        """Carry the plate to the next frame along `scene`, the flow from there to here."""
        known = inside(scene)
        weight = self.seen
        self.lab = pull(self.lab, scene, cubic=True)
        self.noise = pull(self.noise, scene)
        # A pixel known by halves counts only as far as all four neighbours are known.
        self.seen = pull(shrink(weight, 1), scene) * known
        self.seen = np.maximum(self.seen, 0)

    def trust(self) -> Plane:
        """How well the plate is known, (h, w) in [0, 1]."""
        return np.minimum(self.seen / np.float32(_TRUST), 1)

    def departure(self, lab: Lab) -> Plane:
        """How far each pixel departs from the plate, in usual deviations, (h, w) float32.

        A shift of up to a pixel costs nothing, and a shadow (darker, same hue) costs little.
        """
        best = np.full(lab.shape[:2], np.inf, np.float32)
        padded = cv2.copyMakeBorder(self.lab, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        h, w = lab.shape[:2]
        for dy, dx in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2)):
            other = padded[dy : dy + h, dx : dx + w]
            light = lab[..., 0] - other[..., 0]
            shade = np.where((light < 0) & (light > -14), light * np.float32(0.5), light)
            chroma = np.sum((lab[..., 1:] - other[..., 1:]) ** 2, axis=2)
            np.minimum(best, shade**2 + chroma, out=best)
        return plane(np.sqrt(np.maximum(cv2.blur(best, (3, 3)), 0)) / self.noise)

    def learn(self, lab: Lab, things: Plane) -> None:
        """Take in what the frame shows where no thing is; `things` (h, w) in [0, 1], with margin."""
        free = (things < 0.02).astype(np.float32)
        fresh = self.seen < 0.5
        rate = np.where(fresh, np.float32(1), np.float32(_RATE)) * free
        difference = np.sqrt(np.sum((lab - self.lab) ** 2, axis=2))
        steady = np.where(fresh, np.float32(_NOISE), np.maximum(difference, _NOISE))
        self.noise += np.float32(0.1) * free * (np.minimum(steady, 6) - self.noise)
        self.lab += rate[..., None] * (lab - self.lab)
        self.seen = np.minimum(self.seen + free, np.float32(2 * _TRUST))
