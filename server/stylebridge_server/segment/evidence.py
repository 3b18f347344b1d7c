"""What speaks for independent motion at each pixel of a frame: flow to several frames, less what the camera explains.

A static scene under a moving camera obeys plane and parallax (Irani and Anandan, "A Unified Approach to Moving Object
Detection in 2D and 3D Scenes", PAMI 1998): when the motion of one plane, a homography, is taken off, what is left of
every static point lies on a line through one point, the epipole, and on the same side of it for all that is nearer than
the plane. What leaves its line, or lies on the wrong side, moves by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import to_lab
from stylebridge_server.segment.motion import Field, coordinates, homography
from stylebridge_server.segment.planes import plane, square
from stylebridge_server.steps import step
from stylebridge_server.values import FlowPair, Plane, Rgb8

DISTANCES = (-4, -1, 1, 4)  # frames from the one at hand to those that it is compared with
SIDE, LENGTH = 180, 640  # short side at which motion is looked at, and the most that the long side may have
SMALLEST = 16  # shortest side of a picture for which flow is asked
CHANNELS = 5 * len(DISTANCES) + 3

_STEP = 6  # spacing of the samples that the epipole is found from, pixels
_TELLS = 0.6  # least residual, in pixels, that has a direction
_GUESSES = 160
_ASIDE = 0.35  # how far, in pixels, and
_ANGLE = 0.12  # as a share of its length, a residual may lie beside its line


def size(height: int, width: int) -> tuple[int, int]:
    """Size (h, w) at which motion is looked at; never larger than the picture."""
    scale = min(1.0, SIDE / min(height, width), LENGTH / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def evidence(rgb: Rgb8, flows: Mapping[int, FlowPair]) -> NDArray[np.float32]:
    """The channels that a network of motion takes.

    Args:
        rgb: (h, w, 3) uint8, the frame at the size of `size`.
        flows: distance in frames to flow from this frame (`forward`) to that one; those of `DISTANCES` that the scene
            has.

    Returns:
        (CHANNELS, h, w) float32. For each distance: the residual (x, y), its parts along and beside the epipolar line,
        each as log(1 + length) times direction, and trust in the flow; zeros where there is no such frame. Then L, a, b
        over 50, less the picture's mean.
    """
    h, w = rgb.shape[:2]
    out = np.zeros((CHANNELS, h, w), np.float32)
    for place, distance in enumerate(DISTANCES):
        step()
        if distance in flows:
            pair = flows[distance]
            out[5 * place : 5 * place + 5] = _channels(pair.forward, pair.forward_valid)
    lab = to_lab(rgb)
    out[-3:] = ((lab - lab.mean(axis=(0, 1))) / np.float32(50)).transpose(2, 0, 1)
    return out


def _channels(field: Field, valid: Plane) -> NDArray[np.float32]:
    """The five channels of one flow."""
    residual = field - homography(field, valid, np.zeros_like(valid))
    length = np.sqrt(square(residual))
    scale = np.log1p(length) / np.maximum(length, np.float32(1e-3))
    way = _epipolar(residual, valid, length)
    along = (residual * way).sum(axis=2)
    beside = residual[..., 1] * way[..., 0] - residual[..., 0] * way[..., 1]
    return np.stack(
        [residual[..., 0] * scale, residual[..., 1] * scale, along * scale, beside * scale, valid]
    )


def _epipolar(residual: Field, valid: Plane, length: Plane) -> Field:
    """Unit vectors (h, w, 2) along the epipolar lines, to the side where most of what is static goes.

    The epipole is the point, maybe at infinity, that most residuals point to or from (a random search, weighted by
    length so that noise has little say). Where hardly anything has a residual there is nothing to explain, and the
    vectors are (1, 0).
    """
    h, w = length.shape
    at = coordinates(h, w)
    inner = np.s_[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    tells = ((length > _TELLS) & (valid > 0.5))[inner]
    points, moves, sizes = at[inner][tells], residual[inner][tells], length[inner][tells]
    if len(points) < 12:
        return np.broadcast_to(np.array([1, 0], np.float32), (h, w, 2))
    middle = np.array([w / 2, h / 2], np.float32)
    spread = np.float32(max(h, w) / 2)
    place = (points - middle) / spread
    lines = np.column_stack(
        [-moves[:, 1], moves[:, 0], moves[:, 1] * place[:, 0] - moves[:, 0] * place[:, 1]]
    )
    rng = np.random.default_rng(0)
    pick = rng.integers(len(points), size=(2, _GUESSES))
    poles = np.cross(lines[pick[0]], lines[pick[1]])
    # Points at infinity, all residuals parallel, in the directions of single samples.
    far = np.column_stack([moves[pick[0]], np.zeros(_GUESSES)])
    poles = np.concatenate([poles, far])
    poles = poles[np.linalg.norm(poles, axis=1) > 1e-6]
    poles /= np.linalg.norm(poles, axis=1, keepdims=True)
    toward = poles[:, None, :2] - poles[:, None, 2:] * place[None]
    toward /= np.maximum(np.linalg.norm(toward, axis=2, keepdims=True), 1e-6)
    miss = np.abs(moves[None, :, 0] * toward[..., 1] - moves[None, :, 1] * toward[..., 0])
    fits = miss < _ASIDE + _ANGLE * sizes[None]
    weight = np.minimum(sizes, 4)
    # The static scene lies on both sides of the plane at most in part: the larger side counts.
    side = (moves[None] * toward).sum(axis=2) > 0
    with_, against = (fits & side) @ weight, (fits & ~side) @ weight
    best = int(np.argmax(np.maximum(with_, against) + np.float32(0.5) * np.minimum(with_, against)))
    pole = poles[best]
    way = pole[:2] - pole[2] * ((at - middle) / spread)
    way /= np.maximum(np.linalg.norm(way, axis=2, keepdims=True), 1e-6)
    return plane(way if with_[best] >= against[best] else -way)


class Flows:
    """Flow between frames of one scene at the size of `size`, each pair computed once.

    Args:
        read: gives a frame at that size.
        flow: optical flow.
        first, last: the scene.

    Attributes:
        first, last: the same.
    """

    def __init__(
        self, read: Callable[[int], Rgb8], flow: Callable[[Rgb8, Rgb8], FlowPair], first: int, last: int
    ) -> None:
        self._read, self._flow = read, flow
        self.first, self.last = first, last
        self._pairs: dict[tuple[int, int], FlowPair] = {}
        self._frames: dict[int, Rgb8] = {}

    def frame(self, number: int) -> Rgb8:
        """A frame at the size of `size`; kept while its neighbours are asked for."""
        if number not in self._frames:
            reach = 2 * max(DISTANCES)
            self._frames = {n: rgb for n, rgb in self._frames.items() if abs(n - number) <= reach}
            self._frames[number] = self._read(number)
        return self._frames[number]

    def around(self, number: int) -> dict[int, FlowPair]:
        """Distance to flow from a frame, for every distance that stays in the scene."""
        reach = 2 * max(DISTANCES)
        self._pairs = {key: pair for key, pair in self._pairs.items() if abs(key[0] - number) <= reach}
        there = [d for d in DISTANCES if self.first <= number + d <= self.last]
        return {d: self.between(number, number + d) for d in there}

    def between(self, one: int, other: int) -> FlowPair:
        """Flow from one frame to another, and back."""
        early, late = min(one, other), max(one, other)
        if (early, late) not in self._pairs:
            self._pairs[early, late] = self._flow(self.frame(early), self.frame(late))
        pair = self._pairs[early, late]
        return pair if early == one else pair.reversed
