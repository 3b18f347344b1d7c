"""All instances of a scene followed from frame to frame in one direction of time."""

from __future__ import annotations

import numpy as np

from stylebridge_server.segment.colours import Lab, Palette, to_lab
from stylebridge_server.segment.interface import Flow
from stylebridge_server.segment.locate import GONE, OFF, REMNANT, Known, View, locate, reappear
from stylebridge_server.segment.motion import camera, pull, still
from stylebridge_server.segment.planes import grow, plane, shrink
from stylebridge_server.segment.plate import Plate
from stylebridge_server.segment.survey import Survey
from stylebridge_server.steps import step
from stylebridge_server.values import FlowPair, Plane, Rgb8

SMALLEST_FLOW = 16  # pictures with a shorter side than this are taken to stand still

_NEAR = 24  # pixels around an instance within which another's colours count as rivals


class Sweep:
    """Labels of all instances of one scene, carried from frame to frame.

    Args:
        flow: optical flow.
        returns: whether what went away is looked for by its colours; not where a network tells who comes.
    """

    def __init__(self, flow: Flow, returns: bool = True) -> None:
        self._flow, self._returns = flow, returns
        self._rgb: Rgb8 | None = None
        self._lab: Lab = np.zeros((0, 0, 3), np.float32)
        self._plate: Plate | None = None
        self._known: dict[int, Known] = {}
        self._labels: dict[int, Plane] = {}
        self._own: set[int] = set()
        self._departure: Plane = np.zeros((0, 0), np.float32)

    def step(
        self, rgb: Rgb8, keys: dict[int, Plane], others: dict[int, Plane], around: Survey | None
    ) -> dict[int, Plane]:
        """Go to the next frame.

        Args:
            rgb: (h, w, 3) uint8 at working size, the neighbour of the frame before.
            keys: labels that are given on this frame, by instance; they start or correct a track.
            others: labels known from elsewhere of instances that this sweep has not met yet.
            around: what other frames show, where that is known.

        Returns:
            The label of every instance followed so far, (h, w) float32, 0 or 1; no pixel is in two.
        """
        lab = to_lab(rgb)
        if self._own and self._known.keys() <= keys.keys():
            # All is given anew: what follows depends on this frame, not on how the sweep came here.
            self._plate, self._known = None, {}
        wanted: dict[int, Plane] = {}
        if self._rgb is not None and self._plate is not None:
            wanted = self._predict(self._rgb, rgb, lab, self._plate)
        given = {i: label for i, label in others.items() if i not in self._own} | keys
        self._own |= set(keys)
        for instance, label in given.items():
            wanted[instance] = np.where(label > 0.5, -OFF, OFF)
            if instance in keys or instance not in self._known:
                self._known[instance] = Known(Palette(), Palette())
        self._labels = _exclusive(wanted)
        for instance in self._known:
            step()
            self._learn(lab, instance, instance in keys)
        things = np.zeros(lab.shape[:2], np.float32)
        for label in self._labels.values():
            np.maximum(things, label, out=things)
        if self._plate is None:
            self._plate = Plate(lab, grow(things, 4))
        else:
            self._plate.learn(lab, grow(things, 4), self._departure)
        if around is not None and self._known:
            alike = [known.inside(around.lab) > known.outside(around.lab) for known in self._known.values()]
            self._plate.heal(around, plane(np.any(alike, axis=0)))
        self._rgb, self._lab = rgb, lab
        return {i: label for i, label in self._labels.items() if i in self._own}

    def add(self, instance: int, label: Plane) -> Plane:
        """Start an instance on the current frame, where nothing else is; returns its label, (h, w)."""
        taken = np.zeros_like(label)
        for other in self._labels.values():
            np.maximum(taken, other, out=taken)
        self._known[instance] = Known(Palette(), Palette())
        self._own.add(instance)
        self._labels[instance] = plane((label > 0.5) & (taken < 0.5))
        self._learn(self._lab, instance, True)
        if self._plate is not None:
            self._plate.forget(grow(label, 4))
        return self._labels[instance]

    def correct(self, instance: int, label: Plane) -> None:
        """Replace the label of an instance on the current frame by one that is known better, (h, w) 0 or 1."""
        for other in self._labels.values():
            other[label > 0.5] = 0
        self._known[instance] = Known(Palette(), Palette())
        self._own.add(instance)
        self._labels[instance] = plane(label > 0.5)
        self._learn(self._lab, instance, True)
        if self._plate is not None:
            self._plate.forget(grow(label, 4))

    def forget(self, instance: int) -> None:
        """Follow an instance no longer; where it is not followed, nothing changes."""
        self._known.pop(instance, None)
        self._labels.pop(instance, None)
        self._own.discard(instance)

    def colours(self, instance: int) -> Palette | None:
        """What is known of the colours of an instance that is followed."""
        known = self._known.get(instance)
        return None if known is None else known.inside

    def _predict(self, before: Rgb8, rgb: Rgb8, lab: Lab, plate: Plate) -> dict[int, Plane]:
        """Log odds of every instance on the new frame."""
        pair = self._pair(before, rgb)
        moved = {i: pull(label, pair.backward) for i, label in self._labels.items()}
        things = plane(np.clip(sum(moved.values(), np.zeros(lab.shape[:2], np.float32)), 0, 1))
        scene = camera(pair.backward, pair.backward_valid, grow(things, 4))
        plate.move(scene)
        self._departure = plate.departure(lab)
        view = View(
            lab,
            pull(self._lab, pair.backward),
            pair.backward_valid,
            pair.backward - scene,
            self._departure,
            plate.trust(),
            *plate.telling(lab),
        )
        out = {}
        for instance, known in self._known.items():
            step()
            prior = moved[instance]
            if known.away:
                prior_or_none = reappear(known, things, view) if self._returns else None
                if prior_or_none is None:
                    out[instance] = np.full(lab.shape[:2], OFF)
                    continue
                prior = prior_or_none
            near = grow(prior, _NEAR)
            rivals = [
                other.inside
                for j, other in self._known.items()
                if j != instance and bool((near * moved[j]).any())
            ]
            out[instance] = locate(known, prior, plane(np.clip(things - moved[instance], 0, 1)), rivals, view)
        return out

    def _pair(self, before: Rgb8, rgb: Rgb8) -> FlowPair:
        h, w = rgb.shape[:2]
        return still(h, w) if min(h, w) < SMALLEST_FLOW else self._flow(before, rgb)

    def _learn(self, lab: Lab, instance: int, key: bool) -> None:
        """Take in colours, size and place of an instance; a key frame weighs more."""
        known, label = self._known[instance], self._labels[instance]
        size = float(label.sum())
        hidden = size >= REMNANT * known.area or self._may_be_hidden(instance)
        if not key and (size < max(4.0, GONE * known.area) or not hidden):
            label[:] = 0
            known.away += 1
            return
        known.away = 0
        h, w = label.shape
        ys, xs = np.nonzero(label.any(axis=1))[0], np.nonzero(label.any(axis=0))[0]
        around = np.s_[max(int(ys[0]) - 24, 0) : int(ys[-1]) + 25, max(int(xs[0]) - 24, 0) : int(xs[-1]) + 25]
        known.place = float(xs[0] + xs[-1]) / 2, float(ys[0] + ys[-1]) / 2
        known.edge = bool(xs.min() <= 2 or ys.min() <= 2 or xs.max() >= w - 3 or ys.max() >= h - 3)
        lab, label = np.ascontiguousarray(lab[around]), np.ascontiguousarray(label[around])
        core = shrink(label, 1)
        known.inside.learn(lab, core if core.any() else label, 1.0 if key else 0.03)
        known.outside.learn(lab, plane(grow(label, 20) - grow(label, 2)), 1.0 if key else 0.15)
        if key or known.area <= 1:
            known.area = max(size, 1.0)
        elif not known.edge:
            known.area += 0.05 * (size - known.area)

    def _may_be_hidden(self, instance: int) -> bool:
        """Whether the label reaches the picture's edge or another instance."""
        near = grow(self._labels[instance], 3) > 0
        if near[[0, -1]].any() or near[:, [0, -1]].any():
            return True
        return any(bool((near & (label > 0)).any()) for i, label in self._labels.items() if i != instance)


def _exclusive(odds: dict[int, Plane]) -> dict[int, Plane]:
    """Give each pixel to the instance with the highest positive odds, or to none."""
    if not odds:
        return {}
    order = sorted(odds)
    stack = np.stack([odds[i] for i in order])
    best = stack.argmax(axis=0)
    taken = stack.max(axis=0) > 0
    return {i: (taken & (best == k)).astype(np.float32) for k, i in enumerate(order)}
