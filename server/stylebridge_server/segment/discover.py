"""Find things without being told: what covers the scene that other frames show, or else what stands out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment.colours import Palette, to_lab
from stylebridge_server.segment.planes import grow, plane, shrink
from stylebridge_server.segment.prompts import label
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Plane, Prompt, Rgb8

MOST = 6  # instances found in one scene
PROBE = 24  # frames from one look for new things to the next

_LEAST, _LARGEST = 0.003, 0.35  # shares of the picture
_DEPARTS = 4.5  # deviations from what other frames show
_COVERED = 0.15  # share of a find that must depart clearly
_CLEARLY = 0.5  # and share of what other frames can tell of it
_KNOWN = 0.25  # a find that known instances cover by more is theirs


def moving(number: int, rgb: Rgb8, around: Survey | None, known: Plane, room: int) -> list[Plane]:
    """Things that cover what other frames show, and that no known instance explains.

    Args:
        number: the frame's number, for messages only.
        rgb: (h, w, 3) uint8, the frame at working size.
        around: the survey of the frame.
        known: (h, w) in [0, 1], the labels of the instances that are followed already.
        room: how many may be returned.

    Returns:
        Labels (h, w) float32, 0 or 1, largest first, that share no pixel.
    """
    if around is None:
        return []
    h, w = known.shape
    covers = plane((around.departure > _DEPARTS) & (around.trust > 0.5)) * (grow(known, 4) < 0.5)
    covers = grow(shrink(covers, 1), 1)
    joined = shrink(grow(covers, 4), 4).astype(np.uint8)
    found: list[Plane] = []
    taken = known > 0.5
    for box in _boxes(joined, 0.4 * _LEAST * h * w):
        x0, y0, x1, y1 = box
        prompt = Prompt("thing", number, box=(x0 / w, y0 / h, x1 / w, y1 / h))
        try:
            thing = label(rgb, [prompt], around)
        except StylebridgeError as error:
            if error.code != Code.BAD_VALUE:
                raise
            continue
        size = float(thing.sum())
        if not _LEAST * h * w <= size <= _LARGEST * h * w:
            continue
        told = float((thing * (around.trust > 0.5)).sum())
        covered = float((thing * covers).sum())
        if covered < max(_COVERED * size, _CLEARLY * told) or float((thing * taken).sum()) > _KNOWN * size:
            continue
        thing = plane((thing > 0.5) & ~taken)
        taken = taken | (thing > 0.5)
        found.append(thing)
        if len(found) == room:
            break
    return found


def _boxes(mask: NDArray[np.uint8], least: float) -> list[tuple[int, int, int, int]]:
    """Boxes of the pieces of a mask, with a margin, largest piece first."""
    h, w = mask.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    order = sorted(range(1, count), key=lambda i: (-int(stats[i, cv2.CC_STAT_AREA]), i))
    out = []
    for i in order:
        x, y, bw, bh, area = (int(v) for v in stats[i])
        if area >= least:
            mx, my = max(4, bw // 8), max(4, bh // 8)
            out.append((max(x - mx, 0), max(y - my, 0), min(x + bw + mx, w), min(y + bh + my, h)))
    return out


def standing_out(number: int, rgb: Rgb8) -> Plane | None:
    """The one thing in a still picture whose colours the picture's border does not have.

    Args:
        number: the frame's number, for messages only.
        rgb: (h, w, 3) uint8, the picture at working size.

    Returns:
        Its label (h, w) float32, or None where nothing stands out clearly.
    """
    h, w = rgb.shape[:2]
    band = min(h, w) // 12
    if band < 2:
        return None
    lab = to_lab(rgb)
    border = np.ones((h, w), np.float32)
    border[band : h - band, band : w - band] = 0
    ground, rest = Palette(), Palette()
    ground.learn(lab, border)
    rest.learn(lab, 1 - border)
    strange = plane(np.log((rest(lab) + 1e-5) / (ground(lab) + 1e-5)) > 1.5) * (1 - border)
    joined = shrink(grow(grow(shrink(strange, 1), 1), 3), 3).astype(np.uint8)
    boxes = _boxes(joined, 0.01 * h * w)
    if not boxes:
        return None
    x0, y0, x1, y1 = boxes[0]
    try:
        thing = label(rgb, [Prompt("thing", number, box=(x0 / w, y0 / h, x1 / w, y1 / h))], None)
    except StylebridgeError as error:
        if error.code != Code.BAD_VALUE:
            raise
        return None
    size = float(thing.sum())
    clear = 0.01 * h * w <= size <= 0.5 * h * w and float((thing * strange).sum()) > 0.6 * size
    return thing if clear and float((thing * border).sum()) < 0.05 * size else None
