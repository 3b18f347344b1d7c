"""Instances followed from frame to frame in one direction of time.

Each step moves every label along the optical flow, then cuts the instance out anew inside a band around the
moved label, from four witnesses: the moved shape, the colours of the place (local model), the colours of the
instance (global model), and the plate. Deciding the edge anew on every frame from local models and a shape
prior is the idea of Video SnapCut (Bai et al. 2009); the witnesses differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import Lab, Palette, local_odds, to_lab
from stylebridge_server.segment.cut import cut, edge_weights
from stylebridge_server.segment.interface import Flow
from stylebridge_server.segment.motion import camera, pull, still
from stylebridge_server.segment.planes import fill, grow, shrink, signed_distance
from stylebridge_server.segment.plate import Plate
from stylebridge_server.values import FlowPair, Plane, Rgb8

SMALLEST_FLOW = 16  # pictures with a shorter side than this are taken to stand still

_SHAPE, _LOCAL, _GLOBAL, _PLATE = 0.7, 0.6, 0.45, 1.0  # weights of the witnesses' log odds
_SMOOTHNESS = 2.0
_GONE = 0.02  # an instance below this share of its usual area is gone


@dataclass
class Follower:
    """What is known of one instance at the current frame."""

    label: Plane
    inside: Palette = field(default_factory=Palette)
    outside: Palette = field(default_factory=Palette)
    area: float = 0.0  # usual area, working pixels

    @property
    def gone(self) -> bool:
        return not bool(self.label.any())


class Sweep:
    """Labels of all instances of one scene, carried from frame to frame."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._rgb: Rgb8 | None = None
        self._lab: Lab = np.zeros((0, 0, 3), np.float32)
        self._plate: Plate | None = None
        self.followers: dict[int, Follower] = {}

    def step(self, rgb: Rgb8, keys: dict[int, Plane]) -> dict[int, Plane]:
        """Go to the next frame.

        Args:
            rgb: (h, w, 3) uint8 at working size, the neighbour of the frame before.
            keys: labels that are given on this frame, by instance; they start or correct a track.

        Returns:
            The label of every instance followed so far, (h, w) float32, 0 or 1; no pixel is in two.
        """
        lab = to_lab(rgb)
        wanted: dict[int, Plane] = {}
        if self._rgb is not None and self._plate is not None and self.followers:
            wanted = self._predict(rgb, lab)
        for instance, given in keys.items():
            wanted[instance] = np.where(given > 0.5, np.float32(20), np.float32(-20))
        labels = _exclusive(wanted)
        for instance, given in keys.items():
            follower = self.followers.setdefault(instance, Follower(given))
            follower.area = max(float(labels[instance].sum()), 1.0)
        self._learn(lab, labels, set(keys))
        self._rgb, self._lab = rgb, lab
        return labels

    def _pair(self, rgb: Rgb8) -> FlowPair:
        assert self._rgb is not None
        if min(rgb.shape[:2]) < SMALLEST_FLOW:
            return still(*rgb.shape[:2])
        return self._flow(self._rgb, rgb)

    def _predict(self, rgb: Rgb8, lab: Lab) -> dict[int, Plane]:
        """Log odds of every instance on the new frame, strongly negative outside its cut."""
        assert self._plate is not None
        pair = self._pair(rgb)
        moved = {i: pull(f.label, pair.backward) for i, f in self.followers.items()}
        things = np.clip(sum(moved.values()), 0, 1).astype(np.float32)
        scene = camera(pair.backward, pair.backward_valid, grow(things, 4))
        self._plate.move(scene)
        departure, trust = self._plate.departure(lab), self._plate.trust()
        expected = pull(self._lab, pair.backward)
        relative = np.sqrt(np.sum((pair.backward - scene) ** 2, axis=2))
        out = {}
        for instance, follower in self.followers.items():
            others = np.clip(things - moved[instance], 0, 1)
            out[instance] = _locate(
                follower,
                moved[instance],
                others,
                lab,
                expected,
                pair.backward_valid,
                relative,
                departure,
                trust,
            )
        return out

    def _learn(self, lab: Lab, labels: dict[int, Plane], given: set[int]) -> None:
        things = np.zeros(lab.shape[:2], np.float32)
        for instance, label in labels.items():
            follower = self.followers[instance]
            follower.label = label
            np.maximum(things, label, out=things)
            if not label.any():
                continue
            size = float(label.sum())
            core = shrink(label, 1)
            core = core if core.any() else label
            near = cv2.dilate(label, np.ones((41, 41), np.uint8)) - cv2.dilate(
                label, np.ones((5, 5), np.uint8)
            )
            follower.inside.learn(lab, core, 1.0 if instance in given else 0.03)
            follower.outside.learn(lab, near, 1.0 if instance in given else 0.15)
            if instance not in given:
                follower.area += 0.05 * (size - follower.area)
        margin = grow(things, 4)
        if self._plate is None:
            self._plate = Plate(lab, margin)
        else:
            self._plate.learn(lab, margin)


