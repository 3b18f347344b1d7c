"""What the tracer's networks train on: clips played by the segmenter's own code, the networks in the loop.

Evidence is made by `segment.follower` and `segment.first_look`, on frames with real optical flow, and what a network
says of one frame is what it is told on the next. So it learns to correct the errors that it makes.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import cv2
import numpy as np

from stylebridge_server import temporal
from stylebridge_server.segment import first_look
from stylebridge_server.segment.colours import departure, to_lab
from stylebridge_server.segment.follower import OFF, Follower, Planes, tidy
from stylebridge_server.segment.pair import Look, Pair
from stylebridge_server.segment.planes import grow, plane, shrink
from stylebridge_server.segment.survey import Survey
from stylebridge_server.segment.window import Window
from stylebridge_server.train.tracing.clips import Clip, Material
from stylebridge_server.values import Plane, Rgb8

Rng = np.random.Generator
_LEAST = 30.0  # visible pixels that a thing is begun with
_DISTURBED = 0.12  # share of frames before which what is known of the last is spoiled
_LOST = 3  # frames with hardly any overlap after which a clip is given up

flow = partial(temporal.flow_pair, test=temporal.occlusion)


class Player(Protocol):
    """A source of training windows: what it shows, and what it is answered."""

    def show(self) -> tuple[Planes, Plane]:
        """The next evidence (n, h, w) and the truth (h, w) in [0, 1]."""

    def hear(self, odds: Plane) -> None:
        """What the network makes of it, log odds (h, w)."""


class TracePlayer:
    """Follows one thing through clip after clip."""

    def __init__(self, material: Material, seed: int) -> None:
        self._material, self._seed, self._drawn = material, seed, 0
        self._follower: Follower | None = None
        # Of the clip that is followed, from `_begin` on.
        self._rgb: Rgb8
        self._look: Look
        self._truth: Plane
        self._k: int
        self._bad: int

    def show(self) -> tuple[Planes, Plane]:
        while self._follower is None or self._t + self._step not in range(self._clip.count):
            self._begin()
        follower = self._follower
        rng = self._rng
        if rng.random() < _DISTURBED and self._truth.sum() > _LEAST:
            follower.label = disturbed(rng, self._truth if rng.random() < 0.5 else follower.label)
            follower.away = 0 if (follower.label > 0.5).any() else 1
        self._t += self._step
        rgb, covers = self._clip.frame(self._t)
        self._pair = Pair.of(self._rgb, self._look, rgb, flow)
        self._rgb, self._look, self._truth = rgb, self._pair.here, covers[self._k]
        label = follower.moved(self._pair)
        away = follower.away > 0 or not (label > 0.5).any()
        self._window, planes = follower.evidence(self._pair, label, away)
        self._near = False
        return planes, self._window.take(self._truth)

    def hear(self, odds: Plane) -> None:
        assert self._follower is not None
        h, w = self._truth.shape
        full = self._window.put(odds, h, w, float(OFF))
        self._follower.take(self._pair, full)
        found, truth = self._follower.label > 0.5, self._truth > 0.5
        union = float((found | truth).sum())
        bad = union > 0 and float((found & truth).sum()) < 0.2 * union
        self._bad = self._bad + 1 if bad else 0
        if self._bad >= _LOST:
            if self._rng.random() < 0.5:
                self._follower = None
            elif truth.sum() > _LEAST:
                self._follower.label, self._follower.away, self._bad = self._truth.copy(), 0, 0

    def _begin(self) -> None:
        self._drawn += 1
        seed = self._seed + 1_000_003 * self._drawn
        self._rng = rng = np.random.default_rng([seed, 1])
        self._clip = clip = Clip(seed, self._material)
        self._step = int(rng.choice([-1, 1]))
        self._t = (0 if self._step > 0 else clip.count - 1) + self._step * int(rng.integers(0, 3))
        self._rgb, covers = clip.frame(self._t)
        sizes = [float((c > 0.5).sum()) for c in covers]
        fitting = [k for k, size in enumerate(sizes) if size >= _LEAST]
        if not fitting:
            self._follower = None
            return
        self._k = int(rng.choice(fitting))
        self._truth = covers[self._k]
        self._look = Look.of(self._rgb)
        label = plane(self._truth > 0.5)
        if rng.random() < 0.4:
            label = disturbed(rng, label, gentle=True)
        if not (label > 0.5).any():
            label = plane(self._truth > 0.5)
        self._follower, self._bad = Follower(self._look, label, None), 0


def disturbed(rng: Rng, label: Plane, gentle: bool = False) -> Plane:
    """A label as it may be wrong: moved, grown, shrunk, bent; and not so gently with leaks, holes, lost parts."""
    h, w = label.shape
    size = float(np.sqrt(max((label > 0.5).sum(), 1)))
    kinds = (
        ["grown", "shrunk", "bent"]
        if gentle
        else ["moved", "grown", "shrunk", "bent", "leak", "hole", "lost"]
    )
    kind = str(rng.choice(kinds))
    reach = max(1, round(size * rng.uniform(0.01, 0.05 if gentle else 0.14)))
    if kind == "grown":
        return grow(label, reach)
    if kind == "shrunk":
        return shrink(label, reach)
    if kind == "moved":
        shift = np.array([[1, 0, rng.normal(0, reach)], [0, 1, rng.normal(0, reach)]], np.float32)
        return plane(cv2.warpAffine(label, shift, (w, h)))
    if kind == "bent":
        noise = cv2.GaussianBlur(rng.normal(0, 1, (h, w, 2)).astype(np.float32), (0, 0), size / 5 + 2)
        noise *= 1.5 * reach / max(float(noise.std()), 1e-6)
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        return plane(cv2.remap(label, x + noise[..., 0], y + noise[..., 1], cv2.INTER_LINEAR))
    inside = np.argwhere(label > 0.5)
    if not len(inside):
        return label
    out = label.copy()
    y, x = inside[int(rng.integers(len(inside)))]
    axes = (int(size * rng.uniform(0.1, 0.5)) + 1, int(size * rng.uniform(0.1, 0.4)) + 1)
    if kind == "leak":
        x, y = (int(v + rng.normal(0, 0.6 * size)) for v in (x, y))
    patch = np.zeros((h, w), np.float32)
    cv2.ellipse(patch, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    return np.maximum(out, patch) if kind == "leak" else plane(np.clip(out - patch, 0, 1))


class LookPlayer:
    """Points at one thing after another, and looks at each a few times."""

    def __init__(self, material: Material, seed: int) -> None:
        self._material, self._seed, self._drawn = material, seed, 0
        self._looked = first_look.LOOKS
        self._odds: Plane | None = None

    def show(self) -> tuple[Planes, Plane]:
        if self._looked >= first_look.LOOKS:
            while not self._begin():
                pass
        self._window: Window = first_look.frame(self._aim, self._odds, *self._truth.shape)
        planes = first_look.evidence(self._lab, self._aim, self._window, self._odds, self._survey)
        return planes, self._window.take(self._truth)

    def hear(self, odds: Plane) -> None:
        h, w = self._truth.shape
        self._odds = self._window.put(odds, h, w, float(OFF))
        self._looked += 1

    def _begin(self) -> bool:
        self._drawn += 1
        seed = self._seed + 1_000_003 * self._drawn
        rng = np.random.default_rng([seed, 2])
        clip = Clip(seed, self._material)
        t = int(rng.integers(0, clip.count))
        rgb, covers = clip.frame(t)
        fitting = [k for k, c in enumerate(covers) if (c > 0.5).sum() >= 2 * _LEAST]
        if not fitting:
            return False
        k = int(rng.choice(fitting))
        self._truth, self._lab = covers[k], to_lab(rgb)
        self._aim = aimed(rng, self._truth > 0.5, [c > 0.5 for c in covers])
        self._survey = surveyed(rng, clip, t, k, self._lab) if rng.random() < 0.6 else None
        self._looked, self._odds = 0, None
        return True


def aimed(rng: Rng, truth: np.ndarray, others: list[np.ndarray]) -> first_look.Aim:
    """A box, points or strokes as people give them."""
    h, w = truth.shape
    box = None
    on: list[first_look.Stroke] = []
    beside: list[first_look.Stroke] = []
    kind = str(rng.choice(["box", "box", "box", "both", "points", "strokes"]))
    if kind in ("box", "both"):
        x, y, bw, bh = cv2.boundingRect(truth.astype(np.uint8))
        loose = rng.choice([1.0, 2.0, 4.0]) + np.array([bw, bh, bw, bh]) * rng.choice([0, 0.03, 0.1])
        x0, y0, x1, y1 = np.array([x, y, x + bw, y + bh]) + rng.uniform(-0.6, 1, 4) * loose * [-1, -1, 1, 1]
        x0, y0 = int(np.clip(x0, 0, w - 2)), int(np.clip(y0, 0, h - 2))
        box = x0, y0, int(np.clip(x1, x0 + 2, w)), int(np.clip(y1, y0 + 2, h))
    if kind != "box":
        core = shrink(plane(truth), 2) > 0.5
        near = (grow(plane(truth), 30) > 0.5) & (grow(plane(truth), 2) < 0.5)
        on = [_stroke(rng, core if core.any() else truth, kind) for _ in range(int(rng.integers(1, 4)))]
        if rng.random() < 0.5 and near.any():
            beside = [_stroke(rng, near, kind) for _ in range(int(rng.integers(1, 3)))]
    return first_look.Aim(box, on, beside)


def _stroke(rng: Rng, mask: np.ndarray, kind: str) -> first_look.Stroke:
    """A point of a mask, or a line between a few of its points that stays in it."""
    inside = np.argwhere(mask)[:, ::-1]
    start = inside[int(rng.integers(len(inside)))]
    if kind != "strokes":
        return start[None].astype(np.float32)
    points = [start]
    for _ in range(3):
        end = inside[int(rng.integers(len(inside)))]
        line = np.rint(np.linspace(points[-1], end, 20)).astype(int)
        if mask[line[:, 1], line[:, 0]].all():
            points.append(end)
    return np.array(points, np.float32)


def surveyed(rng: Rng, clip: Clip, t: int, k: int, lab: np.ndarray) -> Survey | None:
    """What a survey of the frame may show: the scene without the thing, not quite in its place."""
    behind: Rgb8 = clip.frame(t, without=k)[0]
    h, w = behind.shape[:2]
    shift = np.array([[1, 0, rng.normal(0, 0.6)], [0, 1, rng.normal(0, 0.6)]], np.float32)
    laid = to_lab(cv2.warpAffine(behind, shift, (w, h), borderMode=cv2.BORDER_REPLICATE))
    noise = np.full((h, w), np.float32(rng.uniform(1, 2)))
    doubt = cv2.GaussianBlur(rng.normal(0, 1, (h, w)).astype(np.float32), (0, 0), 14)
    trust = plane(np.clip(doubt / max(float(doubt.std()), 1e-6) + rng.uniform(-0.5, 3), 0, 1))
    # Where it stood in most of the other frames, they show the thing itself.
    if rng.random() < 0.3:
        kept = plane(cv2.GaussianBlur(plane(rng.normal(0, 1, (h, w))), (0, 0), 10) > 0)[..., None]
        laid = kept * lab + (1 - kept) * laid
    return Survey(laid, trust, noise, departure(plane(laid), lab, noise))


__all__ = ["LookPlayer", "Player", "TracePlayer", "tidy"]
