"""Instances of a scene followed from frame to frame in one direction of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stylebridge_models.tracer import TRACE
from stylebridge_server.segment.colours import Palette
from stylebridge_server.segment.follower import OFF, Follower, follow, tidy
from stylebridge_server.segment.interface import Flow
from stylebridge_server.segment.nets import ready
from stylebridge_server.segment.pair import Look, Pair
from stylebridge_server.segment.planes import plane
from stylebridge_server.segment.survey import Survey
from stylebridge_server.steps import step
from stylebridge_server.threads import at_once
from stylebridge_server.values import Plane, Rgb8


class Sweep:
    """Labels of instances, carried from frame to frame.

    Args:
        flow: optical flow.
        apart: every instance by itself, as if there were no others, so that none depends on another's key frames.
            Else a pixel is in one of them at most.
        returns: whether what went away is looked for; not where a network tells who comes.
        rivals: by instance, colours of others, that it is not to be taken for when it comes back.
    """

    def __init__(
        self,
        flow: Flow,
        apart: bool = False,
        returns: bool = True,
        rivals: Mapping[int, Sequence[Palette]] | None = None,
    ) -> None:
        self._flow, self._apart, self._returns = flow, apart, returns
        self._rivals = rivals or {}
        self._rgb: Rgb8 | None = None
        self._look: Look | None = None
        self._followed: dict[int, Follower] = {}

    def step(
        self,
        rgb: Rgb8,
        keys: Mapping[int, Plane] | None = None,
        surveys: Mapping[int, Survey | None] | None = None,
    ) -> dict[int, Plane]:
        """Go to the next frame.

        Args:
            rgb: (h, w, 3) uint8 at working size, the neighbour of the frame before.
            keys: labels that are given on this frame, by instance; a track starts there, whatever came before.
            surveys: by instance of `keys`, what other frames show of this one, where that is known.

        Returns:
            The label of every instance followed so far, (h, w) float32 in [0, 1].
        """
        keys = keys or {}
        for instance in keys:
            self.forget(instance)
        if self._followed and self._rgb is not None and self._look is not None:
            pair = Pair.of(self._rgb, self._look, rgb, self._flow)
            self._look = pair.here
            net = ready(TRACE)

            def onward(follower: Follower) -> Plane:
                lost = follower.away and not self._returns
                odds = np.full(rgb.shape[:2], OFF) if lost else follow(follower, pair, net)
                return plane(1 / (1 + np.exp(-odds)))

            step()
            labels = dict(zip(self._followed, at_once(onward, self._followed.values()), strict=True))
            if not self._apart:
                labels = exclusive(labels)
            step()
            at_once(lambda i: self._followed[i].accept(pair, tidy(labels[i])), labels)
        else:
            self._look = Look.of(rgb)
        self._rgb = rgb
        for instance, label in keys.items():
            rivals = self._rivals.get(instance, ())
            self._followed[instance] = Follower(self._look, label, (surveys or {}).get(instance), rivals)
        return {i: follower.label for i, follower in sorted(self._followed.items())}

    def add(self, instance: int, label: Plane) -> Plane:
        """Start an instance on the current frame, where nothing else is; returns its label, (h, w)."""
        taken = np.zeros_like(label)
        for follower in self._followed.values():
            np.maximum(taken, follower.label, out=taken)
        self.correct(instance, plane((label > 0.5) & (taken < 0.5)))
        return self._followed[instance].label

    def correct(self, instance: int, label: Plane) -> None:
        """Replace the label of an instance on the current frame by one that is known better, (h, w) 0 or 1."""
        assert self._look is not None
        self.forget(instance)
        for follower in self._followed.values():
            follower.label = plane(follower.label * (label < 0.5))
        self._followed[instance] = Follower(self._look, label, None)

    def forget(self, instance: int) -> None:
        """Follow an instance no longer; where it is not followed, nothing changes."""
        self._followed.pop(instance, None)

    def colours(self, instance: int) -> Palette | None:
        """What is known of the colours of an instance that is followed."""
        follower = self._followed.get(instance)
        return None if follower is None else follower.colours


def exclusive(labels: Mapping[int, Plane]) -> dict[int, Plane]:
    """Labels (h, w) in [0, 1] of which a pixel is in one at most: where one is surer, the others have the rest."""
    if len(labels) < 2:
        return dict(labels)
    order = sorted(labels)
    stack = np.stack([labels[i] for i in order])
    best = stack.argmax(axis=0)
    most = np.take_along_axis(stack, best[None], axis=0)[0]
    rest = 1 - most
    return {i: np.where(best == k, stack[k], np.minimum(stack[k], rest)) for k, i in enumerate(order)}