def _exclusive(odds: dict[int, Plane]) -> dict[int, Plane]:
    """Give each pixel to the instance with the highest positive odds, or to none."""
    if not odds:
        return {}
    order = sorted(odds)
    stack = np.stack([odds[i] for i in order])
    best = stack.argmax(axis=0)
    taken = stack.max(axis=0) > 0
    return {i: (taken & (best == k)).astype(np.float32) for k, i in enumerate(order)}


def _locate(
    follower: Follower,
    prior: Plane,
    others: Plane,
    lab: Lab,
    expected: Lab,
    valid: Plane,
    relative: Plane,
    departure: Plane,
    trust: Plane,
) -> Plane:
    """Cut one instance out of the new frame, all planes (h, w); log odds, negative off the instance."""
    h, w = prior.shape
    nothing = np.full((h, w), np.float32(-20))
    hard = (prior > 0.5).astype(np.uint8)
    if hard.sum() < max(4.0, _GONE * follower.area):
        return nothing
    size = float(np.sqrt(hard.sum()))
    speed = float(np.percentile(relative[hard > 0], 80))
    reach = int(np.clip(4 + 0.04 * size + 0.5 * speed, 5, 30))
    x, y, bw, bh = cv2.boundingRect(hard)
    margin = reach + 20
    window = np.s_[max(y - margin, 0) : y + bh + margin, max(x - margin, 0) : x + bw + margin]
    prior, hard, others = prior[window], hard[window], others[window]
    lab, expected, valid = lab[window], expected[window], valid[window]
    departure, trust = departure[window], trust[window]

    distance = signed_distance(hard)
    softness = 2.0 + 0.15 * speed
    shape = np.clip(distance / np.float32(softness), -4, 4) * (np.float32(0.35) + np.float32(0.65) * valid)
    sure_in = np.clip(prior * 2 - 1, 0, 1) * (np.float32(0.2) + np.float32(0.8) * valid)
    sure_out = np.clip(1 - 2 * prior, 0, 1) * (np.float32(0.2) + np.float32(0.8) * valid)
    local = np.clip(local_odds(expected, lab, sure_in, sure_out, 2.0), -3, 3)
    everywhere = np.clip(np.log((follower.inside(lab) + 2e-5) / (follower.outside(lab) + 2e-5)), -3, 3)
    behind = trust * np.clip(departure - np.float32(2.5), -3, 2)
    logit = _SHAPE * shape + _LOCAL * local + _GLOBAL * everywhere + _PLATE * behind
    logit -= 3 * others
    logit = np.where(distance < -reach, np.float32(-8), logit).astype(np.float32)
    u = cut(np.clip(logit, -8, 8), edge_weights(lab), _SMOOTHNESS)
    found = _pieces((u > 0.5).astype(np.uint8), hard)
    nothing[window] = np.where(found > 0, np.maximum(u * 4 + np.clip(logit, 0, 8), 0.1), -20)
    return nothing


def _pieces(found: NDArray[np.uint8], before: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep the pieces that the moved label overlaps and that are not specks; close pinholes."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    if count <= 1:
        return found
    overlap = np.bincount(parts.ravel(), before.ravel(), count)
    largest = stats[1:, cv2.CC_STAT_AREA].max()
    keep = [i for i in range(1, count) if overlap[i] > 0 and stats[i, cv2.CC_STAT_AREA] >= 0.03 * largest]
    out = np.isin(parts, keep).astype(np.uint8)
    return fill(out, max(4, int(0.004 * out.sum())))
