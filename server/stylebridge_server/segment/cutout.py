"""From a box, points or strokes on one frame to a label of it by graph cut, without anything learned beforehand.

GrabCut (Rother et al. 2004) from several beginnings, then cuts with the colours of what was found, of the place, and
with what other frames show there.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import Lab, Palette, local_odds, telling, to_lab
from stylebridge_server.segment.cut import cut, edge_weights
from stylebridge_server.segment.first_look import Aim, Box, Stroke
from stylebridge_server.segment.planes import fill, grow, plane, shrink, without_threads
from stylebridge_server.segment.survey import Survey
from stylebridge_server.steps import step
from stylebridge_server.values import Rgb8

Point = tuple[int, int]

_ROUNDS = 5  # of GrabCut
_SETTLE = 3  # cuts after it
_FILLED = 0.3  # share of its own box that a thing fills at least
_FITS = 0.6  # share of the given box, so filled, that is good enough
_LEFT = 0.25  # share of a box that its middle must keep where it has no colours of its own
_WINDOWS = (0.06, 0.1, 0.16, 0.25, 0.38, 0.55)  # tried around points, in diagonals of the picture
_STEP = 4  # pixels between the points of a stroke


def cut_out(rgb: Rgb8, aim: Aim, around: Survey | None) -> NDArray[np.uint8]:
    """The thing that is meant in a picture (h, w, 3): (h, w), 0 or 1, all 0 where nothing is found."""
    lab = to_lab(rgb)
    points, beside = _points(aim.on), _points(aim.beside)
    if aim.box is not None:
        return _boxed(rgb, lab, aim.box, points, beside, around)
    found, box = _around(rgb, points, beside, around)
    return _settle(lab, found, box, points, beside, around) if found.any() else found


def _points(strokes: Sequence[Stroke]) -> list[Point]:
    """Where strokes run, a point every few pixels."""
    out: list[Point] = []
    for stroke in strokes:
        out.append((int(stroke[0, 0]), int(stroke[0, 1])))
        for a, b in itertools.pairwise(stroke):
            count = max(1, int(np.hypot(*(b - a))) // _STEP)
            out += [(int(x), int(y)) for x, y in a + (b - a) * (np.arange(1, count + 1) / count)[:, None]]
    return out


def _boxed(
    rgb: Rgb8,
    lab: Lab,
    box: Box,
    points: Sequence[Point],
    beside: Sequence[Point],
    around: Survey | None,
) -> NDArray[np.uint8]:
    """What a box means: of several beginnings the first whose result fills the box, else the best of them."""
    x0, y0, x1, y1 = box
    departing = _departing(around, box)
    oval = np.zeros(lab.shape[:2], np.uint8)
    axes = (max((x1 - x0) * 2 // 5, 1), max((y1 - y0) * 2 // 5, 1))
    cv2.ellipse(oval, ((x0 + x1) // 2, (y0 + y1) // 2), axes, 0, 0, 360, 1, -1)
    beginnings: list[tuple[NDArray[np.bool_] | None, Survey | None]] = [(None, None), (oval > 0, None)]
    if departing is not None:
        beginnings.insert(0, (departing, around))
    best, best_fit = np.zeros(lab.shape[:2], np.uint8), -1.0
    for likely, survey in beginnings:
        step()
        found = _grab(rgb, box, likely, points, beside)
        if found.any():
            found = _settle(lab, found, box, points, beside, survey)
        _, _, w, h = cv2.boundingRect(found)
        # People draw boxes that touch the thing on all sides, and things fill a good part of theirs.
        tight = w * h / ((x1 - x0) * (y1 - y0))
        fit = tight * min(1.0, float(found.sum()) / (_FILLED * max(w * h, 1)))
        if fit > best_fit:
            best, best_fit = found, fit
        if fit >= _FITS:
            break
    if not best.any():
        # No colours of the box's own: then that it was drawn here says most, unless hardly anything is left of it.
        found = _settle(lab, oval, box, points, beside, around)
        if float(found.sum()) >= _LEFT * (x1 - x0) * (y1 - y0):
            best = found
    return best


def _departing(around: Survey | None, box: Box) -> NDArray[np.bool_] | None:
    """What in the box is not the scene's usual sight; None where too little of it moves to tell."""
    if around is None:
        return None
    x0, y0, x1, y1 = box
    part = np.s_[y0:y1, x0:x1]
    departs = (around.trust > 0.5) & (around.departure > 3.5)
    unknown = around.trust <= 0.5
    if departs[part].sum() < 0.12 * (x1 - x0) * (y1 - y0) or unknown[part].mean() > 0.5:
        return None
    return np.asarray(departs | unknown, bool)


