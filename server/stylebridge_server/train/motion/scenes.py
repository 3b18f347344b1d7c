"""Made-up scenes in which the camera moves, some things move by themselves, and which do is known exactly.

A backdrop, a ground and things that stand, hang or fly, each a flat piece cut by a procedural outline out of a
photograph, lie in space; a camera that stands, turns, shakes or travels looks at them. What stands shows every kind of
parallax and is no instance; what moves is one, whatever it looks like. Shadows move and are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.planes import plane
from stylebridge_server.values import Plane, Rgb8

Random = np.random.Generator
Vector = NDArray[np.float64]

HEIGHT, WIDTH = 180, 320
_EYE = 1.5  # height of the camera over the ground; the unit is about a metre
_PIECE = 128  # side of a thing's texture, pixels


@dataclass
class Camera:
    """Focal length in pixels, and position, pan, tilt and roll as functions of the frame."""

    focal: float
    speed: Vector
    turn: Vector  # radians a frame about x, y, z
    shake: Vector  # amplitudes: position x, y, z, rotation x, y, z
    phase: Vector
    tilt: float
    zoom: float

    def at(self, t: float) -> tuple[NDArray[np.float64], Vector, float]:
        """Rotation from the world to the camera, position, focal length."""
        wave = self.shake * np.sin(self.phase + t * np.array([0.9, 1.3, 0.7, 1.1, 0.8, 1.2]))
        spin = self.turn * t + wave[3:]
        rotation, _ = cv2.Rodrigues(np.array([self.tilt, 0.0, 0.0]) + spin)
        return rotation, self.speed * t + wave[:3], self.focal * (1 + self.zoom * t)


def camera(rng: Random) -> Camera:
    """A camera of one of the usual kinds."""
    kind = rng.choice(["fixed", "turns", "travels"], p=[0.2, 0.15, 0.65])
    focal = WIDTH * rng.uniform(0.7, 1.7)
    speed, turn, shake, zoom = np.zeros(3), np.zeros(3), np.zeros(6), 0.0
    if kind == "travels":
        way = rng.normal(size=3) * [1.0, 0.25, 0.7]
        # So many pixels a frame for what stands three metres away.
        speed = way / np.linalg.norm(way) * 10 ** rng.uniform(-0.6, 0.95) * 3 / focal
    if kind != "fixed" and rng.random() < 0.7:
        turn = rng.normal(size=3) * [0.002, 0.005, 0.0007]
    if kind != "fixed" and rng.random() < 0.6:
        scale = rng.uniform(0.2, 1.0)
        shake = scale * np.array([0.02, 0.02, 0.02, 0.004, 0.004, 0.003])
    if rng.random() < 0.1:
        zoom = rng.uniform(-0.01, 0.01)
    return Camera(
        focal, speed, turn, shake, rng.uniform(0, 6.3, 6), rng.uniform(-0.12, 0.06), zoom
    )  # fmt: skip


@dataclass
class Part:
    """One piece of a thing: its colours with cover (PIECE, PIECE, 4) uint8, where it is hung and how it swings."""

    skin: NDArray[np.uint8]
    offset: Vector  # (x, y) of its middle, as a share of the thing's size
    size: Vector  # (width, height), likewise
    swing: float  # radians
    slide: Vector  # (x, y), likewise
    rate: float
    phase: float


@dataclass
class Thing:
    """Parts on one place that may move.

    Attributes:
        at: position of its middle.
        size: in world units.
        speed, bend: a frame, and a frame squared.
        spin, growth: in-plane turn in radians a frame; growth a frame.
        moves: whether it is an instance.
    """

    parts: list[Part]
    at: Vector
    size: float
    speed: Vector
    bend: Vector
    spin: float
    growth: float
    moves: bool
    lively: float

    def place(self, t: float) -> Vector:
        return self.at + self.speed * t + 0.5 * self.bend * t * t


def outline(rng: Random) -> NDArray[np.uint8]:
    """A closed random shape, (PIECE, PIECE) uint8, soft-edged."""
    kind = rng.random()
    big = 2 * _PIECE
    canvas = np.zeros((big, big), np.uint8)
    if kind < 0.25:  # ellipses and boxes
        half = (int(big * rng.uniform(0.2, 0.47)), int(big * rng.uniform(0.3, 0.47)))
        if rng.random() < 0.5:
            cv2.ellipse(canvas, (big // 2, big // 2), half, 0, 0, 360, 255, -1)
        else:
            cv2.rectangle(
                canvas,
                (big // 2 - half[0], big // 2 - half[1]),
                (big // 2 + half[0], big // 2 + half[1]),
                255,
                -1,
            )
    else:
        turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        radius = np.ones_like(turn)
        for wave in range(2, 9):
            radius += rng.normal() * 0.55 / wave**1.2 * np.cos(wave * turn + rng.uniform(0, 6.3))
        radius = np.clip(radius / radius.max(), 0.15, 1) * big * 0.48
        points = np.stack([np.cos(turn), np.sin(turn)], 1) * radius[:, None] + big / 2
        cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], 255)
    for _ in range(int(rng.integers(0, 4))):  # limbs, poles, holes' rims
        ends = rng.uniform(0.08, 0.92, (2, 2)) * big
        ends[0] = big / 2 + rng.normal(size=2) * big * 0.1
        cv2.line(
            canvas, *(tuple(int(v) for v in end) for end in ends), 255, int(rng.integers(4, 26)), cv2.LINE_AA
        )
    soft = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.0, 3.0))
    return cv2.resize(soft, (_PIECE, _PIECE), interpolation=cv2.INTER_AREA)


def skin(rng: Random, photographs: Sequence[Rgb8], shape: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A piece of a photograph, recoloured, or paint with a pattern, under a shape: (PIECE, PIECE, 4) uint8."""
    if rng.random() < 0.7:
        photograph = photographs[int(rng.integers(len(photographs)))]
        side = int(rng.uniform(60, min(photograph.shape[:2])))
        y, x = (int(rng.integers(photograph.shape[k] - side + 1)) for k in (0, 1))
        piece = cv2.resize(
            photograph[y : y + side, x : x + side], (_PIECE, _PIECE), interpolation=cv2.INTER_AREA
        )
    else:
        base = rng.uniform(10, 245, 3)
        piece = np.broadcast_to(base, (_PIECE, _PIECE, 3)).copy()
        grid = np.indices((_PIECE, _PIECE)).astype(np.float64)
        for _ in range(int(rng.integers(0, 3))):
            wave = rng.normal(size=2) * 0.15
            piece[
                np.sin(grid[0] * wave[0] + grid[1] * wave[1] + rng.uniform(0, 6)) > rng.uniform(-0.5, 0.9)
            ] = rng.uniform(10, 245, 3)
        piece += cv2.GaussianBlur(
            rng.normal(size=(_PIECE, _PIECE, 3)) * 60, (0, 0), rng.uniform(1, 6)
        ) * rng.uniform(0, 2)
        # Light from one side gives it volume.
        shade = (
            1
            + rng.uniform(0, 0.5) * (grid[1] / _PIECE - 0.5)
            + rng.uniform(-0.1, 0.5) * (0.5 - grid[0] / _PIECE)
        )
        piece = piece * shade[..., None]
    piece = np.clip(piece * rng.uniform(0.55, 1.3) * rng.uniform(0.8, 1.2, 3), 0, 255)
    return np.dstack([piece.astype(np.uint8), shape])


