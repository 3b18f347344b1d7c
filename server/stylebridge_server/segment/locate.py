"""Cut one instance out of a new frame, given where it should be; and find it again after it was away.

Each pixel hears five witnesses, as log odds: the moved shape, the colours of the place (local model), the
colours of the instance (global model), the plate, and the flow. Deciding the edge anew on every frame from
local models and a shape prior is the idea of Video SnapCut (Bai et al. 2009); the witnesses differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import Lab, Palette, local_odds
from stylebridge_server.segment.cut import cut, edge_weights
from stylebridge_server.segment.motion import Field
from stylebridge_server.segment.planes import (
    fill,
    grow,
    plane,
    shrink,
    signed_distance,
    smooth,
    square,
    without_threads,
)
from stylebridge_server.values import Plane

OFF = np.float32(-20)  # log odds of a pixel that is out of the question
GONE = 0.02  # an instance below this share of its usual area is gone

_SHAPE, _LOCAL, _GLOBAL = 0.7, 0.6, 0.5
_SMOOTHNESS = 2.0
_RIM = 6  # pixels from the picture's edge that count as at it
_BESIDE = 8  # pixels around the others in which their colours compete
_PLATE = 1.6  # log odds for every deviation that a pixel departs from the plate
_QUIET = 2.2  # departure from the plate, in deviations, that speaks neither way
_FLOOR = 2e-5  # frequency that every colour has
REMNANT = 0.1  # and below this too, unless the picture's edge or another instance may hide the rest
_DOUBT = 0.1  # pixels of evidence that the local model starts with for either side


@dataclass(frozen=True)
class View:
    """The new frame and what is known of it before any instance is found; all planes (h, w)."""

    lab: Lab  # its colours
    expected: Lab  # the frame before, moved along the flow
    valid: Plane  # trust in the flow
    motion: Field  # the flow to the frame before, less that of the scene
    departure: Plane  # from the plate, in deviations
    trust: Plane  # in the plate
    telling: Plane  # how much a match with the plate says
    telling_off: Plane  # and a departure from it

    def crop(self, window: tuple[slice, slice]) -> View:
        return View(*(np.ascontiguousarray(getattr(self, f.name)[window]) for f in fields(self)))


@dataclass
class Known:
    """What is known of one instance.

    Attributes:
        inside, outside: its colours, and those around it.
        area: its usual area, working pixels.
        edge: whether it was last seen at the picture's edge.
        place: (x, y) where it was last seen.
        away: frames since.
    """

    inside: Palette
    outside: Palette
    area: float = 1.0
    edge: bool = False
    place: tuple[float, float] = (0.0, 0.0)
    away: int = 0


def locate(known: Known, prior: Plane, others: Plane, rivals: list[Palette], view: View) -> Plane:
    """Cut an instance out of the new frame.

    Args:
        known: the instance.
        prior: (h, w) in [0, 1], its label moved to the new frame.
        others: (h, w) in [0, 1], the labels of all others, moved.
        rivals: colours of the others that are near.
        view: the new frame.

    Returns:
        (h, w) log odds: positive on the instance, `OFF` elsewhere.
    """
    h, w = prior.shape
    out = np.full((h, w), OFF)
    hard = (prior > 0.5).astype(np.uint8)
    if hard.sum() < max(4.0, GONE * known.area):
        return out
    size = float(np.sqrt(hard.sum()))
    speed = float(np.percentile(np.hypot(view.motion[..., 0], view.motion[..., 1])[hard > 0], 80))
    reach = float(np.clip(4 + 0.04 * size + 0.5 * speed, 5, 30))
    x, y, bw, bh = cv2.boundingRect(hard)
    margin = int(2.5 * reach) + 12
    window = np.s_[max(y - margin, 0) : y + bh + margin, max(x - margin, 0) : x + bw + margin]
    prior, hard, others, view = prior[window], hard[window], others[window], view.crop(window)

    distance = signed_distance(hard)
    heard = 0.35 + 0.65 * view.valid
    shape = _SHAPE * np.clip(distance / np.float32(2 + 0.15 * speed), -4, 4) * heard
    known_in = np.clip(prior * 2 - 1, 0, 1) * (0.2 + 0.8 * view.valid)
    known_out = np.clip(1 - 2 * prior, 0, 1) * (0.2 + 0.8 * view.valid)
    colour = _LOCAL * np.clip(
        local_odds(view.expected, view.lab, plane(known_in), plane(known_out), _DOUBT), -3, 3
    )
    behind = np.clip((view.departure - np.float32(_QUIET)) * np.float32(_PLATE), -3, 4)
    # Covering the plate speaks for the instance only as far as it may have that colour at all.
    beside = grow(others, _BESIDE) > 0
    likely = odds(known, rivals, view.lab, beside)
    fitting = np.clip((likely + 3) / 2, 0.2, 1)
    behind = view.trust * behind * np.where(behind < 0, view.telling, view.telling_off * fitting)
    # What covers the plate may be another instance; then it does not speak for this one.
    own = known.inside(view.lab)
    for rival in rivals:
        behind = np.where(beside & (rival(view.lab) > own), np.minimum(behind, 0), behind)
    colour += _GLOBAL * likely
    seen = (1 - 0.5 * view.trust * view.telling) * colour + behind
    logit = (1 - 0.4 * view.trust * view.telling) * shape + seen
    logit += (1 - view.trust * np.clip(view.departure / 2 - 1, 0, 1)) * left_behind(view, prior, size)
    logit -= 3 * others
    # Beyond the reach of the instance's motion only what clearly covers the plate may belong to it.
    covers = (view.trust > 0.6) & (view.departure > 4)
    logit[(distance < -reach) & ~((distance > -2.5 * reach) & covers)] = -8
    u = cut(np.clip(plane(logit), -8, 8), edge_weights(view.lab), _SMOOTHNESS)
    # A small piece that stands still while the instance moves has been left behind, whatever it looks like.
    seen = seen - 6 * np.clip(speed - 0.5, 0, 1) * still(view)
    found = pieces((u > 0.5).astype(np.uint8), hard, plane(seen), 0.25 * known.area)
    out[window] = np.where(found > 0, np.maximum(4 * u + np.clip(logit, 0, 8), 0.1), OFF)
    return plane(out)


def odds(known: Known, rivals: list[Palette], lab: Lab, beside: NDArray[np.bool_]) -> Plane:
    """Log odds of each colour, instance against its surroundings and, where `beside`, rivals, in [-3, 3]."""
    rest = known.outside(lab)
    for rival in rivals:
        rest = np.where(beside, np.maximum(rest, rival(lab)), rest)
    return np.clip(np.log((known.inside(lab) + np.float32(_FLOOR)) / (rest + np.float32(_FLOOR))), -3, 3)


def left_behind(view: View, prior: Plane, size: float) -> Plane:
    """Pixels that move with the scene where the instance around them does not: log odds, 0 or less.

    DIS smears the motion of a thing over flat surroundings, so the opposite conclusion would not be safe.
    """
    sigma = max(2.0, 0.12 * size)
    weight = prior * view.valid
    total = smooth(weight, sigma) + np.float32(1e-3)
    own = np.stack([smooth(view.motion[..., c] * weight, sigma) / total for c in range(2)], axis=2)
    pace = np.sqrt(square(own))
    return plane(-2.0 * still(view) * np.clip(pace - 1, 0, 1))


def still(view: View) -> Plane:
    """How surely a pixel moves as the scene does, (h, w) in [0, 1]."""
    return plane(np.exp(-square(view.motion) / np.float32(0.5)) * view.valid)


def pieces(
    found: NDArray[np.uint8], before: NDArray[np.uint8], seen: Plane, least: float
) -> NDArray[np.uint8]:
    """Keep the pieces that the moved label overlaps and that are not specks; close pinholes, drop threads.

    Pieces below `least` pixels must be seen (h, w, log odds but for the shape) as the instance too: what only
    the shape speaks for has been left behind.
    """
    found = without_threads(found)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    overlap = np.bincount(parts.ravel(), before.ravel(), count)
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = [i for i in range(1, count) if overlap[i] > 0.2 * areas[i] or areas[i] == areas[1:].max()]
    keep = [i for i in keep if areas[i] >= 0.05 * areas[1:].max() and overlap[i] > 0]
    heard = np.bincount(parts.ravel(), seen.ravel(), count)
    keep = [i for i in keep if areas[i] >= least or heard[i] > 0]
    out = np.isin(parts, keep).astype(np.uint8)
    return fill(out, max(4, int(0.015 * out.sum())))


def reappear(known: Known, others: Plane, rivals: Sequence[Palette], view: View) -> Plane | None:
    """Look for an instance that was away: a piece that covers the plate, in its colours, where it may be.

    Args:
        known: the instance, away.
        others: (h, w) in [0, 1], the labels of all others, moved.
        rivals: colours of others: what is more like one of them is not the instance.
        view: the new frame.

    Returns:
        (h, w) 0 or 1, a first label, or None.
    """
    covers = (view.trust > 0.6) & (view.departure > 3.5) & (grow(others, 3) < 0.1)
    opened = grow(shrink(covers, 1), 1).astype(np.uint8)
    count, parts, stats, centres = cv2.connectedComponentsWithStats(opened, connectivity=8)
    likely = odds(known, [], view.lab, covers)
    h, w = covers.shape
    best, best_score = None, 0.0
    for i in range(1, count):
        x, y, bw, bh, area = (int(v) for v in stats[i])
        # The plate is not known yet where the camera has just shown more, so the very edge cannot be seen.
        at_edge = min(x, y, w - x - bw, h - y - bh) <= _RIM
        near = float(np.hypot(centres[i][0] - known.place[0], centres[i][1] - known.place[1]))
        back = near < 1.5 * np.sqrt(known.area) + 3 * known.away
        # What left by the edge may come back by it, piece by piece; all else must be there as a whole.
        entering = known.edge and at_edge and back
        if not max(12, (0.02 if entering else 0.3) * known.area) <= area <= 2.5 * known.area:
            continue
        piece = plane(parts == i)
        score = float(likely[parts == i].mean())
        alike = known.inside.likeness(view.lab, piece)
        sure = (score > 0.2 and alike > 0.15) if entering else (score > 0.5 and alike > 0.5)
        sure = sure and all(rival.likeness(view.lab, piece) < alike for rival in rivals)
        if sure and score * area > best_score:
            best, best_score = piece, score * area
    return best
