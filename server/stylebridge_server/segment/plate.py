"""The plate: what the scene looks like behind the things, learned frame by frame, carried along the camera.

A pixel that shows what the plate shows is background, whatever its colour; one that does not is covered by
something. The plate learns only where no thing is, so a thing that stands still never sinks into it.
"""

from __future__ import annotations

import numpy as np

from stylebridge_server.segment.colours import Lab, departure, telling, texture
from stylebridge_server.segment.motion import Field, inside, pull
from stylebridge_server.segment.planes import square
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Plane

_RATE = 0.25  # how fast the plate follows a background that changes
_SLOW = 0.01  # and one that changes suddenly
_TEXTURE = 0.2  # least deviation for every unit of local contrast
_DOUBT = 3.5  # departure that counts as sudden
_NOISE = 1.2  # least deviation of a background pixel, in Lab units
_TRUST = 3.0  # views after which a pixel of the plate is fully trusted


class Plate:
    """Background colours (h, w, 3), their usual deviation (h, w), and how often each was seen (h, w)."""

    def __init__(self, lab: Lab, things: Plane) -> None:
        """Start from one frame; under the things, (h, w) in [0, 1] with margin, nothing is known."""
        self.lab = lab.copy()
        self.seen = (things < 0.02).astype(np.float32) * np.float32(_TRUST)
        self.noise = np.full(lab.shape[:2], np.float32(_NOISE))

    def move(self, scene: Field) -> None:
        """Carry the plate to the next frame along `scene`, the flow from there to here."""
        # Unknown pixels have no say in their neighbours' colours.
        weight = np.minimum(self.seen, 1)
        share = pull(weight, scene, cubic=True)
        known = share > 0.5
        moved = pull(self.lab * weight[..., None], scene, cubic=True)
        self.lab = np.where(known[..., None], moved / np.maximum(share, 0.5)[..., None], moved)
        self.noise = pull(self.noise, scene)
        self.seen = pull(self.seen, scene) * known * inside(scene)

    def heal(self, around: Survey, foreign: Plane) -> None:
        """Take what other frames agree on where the frame departs from it.

        Args:
            around: the survey of the frame.
            foreign: (h, w), 1 where the survey shows the colours of a thing, which may have stood there long.
        """
        sure = (around.departure > 4) & (around.trust > 0.7) & (foreign < 0.5)
        self.lab[sure] = around.lab[sure]
        self.noise = np.where(around.trust > 0.5, np.maximum(around.noise, self.noise), self.noise)
        self.seen[sure] = _TRUST

    def forget(self, things: Plane) -> None:
        """Give up what the plate showed of things before they were known."""
        self.seen = self.seen * (things < 0.02)

    def trust(self) -> Plane:
        """How well the plate is known, (h, w) in [0, 1]."""
        return np.minimum(self.seen / np.float32(_TRUST), 1)

    def departure(self, lab: Lab) -> Plane:
        """How far each pixel of a picture departs from the plate; see the function of that name."""
        # Carried from frame to frame, fine texture is never quite where it was, nor quite as sharp.
        least = np.float32(_NOISE) + np.float32(_TEXTURE) * texture(self.lab)
        return departure(self.lab, lab, np.maximum(self.noise, least))

    def telling(self, lab: Lab) -> tuple[Plane, Plane]:
        """How much match and departure of a picture say; see the function of that name."""
        return telling(self.lab, lab)

    def learn(self, lab: Lab, things: Plane, departs: Plane) -> None:
        """Take in what the frame shows where no thing is.

        What departs from a plate that was known is hardly believed: it may be a piece of a thing that got
        lost, and a plate that had learned it would never give it back.

        Args:
            lab: (h, w, 3), the frame.
            things: (h, w) in [0, 1], the things with a margin.
            departs: (h, w), `departure` of the frame.
        """
        free = (things < 0.02).astype(np.float32)
        fresh = self.seen < 0.5
        sudden = departs > _DOUBT
        rate = np.where(fresh, np.float32(1), np.where(sudden, np.float32(_SLOW), np.float32(_RATE))) * free
        difference = lab - self.lab
        steady = np.where(fresh, np.float32(_NOISE), np.maximum(np.sqrt(square(difference)), _NOISE))
        usual = np.where(sudden, np.float32(0.01), np.float32(0.1)) * free
        self.noise += usual * (np.minimum(steady, 6) - self.noise)
        self.lab += rate[..., None] * difference
        self.seen = np.minimum(self.seen + free, np.float32(2 * _TRUST))