def thing(
    rng: Random, photographs: Sequence[Rgb8], moves: bool, eye: Camera, ground: bool, depth: float
) -> Thing:
    """A thing somewhere in view."""
    z = float(np.exp(rng.uniform(np.log(2.0), np.log(0.75 * depth))))
    if moves:
        area = 10 ** rng.uniform(-1.9, -0.4)  # share of the picture that its square would take
        size = float(np.sqrt(area * HEIGHT * WIDTH)) * z / eye.focal
    else:
        size = float(rng.uniform(0.5, 3.5)) if z > 3 else float(rng.uniform(0.3, 1.2))
    across = WIDTH / 2 / eye.focal * z
    x = rng.uniform(-1, 1) * across * (0.9 if moves else 1.15)
    stands = ground and rng.random() < (0.55 if moves else 0.9)
    y = _EYE - size / 2 if stands else rng.uniform(-0.9, 0.7) * across * HEIGHT / WIDTH
    if (
        not ground and not moves
    ):  # parts of a static scene without a ground reach in from beyond the picture's edge
        edge = rng.integers(4)
        reach = across * (1 if edge < 2 else HEIGHT / WIDTH)
        size = float(rng.uniform(0.4, 1.6) * across)
        away = (reach - rng.uniform(-0.1, 0.4) * size) * (1 if edge % 2 else -1)
        x, y = (away, y) if edge < 2 else (x, away)
    parts = [
        Part(
            skin(rng, photographs, outline(rng)), np.zeros(2), np.array([rng.uniform(0.35, 1.0), 1.0]), 0.0,
            np.zeros(2), 0.0, 0.0,
        )
    ]  # fmt: skip
    lively = 0.0
    if rng.random() < (0.6 if moves else 0.25):
        same = rng.random() < 0.5
        lively = float(rng.uniform(0.0, 1.0)) if moves else 0.0
        for _ in range(int(rng.integers(1, 4))):
            shape = outline(rng)
            cover = np.dstack([parts[0].skin[..., :3], shape]) if same else skin(rng, photographs, shape)
            parts.append(
                Part(
                    cover, rng.uniform(-0.5, 0.5, 2) * parts[0].size, rng.uniform(0.2, 0.6, 2), rng.uniform(0, 0.6),
                    rng.uniform(0, 0.12, 2), rng.uniform(0.1, 0.8), rng.uniform(0, 6.3),
                )
            )  # fmt: skip
    speed, bend, spin, growth = np.zeros(3), np.zeros(3), 0.0, 0.0
    if moves:
        pace = 10 ** rng.uniform(-0.45, 1.0)  # pixels a frame
        way = rng.uniform(0, 2 * np.pi)
        flat = 0.25 if stands else 1.0
        speed = np.array([np.cos(way), flat * np.sin(way), rng.normal() * 0.5])
        speed = speed / np.linalg.norm(speed[:2]) * pace * z / eye.focal
        bend = rng.normal(size=3) * [1, flat, 0.3] * 0.06 * pace * z / eye.focal
        spin = rng.normal() * 0.03 * (rng.random() < 0.4)
        growth = rng.normal() * 0.008 * (rng.random() < 0.3)
    return Thing(parts, np.array([x, y, z]), size, speed, bend, spin, growth, moves, lively)