def _settle(
    lab: Lab,
    found: NDArray[np.uint8],
    box: Box,
    points: Sequence[Point],
    beside: Sequence[Point],
    around: Survey | None,
) -> NDArray[np.uint8]:
    """Cut again with the colours of what was found, of the place, and with what other frames show there."""
    h, w = found.shape
    x0, y0, x1, y1 = box
    mx, my = max(12, (x1 - x0) // 3), max(12, (y1 - y0) // 3)
    window = np.s_[max(y0 - my, 0) : y1 + my, max(x0 - mx, 0) : x1 + mx]
    sure = np.zeros((h, w), np.float32)
    radius = max(1, min(h, w) // 90)
    for given, sign in ((points, 1.0), (beside, -1.0)):
        for point in given:
            sure[_flood(lab, point) & (sure == 0)] = sign * np.float32(0.25)
            cv2.circle(sure, point, radius, sign, -1)
    beyond = np.ones((h, w), bool)
    beyond[y0:y1, x0:x1] = False
    part = np.ascontiguousarray(lab[window])
    weights = edge_weights(part)
    # Colours around a negative point are not learned as the thing's, whatever the first cut says.
    doubtful = _discs((h, w), beside, min(h, w) // 8) & ~_discs((h, w), points, min(h, w) // 16)
    beneath = Palette()
    beneath.learn(lab, plane(_discs((h, w), beside, max(1, min(h, w) // 40))))
    for _ in range(_SETTLE):
        step()
        mask = plane(found[window])
        sure_mask = mask * ~doubtful[window]
        thing, rest = Palette(), Palette()
        thing.learn(part, sure_mask if sure_mask.any() else mask)
        rest.learn(part, 1 - mask)
        outside = np.maximum(rest(part), beneath(part))
        logit = 0.5 * np.clip(np.log((thing(part) + 2e-5) / (outside + 2e-5)), -3, 3)
        logit += 0.5 * np.clip(local_odds(part, part, plane(sure_mask), 1 - mask, 0.1), -3, 3)
        if around is not None:
            # A match may mean that the thing stands still in most frames, so it says less than a departure.
            trust, departure = around.trust[window], around.departure[window]
            logit *= 1 - 0.5 * trust * (departure > 3)
            speaks = np.clip(departure - 2.8, -1.5, 3)
            match, depart = telling(around.lab[window], part)
            logit += trust * speaks * np.where(speaks < 0, match, depart)
        logit = np.where(beyond[window], -8, logit) + 16 * sure[window]
        fresh = np.zeros_like(found)
        fresh[window] = cut(plane(logit), weights, 2.0, 120) > 0.5
        fresh = _tidy(without_threads(fresh), points)
        if not fresh.any():
            return found
        found = fresh
    return found


def _grab(
    rgb: Rgb8,
    box: Box,
    likely: NDArray[np.bool_] | None,
    points: Sequence[Point],
    beside: Sequence[Point],
) -> NDArray[np.uint8]:
    """GrabCut in a window around the box; outside the box nothing is on the thing."""
    h, w = rgb.shape[:2]
    x0, y0, x1, y1 = box
    mx, my = max(8, round(0.35 * (x1 - x0))), max(8, round(0.35 * (y1 - y0)))
    wx0, wy0, wx1, wy1 = max(x0 - mx, 0), max(y0 - my, 0), min(x1 + mx, w), min(y1 + my, h)
    mask = np.full((h, w), cv2.GC_BGD, np.uint8)
    mask[y0:y1, x0:x1] = cv2.GC_PR_FGD if likely is None else cv2.GC_PR_BGD
    if likely is not None:
        mask[y0:y1, x0:x1][likely[y0:y1, x0:x1]] = cv2.GC_PR_FGD
    radius = max(1, min(h, w) // 90)
    for x, y in points:
        cv2.circle(mask, (x, y), radius, cv2.GC_FGD, -1)
    for x, y in beside:
        cv2.circle(mask, (x, y), radius, cv2.GC_BGD, -1)
    window = np.ascontiguousarray(mask[wy0:wy1, wx0:wx1])
    picture = np.ascontiguousarray(rgb[wy0:wy1, wx0:wx1, ::-1])
    on = (window == cv2.GC_FGD) | (window == cv2.GC_PR_FGD)
    # GrabCut fits five colours to either side and needs pixels for them.
    if on.sum() >= 8 and (~on).sum() >= 8:
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        for mode in (cv2.GC_INIT_WITH_MASK, *[cv2.GC_EVAL] * (_ROUNDS - 1)):  # bit for bit as in one go
            step()
            cv2.grabCut(picture, window, (0, 0, 1, 1), *models, 1, mode)
        on = (window == cv2.GC_FGD) | (window == cv2.GC_PR_FGD)
    out = np.zeros((h, w), np.uint8)
    out[wy0:wy1, wx0:wx1] = on
    return _tidy(out, points)


def _discs(size: tuple[int, int], points: Sequence[Point], radius: int) -> NDArray[np.bool_]:
    out = np.zeros(size, np.uint8)
    for point in points:
        cv2.circle(out, point, radius, 1, -1)
    return out > 0


def _flood(lab: Lab, point: Point) -> NDArray[np.bool_]:
    """What is connected with a point in much the same colour, close by."""
    h, w = lab.shape[:2]
    reach = max(2, min(h, w) // 22)
    mask = np.ones((h + 2, w + 2), np.uint8)
    cv2.circle(mask, (point[0] + 1, point[1] + 1), reach, 0, -1)
    mask[[0, -1]] = mask[:, [0, -1]] = 1
    picture = lab.copy()
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (2 << 8)
    cv2.floodFill(picture, mask, point, (0, 0, 0), (6, 2.5, 2.5), (6, 2.5, 2.5), flags)
    return np.asarray(mask[1:-1, 1:-1] == 2, bool)


def _tidy(found: NDArray[np.uint8], points: Sequence[Point]) -> NDArray[np.uint8]:
    """Keep the pieces that a point lies on or that have a tenth of the largest one's area; close pinholes."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    if count <= 1:
        return found
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = {i + 1 for i, area in enumerate(areas) if area >= 0.1 * areas.max()}
    keep |= {int(parts[y, x]) for x, y in points} - {0}
    out = np.isin(parts, list(keep)).astype(np.uint8)
    return fill(out, max(4, int(0.015 * out.sum())))


def _around(
    rgb: Rgb8,
    points: Sequence[Point],
    beside: Sequence[Point],
    around: Survey | None,
) -> tuple[NDArray[np.uint8], Box]:
    """Points alone say nothing of size: take what moves there as a piece, or else try several windows.

    Of the windows the cut along the strongest edge is kept.
    """
    h, w = rgb.shape[:2]
    diagonal = float(np.hypot(h, w))
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    if around is not None:
        departs = plane((around.trust > 0.5) & (around.departure > 3.5))
        closed = shrink(grow(departs, 2), 2)
        moving = _touched(grow(shrink(closed, 1), 1).astype(np.uint8), points)
        if all(moving[y, x] for x, y in points) and 0.0005 < moving.mean() < 0.5:
            x, y, bw, bh = cv2.boundingRect(moving)
            margin = 4
            box = max(x - margin, 0), max(y - margin, 0), min(x + bw + margin, w), min(y + bh + margin, h)
            return _grab(rgb, box, moving > 0, points, beside), box
    picture = cv2.GaussianBlur(rgb, (0, 0), 1.0).astype(np.float32)
    squares = [cv2.Sobel(picture, cv2.CV_32F, dx, dy) ** 2 for dx, dy in ((1, 0), (0, 1))]
    gradient = np.sqrt(np.sum(squares[0] + squares[1], axis=2))
    best, best_box, best_score = np.zeros((h, w), np.uint8), (0, 0, w, h), -1.0
    for share in _WINDOWS:
        step()
        reach = max(6, round(share * diagonal))
        box = (
            max(min(xs) - reach, 0),
            max(min(ys) - reach, 0),
            min(max(xs) + reach, w),
            min(max(ys) + reach, h),
        )
        near = np.zeros((h, w), np.uint8)
        for point in points:
            cv2.circle(near, point, max(2, reach // 3), 1, -1)
        found = _touched(_grab(rgb, box, near > 0, points, beside), points)
        rim = found > shrink(found, 1)
        if not rim.any():
            continue
        # A rim along the window is an edge that we drew ourselves.
        drawn = np.ones((h, w), bool)
        drawn[box[1] + 2 : box[3] - 2, box[0] + 2 : box[2] - 2] = False
        score = float(np.where(drawn, 0, gradient)[rim].mean()) * float(found.sum()) ** 0.125
        if score > best_score:
            best, best_box, best_score = found, box, score
    return best, best_box


def _touched(found: NDArray[np.uint8], points: Sequence[Point]) -> NDArray[np.uint8]:
    """Only the pieces that a point lies on."""
    _, parts = cv2.connectedComponents(found, connectivity=8)
    keep = sorted({int(parts[y, x]) for x, y in points} - {0})
    return np.isin(parts, keep).astype(np.uint8)
