"""One instance followed from frame to frame: what is known of it, laid out as evidence for the network that traces it.

The network (`stylebridge_models.tracer`) sees a window around the place where the instance should be: the picture, the
label of the frame before moved along the flow, how well that fits, how things move there, and what colour models and
the plate say. Deciding the edge anew on every frame from local colour models and a shape prior is the idea of Video
SnapCut (Bai et al. 2009); here what the witnesses are worth is learned. An instance that is out of sight is looked for
in the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment import pair as pairs
from stylebridge_server.segment.colours import Lab, Palette, local_odds
from stylebridge_server.segment.locate import Known, View, locate, reappear
from stylebridge_server.segment.motion import pull
from stylebridge_server.segment.pair import Look, Pair, doubled, halved
from stylebridge_server.segment.planes import grow, plane, shrink
from stylebridge_server.segment.plate import Plate
from stylebridge_server.segment.remains import Way
from stylebridge_server.segment.survey import Survey
from stylebridge_server.segment.window import Window, around, whole
from stylebridge_server.values import Plane

Planes = NDArray[np.float32]  # (n, h, w)
Net = Callable[[Planes], Plane]
"""From the planes of a window to log odds (h, w)."""

OFF = np.float32(-16)  # log odds of a pixel that is out of the question
GONE = 0.01  # an instance below this share of its usual area is gone

_FLOOR = np.float32(2e-5)  # frequency that every colour has
_DOUBT = 0.1  # pixels of evidence that the local model starts with for either side
_MARGIN, _SHARE = 10, 0.22  # of windows: pixels, and share of the instance's long side
_SPECK = 0.03  # share of the instance below which a piece of its own is dropped
_RULES = np.float32(2)  # log odds that the hand-made rules add or take
_SMALL = 0.15  # share of its usual area below which an instance may be a remnant where it was last
_ALIKE = 0.4  # share of its first colours' mean log odds that what is so small must have
_QUIET = 2.2  # departure from the plate, in deviations, that speaks neither way


@dataclass
class _Colours:
    inside: Palette
    outside: Palette

    def odds(self, lab: Lab) -> Plane:
        """Log odds of each colour, instance against its surroundings, in [-1, 1] for odds up to e^3."""
        ratio = (self.inside(lab) + _FLOOR) / (self.outside(lab) + _FLOOR)
        return plane(np.clip(np.log(ratio) / 3, -1, 1))


class Follower:
    """An instance whose label is known on one frame.

    Attributes:
        label: (h, w) float32 in [0, 1] on the last frame that was taken.
        away: frames since the instance was last seen.
    """

    def __init__(
        self, look: Look, label: Plane, survey: Survey | None, rivals: Sequence[Palette] = ()
    ) -> None:
        """Start where the label is given.

        Args:
            look: of that frame.
            label: (h, w) in [0, 1].
            survey: of that frame, where there is one.
            rivals: colours of others, that it is not to be taken for when it comes back.
        """
        self.label = label
        self._rivals = rivals
        self.away = 0
        self._key = _Colours(Palette(), Palette())
        self._usual = _Colours(Palette(), Palette())
        self._plate = Plate(look.half, self._covered())
        self._way = Way(*look.half.shape[:2])
        self._place, self._edge = (0.0, 0.0), False
        self._area = self._given = max(float((label > 0.5).sum()), 1.0)
        self._learn(look.lab, key=True)
        self._own = self._alike(look)
        if survey is not None:
            small = replace(
                survey,
                lab=halved(survey.lab),
                **{name: halved(getattr(survey, name)) for name in ("trust", "noise", "departure")},
            )
            alike = plane(self._key.odds(small.lab) > 0)
            self._plate.heal(small, alike)

    @property
    def colours(self) -> Palette:
        """The instance's colours."""
        return self._usual.inside

    def moved(self, pair: Pair) -> Plane:
        """Carry all that is known of places to the next frame; returns where the label is there, (h, w) in [0, 1]."""
        self._plate.move(pair.scene)
        moved = pull(self.label, pair.field)
        valid = halved(np.ascontiguousarray(pair.planes[..., pairs.VALID]))
        self._way.move(halved(pair.field) * np.float32(0.5), valid, halved(moved))
        return moved

    def evidence(self, pair: Pair, label: Plane, away: bool = False) -> tuple[Window, Planes]:
        """What is known of the next frame around a label of it.

        Args:
            pair: the two frames.
            label: (h, w) in [0, 1], moved there, or found there.
            away: look everywhere, for what is out of sight.

        Returns:
            Window and planes (TRACE, h, w).
        """
        height, width = label.shape
        if away:
            return whole(height, width), self._planes(pair, label, whole(height, width), True)
        hard = (label > 0.5).astype(np.uint8)
        box = cv2.boundingRect(hard)
        pace = 0.0
        if not self.away:
            pace = float(np.abs(cv2.mean(pair.planes[..., pairs.MOTION], hard)[:2]).max())
        window = around(box, _MARGIN + _SHARE * max(box[2:]) + pace)
        return window, self._planes(pair, label, window, False)

    def witnessed(self, pair: Pair, moved: Plane) -> Plane:
        """Log odds (h, w) by hand-made rules, for the label moved to the next frame; see `locate`."""
        others = np.zeros_like(moved)
        return locate(self._known(), moved, others, [], self._view(pair))

    def back(self, pair: Pair) -> Plane | None:
        """Where an instance that is out of sight may be seen again: a label (h, w), or None."""
        return reappear(self._known(), np.zeros_like(self.label), self._rivals, self._view(pair))

    def _known(self) -> Known:
        return Known(self._usual.inside, self._usual.outside, self._area, self._edge, self._place, self.away)

    def _view(self, pair: Pair) -> View:
        height, width = self.label.shape
        half = pair.here.half
        planes = [self._plate.departure(half), self._plate.trust(), *self._plate.telling(half)]
        seen = pair.planes
        return View(
            np.ascontiguousarray(seen[..., pairs.LAB]),
            np.ascontiguousarray(seen[..., pairs.EXPECTED]),
            np.ascontiguousarray(seen[..., pairs.VALID]),
            np.ascontiguousarray(seen[..., pairs.MOTION]),
            *(doubled(one, height, width) for one in planes),
        )

    def _planes(self, pair: Pair, moved: Plane, window: Window, away: bool) -> Planes:
        height, width = moved.shape
        seen = window.take(pair.planes)
        prior = window.take(moved) if not away else np.zeros((window.h, window.w), np.float32)
        lab = np.ascontiguousarray(seen[..., pairs.LAB])
        valid = seen[..., pairs.VALID]
        departure = doubled(self._plate.departure(pair.here.half), height, width)
        trust = doubled(self._plate.trust(), height, width)
        plates = window.take(np.dstack([departure, trust]))
        motion = seen[..., pairs.MOTION] * np.float32(window.scale)
        weight = prior * valid + np.float32(1e-4) * prior
        total = float(weight.sum())
        own = (motion * weight[..., None]).sum((0, 1)) / total if total > 0 else np.zeros(2, np.float32)
        inside = np.clip(prior * 2 - 1, 0, 1) * (0.2 + 0.8 * valid)
        outside = np.clip(1 - 2 * prior, 0, 1) * (0.2 + 0.8 * valid)
        place = local_odds(
            np.ascontiguousarray(seen[..., pairs.EXPECTED]), lab, plane(inside), plane(outside), _DOUBT
        )
        flat = np.ones_like(prior)
        out = [
            (lab[..., 0] - 50) / 30,
            lab[..., 1] / 25,
            lab[..., 2] / 25,
            prior * 2 - 1,
            np.clip(seen[..., pairs.DIFFERENCE] / 12, 0, 3),
            valid,
            *np.moveaxis(np.tanh(motion / 4), 2, 0),
            *np.moveaxis(np.tanh((motion - own) / 4), 2, 0),
            self._usual.odds(lab),
            self._key.odds(lab),
            np.clip(place / 3, -1, 1) * (0 if away else 1),
            np.clip((plates[..., 0] - _QUIET) / 2, -1, 2) * plates[..., 1],
            plates[..., 1],
            window.within(height, width),
            flat * away,
            flat * np.tanh(np.hypot(*own) / 4),
            flat * np.clip(np.log(max(self._area * window.scale**2, 1) / (window.h * window.w)) / 3, -2, 1),
        ]
        return plane(np.stack(out))

    def take(self, pair: Pair, odds: Plane) -> None:
        """Go to the next frame, where the instance has these log odds, (h, w), before others are heard."""
        self.accept(pair, tidy(plane(1 / (1 + np.exp(-odds)))))

    def accept(self, pair: Pair, label: Plane) -> None:
        """Go to the next frame, where the instance has this label, (h, w) in [0, 1]."""
        departs = self._plate.departure(pair.here.half)
        stayed = self._way.stayed(halved(label))
        if stayed.any():
            label = plane(label * (1 - doubled(plane(stayed), *label.shape)))
        self.label = label
        if float((label > 0.5).sum()) < max(4.0, GONE * self._area) or self._foreign(pair, label):
            self.label = np.zeros_like(label)
            self.away += 1
        else:
            self.away = 0
            self._learn(pair.here.lab, key=False)
        self._plate.learn(pair.here.half, self._covered(), departs)

    def _foreign(self, pair: Pair, label: Plane) -> bool:
        """Whether what is left of a label shows too little of the instance's colours: the place where it was last."""
        if float((label > 0.5).sum()) > _SMALL * self._area:
            return False
        return self._alike(pair.here, label) < _ALIKE * self._own

    def _alike(self, look: Look, label: Plane | None = None) -> float:
        """Mean log odds, in units of e^3, of the colours of the first frame within the label."""
        inside = halved(self.label if label is None else label) > 0.5
        return float(self._key.odds(look.half)[inside].mean()) if inside.any() else 0.0

    def _covered(self) -> Plane:
        """At half the size, where the plate cannot be seen."""
        return grow(halved(self.label), 2)

    def _learn(self, lab: Lab, key: bool) -> None:
        """Take in colours and size."""
        hard = (self.label > 0.5).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(hard)
        m = max(16, max(w, h) // 3)
        part = np.s_[max(y - m, 0) : y + h + m, max(x - m, 0) : x + w + m]
        # Every second pixel of large things is enough.
        thin = max(1, round(float(np.sqrt(w * h)) / 90))
        lab = np.ascontiguousarray(lab[part][::thin, ::thin])
        label = np.ascontiguousarray(self.label[part][::thin, ::thin])
        height, width = hard.shape
        self._place = x + w / 2, y + h / 2
        self._edge = x <= 2 or y <= 2 or x + w >= width - 2 or y + h >= height - 2
        core = shrink(label, 1)
        core = core if core.max() > 0.5 else label
        ring = np.clip(1 - grow(label, 2), 0, 1)
        if key:
            for colours in (self._key, self._usual):
                colours.inside.learn(lab, core)
                colours.outside.learn(lab, ring)
            return
        area = float(hard.sum())
        # Of something hardly seen only little is believed.
        seen = min(1.0, area / self._area)
        self._usual.inside.learn(lab, core, 0.05 * seen)
        self._usual.outside.learn(lab, ring, 0.15)
        self._area += 0.05 * (area - self._area) if area > 0.5 * self._area else 0.0


def follow(follower: Follower, pair: Pair, net: Net) -> Plane:
    """Log odds (h, w) of an instance on the next frame; `Follower.take` or `accept` must follow."""
    height, width = follower.label.shape
    label = follower.moved(pair)
    if follower.away or not (label > 0.5).any():
        guess = follower.back(pair)
        if guess is None:
            return np.full((height, width), OFF)
        label = guess
    window, planes = follower.evidence(pair, label)
    odds = window.put(net(planes), height, width, float(OFF))
    by_rules = follower.witnessed(pair, label)
    return plane(odds + np.where(by_rules > 0, _RULES, -_RULES))


def tidy(label: Plane) -> Plane:
    """The label without specks."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((label > 0.5).astype(np.uint8), connectivity=8)
    if count <= 2:
        return label
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = [i + 1 for i, area in enumerate(areas) if area < _SPECK * areas.sum()]
    if small:
        label = np.where(
            grow(np.isin(parts, small), 1) * (~np.isin(parts, small) & (parts > 0) == 0) > 0, 0, label
        )
    return plane(label)