def _corners(one: Thing, part: Part, t: float, eye: Camera) -> NDArray[np.float32] | None:
    """Where the corners of a part lie in the picture, (4, 2); None where it is behind the camera."""
    rotation, position, focal = eye.at(t)
    wave = np.sin(part.phase + part.rate * t) * one.lively
    turn = part.swing * wave + one.spin * t
    half = part.size / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    c, s = np.cos(turn), np.sin(turn)
    square = square @ np.array([[c, s], [-s, c]]) + part.offset + part.slide * wave
    where = one.place(t) + np.column_stack([square * one.size * (1 + one.growth * t), np.zeros(4)])
    seen = (where - position) @ rotation.T
    if seen[:, 2].min() < 0.3:
        return None
    return np.float32(seen[:, :2] / seen[:, 2:] * focal + [WIDTH / 2, HEIGHT / 2])


def _lay(picture: NDArray[np.float32], cover: Plane, one: Thing, t: float, eye: Camera) -> Plane | None:
    """Paint a thing over a picture; takes it from `cover` and returns its own cover, or None where it is not seen."""
    mine: Plane | None = None
    for part in one.parts:
        corners = _corners(one, part, t, eye)
        if corners is None:
            continue
        low, high = np.floor(corners.min(0)).astype(int) - 1, np.ceil(corners.max(0)).astype(int) + 2
        x0, y0, x1, y1 = max(low[0], 0), max(low[1], 0), min(high[0], WIDTH), min(high[1], HEIGHT)
        if x1 - x0 < 2 or y1 - y0 < 2 or high[0] - low[0] > 4 * WIDTH or high[1] - low[1] > 6 * WIDTH:
            continue
        shrink = max(1.0, _PIECE / max(1.0, float(np.min(corners.max(0) - corners.min(0)))))
        skin_ = part.skin
        if shrink > 1.6:  # against aliasing
            side = max(4, round(_PIECE / shrink * 1.3))
            skin_ = cv2.resize(skin_, (side, side), interpolation=cv2.INTER_AREA)
        side = skin_.shape[0]
        source = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32) - np.float32(0.5)
        matrix = cv2.getPerspectiveTransform(source, corners - np.array([x0, y0], np.float32))
        patch = cv2.warpPerspective(skin_, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR).astype(
            np.float32
        )
        alpha = patch[..., 3] / 255
        window = np.s_[y0:y1, x0:x1]
        # Colours beyond the texture's edge are black and have no cover, so premultiplied edges stay clean enough.
        picture[window] += alpha[..., None] * (patch[..., :3] - picture[window])
        cover[window] *= 1 - alpha
        if mine is None:
            mine = np.zeros((HEIGHT, WIDTH), np.float32)
        mine[window] = 1 - (1 - mine[window]) * (1 - alpha)
    return mine


