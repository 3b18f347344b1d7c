"""From a box, points or strokes on one frame to a label of it, by the network that looks (`stylebridge_models.tracer`).

It looks several times: the colours of what it found, and of what lies around, are evidence for the next look, as in
GrabCut (Rother et al. 2004); what the evidence is worth is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import Lab, Palette, local_odds
from stylebridge_server.segment.follower import Net, Planes
from stylebridge_server.segment.planes import grow, plane, shrink
from stylebridge_server.segment.survey import Survey
from stylebridge_server.segment.window import Window, around
from stylebridge_server.steps import step
from stylebridge_server.values import Plane

LOOKS = 3
Stroke = NDArray[np.float32]  # (n, 2) positions (x, y), pixels; one position is a point
Box = tuple[int, int, int, int]  # left, top, right, bottom, pixels, ends excluded

_FLOOR = np.float32(2e-5)
_DOUBT = 0.1
_QUIET = 2.8  # departure from what other frames show that speaks neither way
_REACH = 0.35  # of the picture's short side, around points alone
_DISC = 4  # pixels of a window that a point or a stroke is wide
_OFF = -16.0
_FILLED = 0.3  # share of its own box that a thing fills at least


@dataclass(frozen=True)
class Aim:
    """What a prompt points at, in pixels."""

    box: Box | None
    on: Sequence[Stroke]
    beside: Sequence[Stroke]


def find(lab: Lab, aim: Aim, survey: Survey | None, net: Net) -> Plane:
    """Log odds (h, w) of the thing that is meant in a picture (h, w, 3).

    People draw boxes that touch the thing on all sides, so of several looks into a box that one is taken whose find
    touches it best; of points, the last that found anything.
    """
    height, width = lab.shape[:2]
    odds: Plane | None = None
    best, best_fit = np.full((height, width), np.float32(_OFF)), -1.0
    for _ in range(LOOKS):
        step()
        window = frame(aim, odds, height, width)
        odds = window.put(net(evidence(lab, aim, window, odds, survey)), height, width, _OFF)
        fit = _fit(odds, aim)
        if fit >= best_fit + (0.02 if aim.box is not None else 0):
            best, best_fit = odds, fit
        if not (odds > 0).any():
            odds = None
    return best


def _fit(odds: Plane, aim: Aim) -> float:
    """How well the box around what was found is the box that was given, in [0, 1]; 1 for any find without a box."""
    hard = (odds > 0).astype(np.uint8)
    if aim.box is None:
        return float(hard.any())
    x0, y0, x1, y1 = aim.box
    inside = np.zeros_like(hard)
    inside[y0:y1, x0:x1] = hard[y0:y1, x0:x1]
    _, _, w, h = cv2.boundingRect(inside)
    fill = float(inside.sum()) / max(w * h, 1)
    return w * h / ((x1 - x0) * (y1 - y0)) * min(1.0, fill / _FILLED)


def frame(aim: Aim, odds: Plane | None, height: int, width: int) -> Window:
    """Where to look, for the first time or knowing the log odds of the look before."""
    if aim.box is not None:
        x0, y0, x1, y1 = aim.box
        return around((x0, y0, x1 - x0, y1 - y0), 8 + 0.2 * max(x1 - x0, y1 - y0))
    at = np.concatenate([*aim.on, *aim.beside])
    hard = None if odds is None else (odds > 0).astype(np.uint8)
    if hard is None or not hard.any():
        (x0, y0), (x1, y1) = at.min(axis=0).astype(int), at.max(axis=0).astype(int)
        return around((int(x0), int(y0), int(x1 - x0) + 1, int(y1 - y0) + 1), _REACH * min(height, width))
    x, y, w, h = cv2.boundingRect(hard)
    return around((x, y, w, h), 8 + 0.2 * max(w, h))


def evidence(lab: Lab, aim: Aim, window: Window, odds: Plane | None, survey: Survey | None) -> Planes:
    """The planes (LOOK, h, w) of a window; `odds` of the look before."""
    seen = window.take(lab)
    size = (window.h, window.w)
    within = window.within(*lab.shape[:2])
    guess = None if odds is None else plane(1 / (1 + np.exp(-window.take(odds))))
    if guess is not None and float((guess > 0.5).sum()) < 8:
        guess = None
    box = np.zeros(size, np.float32)
    if aim.box is not None:
        x0, y0, x1, y1 = aim.box
        full = np.zeros(lab.shape[:2], np.float32)
        full[y0:y1, x0:x1] = 1
        box = window.take(full)
    on, beside = _drawn(aim.on, window), _drawn(aim.beside, window)
    if guess is not None:
        inside, outside = guess, 1 - guess
    elif aim.box is not None:
        inside, outside = box, np.clip(1 - box, 0, 1)
    else:
        inside = plane(grow(on, 3) > 0.3)
        outside = plane(1 - grow(on, round(0.2 * window.h)))
    core = shrink(inside, 1)
    core = core if core.max() > 0.5 else inside
    thing, rest = Palette(), Palette()
    thing.learn(seen, plane(core * within))
    rest.learn(seen, plane(outside * within))
    colour = plane(np.clip(np.log((thing(seen) + _FLOOR) / (rest(seen) + _FLOOR)) / 3, -1, 1))
    place = np.clip(local_odds(seen, seen, plane(core * within), plane(outside * within), _DOUBT) / 3, -1, 1)
    departs, trust = np.zeros(size, np.float32), np.zeros(size, np.float32)
    if survey is not None:
        trust = window.take(survey.trust)
        departs = plane(np.clip((window.take(survey.departure) - _QUIET) / 2, -1, 2) * trust)
    planes = [
        (seen[..., 0] - 50) / 30,
        seen[..., 1] / 25,
        seen[..., 2] / 25,
        np.zeros(size) if guess is None else guess * 2 - 1,
        box,
        on,
        beside,
        colour,
        place,
        departs,
        trust,
        within,
    ]
    return plane(np.stack(planes))


def _drawn(strokes: Sequence[Stroke], window: Window) -> Plane:
    """Strokes and points as a window shows them, (h, w) in [0, 1]."""
    out = np.zeros((window.h, window.w), np.uint8)
    for stroke in strokes:
        at = np.rint((stroke + 0.5 - (window.x0, window.y0)) * window.scale - 0.5).astype(np.int32)
        cv2.polylines(out, [at.reshape(-1, 1, 2)], False, 255, _DISC)
        for x, y in at[:: max(len(at) - 1, 1)]:
            cv2.circle(out, (int(x), int(y)), _DISC, 255, -1)
    return plane(cv2.GaussianBlur(out, (0, 0), 1.0)) / np.float32(255)
