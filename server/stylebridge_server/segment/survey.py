"""One frame compared with others of its scene: what is usually seen where it shows a thing.

Frames from near and far in time are laid over the frame at hand by the camera's motion; where most of them
agree, their median is the scene without whatever moves through it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stylebridge_server.segment.colours import Lab, departure, texture, to_lab
from stylebridge_server.segment.interface import Flow
from stylebridge_server.segment.motion import camera, inside, pull
from stylebridge_server.segment.planes import plane, square
from stylebridge_server.steps import step
from stylebridge_server.values import Plane, Rgb8

_OFFSETS = (4, 9, 16, 26, 40, 60, 90, 135)  # frames to either side
_FEWEST = 3  # other frames that must see a pixel
_AGREE = 4.0  # departure, in Lab units, within which two frames show the same
_SPREAD = 1.3  # deviations of the frames that agree, to usual deviations
_TEXTURE = 0.12  # least deviation for every unit of local contrast
_MISFIT = 6.0  # median Lab distance beyond which a frame could not be laid over


@dataclass(frozen=True)
class Survey:
    """What other frames show at each pixel of a frame.

    Attributes:
        lab: (h, w, 3) their median.
        trust: (h, w) in [0, 1], how much they agree.
        noise: (h, w), how far they usually depart from it all the same, Lab units.
        departure: (h, w), how far the frame itself departs from it, in usual deviations of noise.
    """

    lab: Lab
    trust: Plane
    noise: Plane
    departure: Plane


def survey(
    number: int, first: int, last: int, read: Callable[[int], Rgb8], flow: Flow, smallest: int
) -> Survey | None:
    """Lay other frames of the scene over one.

    Args:
        number: the frame.
        first, last: its scene.
        read: gives a frame at working size, (h, w, 3) uint8.
        flow: optical flow.
        smallest: shortest side of a picture for which flow is asked.

    Returns:
        The survey, or None where too few other frames fit.
    """
    rgb = read(number)
    h, w = rgb.shape[:2]
    if min(h, w) < smallest:
        return None
    others = reached(number, first, last)
    lab = to_lab(rgb)
    laid = []
    for other in others:
        step()
        picture = read(other)
        pair = flow(rgb, picture)
        scene = camera(pair.forward, pair.forward_valid, np.zeros((h, w), np.float32))
        moved = pull(to_lab(picture), scene)
        seen = inside(scene) > 0
        distance = np.sqrt(square(moved - lab))
        if seen.sum() < 0.3 * h * w or float(np.median(distance[seen])) > _MISFIT:
            continue
        moved[~seen] = np.nan
        laid.append(moved)
    if len(laid) < _FEWEST:
        return None
    return _median(lab, np.stack(laid))


def reached(number: int, first: int, last: int) -> list[int]:
    """The frames that the survey of a frame reads beside it."""
    return sorted({number + s * o for o in _OFFSETS for s in (-1, 1) if first <= number + s * o <= last})


def _median(lab: Lab, stack: Lab) -> Survey:
    seen = ~np.isnan(stack[..., 0])
    count = seen.sum(axis=0)
    order = np.sort(stack, axis=0)  # NaN last
    middle = np.maximum(count - 1, 0) // 2
    median = np.take_along_axis(order, middle[None, ..., None], axis=0)[0]
    known = count >= _FEWEST
    median = np.where(known[..., None], median, lab)
    one = np.ones(lab.shape[:2], np.float32)
    agree, spread = np.zeros_like(one), np.zeros_like(one)
    for picture, there in zip(stack, seen, strict=True):
        away = departure(plane(median), np.where(there[..., None], picture, median), one)
        close = (away < _AGREE) & there
        agree += close
        spread += np.where(close, away, 0)
    share = agree / np.maximum(count, 1)
    least = 1 + np.float32(_TEXTURE) * texture(plane(median))
    noise = np.maximum(least, _SPREAD * spread / np.maximum(agree, 1))
    trust = plane(np.clip((share - 0.5) / 0.2, 0, 1) * known)
    return Survey(plane(median), trust, plane(noise), departure(plane(median), lab, plane(noise)))