class _Cast:
    """The shadow of something that is not in the picture, wandering over all that stands."""

    def __init__(self, rng: Random) -> None:
        self._shape = outline(rng).astype(np.float32) * np.float32(rng.uniform(0.25, 0.75) / 255)
        self._at = rng.uniform(0, 1, 2) * [WIDTH, HEIGHT]
        way, pace = rng.uniform(0, 2 * np.pi), 10 ** rng.uniform(-0.3, 1.0)
        self._speed = np.array([np.cos(way), np.sin(way)]) * pace
        self._size = rng.uniform(15, 110)
        self._spin = rng.normal() * 2
        self._soft = rng.uniform(0.6, 5)

    def dark(self, t: float) -> Plane:
        """Share of the light that it takes, (HEIGHT, WIDTH)."""
        matrix = cv2.getRotationMatrix2D((_PIECE / 2, _PIECE / 2), self._spin * t, self._size / _PIECE)
        matrix[:, 2] += self._at + self._speed * t - _PIECE / 2
        return plane(
            cv2.GaussianBlur(cv2.warpAffine(self._shape, matrix, (WIDTH, HEIGHT)), (0, 0), self._soft)
        )


def _tiled(picture: Rgb8, at: NDArray[np.float64]) -> Rgb8:
    """The picture at positions (h, w, 2), mirrored beyond its edges."""
    last = np.array([picture.shape[1] - 1, picture.shape[0] - 1], np.float64)
    folded = np.float32(last - np.abs(at % (2 * last) - last))
    return np.asarray(cv2.remap(picture, folded, None, cv2.INTER_LINEAR), np.uint8)


