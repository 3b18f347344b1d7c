"""What a network finds in single frames, in the form in which the rest of the room takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import local_odds, to_lab
from stylebridge_server.segment.cut import cut, edge_weights
from stylebridge_server.segment.planes import plane, signed_distance
from stylebridge_server.values import Plane, Prompt, Rgb8

EVERY = 12  # usual frames from one look to the next
LEAST = 0.0015  # share of the picture that a find must cover
THING = "thing"
_BAND = 4.0  # working pixels by which a network's edge may be off
_REACH = 12  # pixels around a find in which its edge is cut anew


@dataclass(frozen=True)
class Detection:
    """One thing in one frame.

    Attributes:
        mask: (h, w) float32, 0 or 1, at working size.
        label: its class; THING where the network knows none.
        score: how sure the network is, in (0, 1].
    """

    mask: Plane
    label: str
    score: float


class Finder(Protocol):
    """A network that finds things in single frames.

    Attributes:
        semantic: whether it tells classes apart and not things, so that two things that touch are one find.
        every: frames from one look to the next, which bounds what it costs.
    """

    semantic: bool
    every: int

    def find(self, rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        """The things in a frame, surest first.

        Args:
            rgb: (H, W, 3) uint8 at full resolution.
            size: (h, w) of the masks.
        """


def resized(mask: NDArray[np.float32], size: tuple[int, int]) -> Plane:
    """A soft mask (h, w) in [0, 1] as a hard one of another size, 0 or 1."""
    h, w = size
    if mask.shape != size:
        smaller = h * w < mask.shape[0] * mask.shape[1]
        mask = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return (mask > 0.5).astype(np.float32)


def settled(found: Sequence[Detection], small: Rgb8) -> list[Detection]:
    """The same finds with their edges on the picture's, no pixel in two, and without specks.

    Args:
        found: surest first; of two that cover a pixel the surer has it.
        small: (h, w, 3) uint8, the frame at working size.
    """
    lab = to_lab(small)
    h, w = lab.shape[:2]
    taken = np.zeros((h, w), bool)
    out = []
    for one in found:
        mask = plane(_on_edges(lab, one.mask) * ~taken)
        if mask.sum() >= LEAST * h * w:
            taken |= mask > 0
            out.append(Detection(mask, one.label, one.score))
    return out


def _on_edges(lab: NDArray[np.float32], mask: Plane) -> Plane:
    """Cut the rim of a mask anew where colours of the place say so; the network's masks are coarse."""
    h, w = mask.shape
    x, y, bw, bh = cv2.boundingRect(mask.astype(np.uint8))
    if not bw:
        return mask
    part = np.s_[max(y - _REACH, 0) : y + bh + _REACH, max(x - _REACH, 0) : x + bw + _REACH]
    picture, inner = np.ascontiguousarray(lab[part]), np.ascontiguousarray(mask[part])
    distance = signed_distance(inner)
    sure = plane(np.abs(distance) > _BAND)
    colour = local_odds(picture, picture, plane(inner * sure), plane((1 - inner) * sure), 1.0)
    logit = plane(np.clip(distance / np.float32(_BAND / 2), -6, 6) + 0.8 * np.clip(colour, -3, 3))
    logit = np.where(np.abs(distance) > 2 * _BAND, 8 * np.sign(distance), logit)
    out = np.zeros((h, w), np.float32)
    out[part] = cut(plane(logit), edge_weights(picture), 1.5) > 0.5
    return out


def pointed_at(found: Sequence[Detection], prompts: Sequence[Prompt]) -> Detection | None:
    """The find that prompts of one name on a frame mean; None where they mean none of them.

    A box means the find whose own box is most like it; points mean the smallest find that they all lie on.
    """
    if not found:
        return None
    h, w = found[0].mask.shape
    boxes = [prompt.box for prompt in prompts if prompt.box is not None]
    points = [point for prompt in prompts for point in prompt.points]
    beside = [point for prompt in prompts for point in prompt.not_points]

    def fits(one: Detection) -> bool:
        def on(point: tuple[float, float]) -> bool:
            return bool(one.mask[min(int(point[1] * h), h - 1), min(int(point[0] * w), w - 1)])

        return all(on(point) for point in points) and not any(on(point) for point in beside)

    fitting = [one for one in found if fits(one)]
    if not boxes:
        return min(fitting, key=lambda one: float(one.mask.sum()), default=None)
    asked = (
        min(box[0] for box in boxes) * w,
        min(box[1] for box in boxes) * h,
        max(box[2] for box in boxes) * w,
        max(box[3] for box in boxes) * h,
    )
    likeness = [(_overlap(asked, _box(one.mask)), -k) for k, one in enumerate(fitting)]
    best = max(likeness, default=(0.0, 0))
    return fitting[-best[1]] if best[0] > 0.5 else None


def _box(mask: Plane) -> tuple[float, float, float, float]:
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, x + w, y + h


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes."""
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / total if total > 0 else 0.0