class Scene:
    """One made-up scene.

    Args:
        rng: all of it comes from this.
        photographs: (H, W, 3) uint8, sides of at least 180 pixels.
    """

    def __init__(self, rng: Random, photographs: Sequence[Rgb8]) -> None:
        self.eye = camera(rng)
        self._depth = float(np.exp(rng.uniform(np.log(5), np.log(60))))
        ground = bool(rng.random() < 0.7)
        self._backdrop = photographs[int(rng.integers(len(photographs)))]
        self._scale = self._depth * WIDTH / self.eye.focal * rng.uniform(1.0, 1.6) / self._backdrop.shape[1]
        self._ground = photographs[int(rng.integers(len(photographs)))] if ground else None
        self._grain = rng.uniform(2, 10) / 256  # world units a texel
        count = int(rng.choice([0, 1, 2, 3, 4], p=[0.12, 0.35, 0.3, 0.15, 0.08]))
        still = int(rng.integers(0, 9))
        self.things = [thing(rng, photographs, True, self.eye, ground, self._depth) for _ in range(count)]
        self.things += [thing(rng, photographs, False, self.eye, ground, self._depth) for _ in range(still)]
        self._shade = rng.uniform(0.2, 0.7) if rng.random() < 0.6 else 0.0
        self._lean = rng.uniform(-1.5, 1.5)
        self._cast = [_Cast(rng) for _ in range(int(rng.integers(1, 3)))] if rng.random() < 0.4 else []
        self._blur = rng.uniform(0, 0.7)
        self._noise = rng.uniform(0, 5)
        self._quality = int(rng.uniform(45, 97))
        self._flicker = rng.uniform(0, 0.02)
        self._rng = rng
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
        self._pixels = np.stack([x - WIDTH / 2, y - HEIGHT / 2, np.ones_like(x)], -1)

    def picture(self, t: float) -> tuple[Rgb8, list[tuple[Thing, Plane]]]:
        """The frame at a time and what is seen of each thing, (HEIGHT, WIDTH) in [0, 1]."""
        rotation, position, focal = self.eye.at(t)
        rays = (self._pixels * [1 / focal, 1 / focal, 1]) @ rotation
        reach = (self._depth - position[2]) / np.maximum(rays[..., 2], 0.05)
        at = position[:2] + rays[..., :2] * reach[..., None]
        h, w = self._backdrop.shape[:2]
        picture = _tiled(self._backdrop, at / self._scale + [w / 2, h / 2]).astype(np.float32)
        if self._ground is not None:
            self._floor(picture, rays, position)
        cover = np.ones((HEIGHT, WIDTH), np.float32)
        order = sorted(self.things, key=lambda one: -one.place(t)[2])
        seen: list[tuple[Thing, Plane]] = []
        if self._shade and self._ground is not None:
            for one in order:
                self._shadow(picture, one, t)
        for one in order:
            mine = _lay(picture, cover, one, t, self.eye)
            if mine is not None:
                seen = [(other, theirs * (1 - mine)) for other, theirs in seen] + [(one, mine)]
        free = np.ones((HEIGHT, WIDTH), np.float32)
        for one, mine in seen:
            if one.moves:
                free -= mine
        for cast in self._cast:
            picture *= 1 - (cast.dark(t) * free)[..., None]
        if self._blur > 0.2:
            picture = cv2.GaussianBlur(picture, (0, 0), self._blur)
        noisy = picture * (1 + self._flicker * self._rng.normal())
        noisy = noisy + self._rng.normal(size=picture.shape) * self._noise
        rgb = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8), seen

    def _floor(self, picture: NDArray[np.float32], rays: NDArray[np.float64], position: Vector) -> None:
        down = rays[..., 1]
        reach = (_EYE - position[1]) / np.maximum(down, 1e-4)
        at = position + rays * reach[..., None]
        on = (down > 1e-3) & (at[..., 2] < self._depth)
        where = np.where(on[..., None], at[..., [0, 2]] / self._grain, 0)
        size = reach * 1.0 / self.eye.focal / self._grain  # texels a pixel
        assert self._ground is not None
        floor = self._ground
        for level in range(5):
            band = (
                on & (size >= (2**level if level else 0)) & ((size < 2 ** (level + 1)) if level < 4 else True)
            )
            if band.any():
                picture[band] = _tiled(floor, where / 2**level)[band]
            floor = cv2.resize(floor, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    def _shadow(self, picture: NDArray[np.float32], one: Thing, t: float) -> None:
        rotation, position, focal = self.eye.at(t)
        at = one.place(t)
        at[0], at[1] = at[0] + self._lean * one.size * 0.4, _EYE
        seen = rotation @ (at - position)
        if seen[2] < 0.5:
            return
        x, y = seen[:2] / seen[2] * focal + [WIDTH / 2, HEIGHT / 2]
        half = 0.5 * one.size * focal / seen[2]
        if not (-half < x < WIDTH + half and 0 < y < HEIGHT + half and half < WIDTH):
            return
        dark = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.ellipse(
            dark,
            (round(x * 8), round(y * 8)),
            (round(half * 8), max(4, round(half * 2))),
            0,
            0,
            360,
            1.0,
            -1,
            cv2.LINE_AA,
            3,
        )
        dark = cv2.GaussianBlur(dark, (0, 0), max(0.6, 0.08 * half))
        picture *= 1 - np.float32(self._shade) * dark[..., None]


def travelled(one: Thing, eye: Camera, frames: int) -> float:
    """How far, in pixels, a thing moves by itself within so many frames, forward or backward, whichever is more."""
    far = 0.0
    for t in (-frames, frames):
        rotation, position, focal = eye.at(t)
        there, here = (rotation @ (place - position) for place in (one.place(t), one.at))
        if min(there[2], here[2]) > 0.3:
            far = max(far, float(np.hypot(*(there[:2] / there[2] - here[:2] / here[2])) * focal))
    half = 0.5 * one.size * eye.focal / max(float(one.at[2]), 0.3)
    return far + half * frames * (abs(one.spin) + abs(one.growth)) + 0.3 * half * one.lively
