"""Short clips with exact mattes for training the tracer: things over panning photographs, all drawn at random.

Things are regions of photographs (`cuttings`) and shapes put together from ellipses and polygons, filled with
textures, photographs or plain colours. They move, turn, grow, bend, pass behind one another and behind parts of the
foreground, leave and come back; light, shadow, motion blur, noise and compression are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.train.textures import texture
from stylebridge_server.values import Plane, Rgb8

Rng = np.random.Generator
Cover = NDArray[np.float32]  # (h, w, 4): colours 0 to 255, not multiplied, and cover in [0, 1]

SIZES = ((144, 256), (144, 256), (168, 300), (160, 240), (192, 192))
_LENGTH = (10, 26)  # frames


class Material:
    """Photographs, regions of them, and textures."""

    def __init__(self, path: Path) -> None:
        """From a file that `cuttings.make` wrote."""
        with np.load(path) as kept:
            self.photographs: dict[int, Rgb8] = {
                int(name.split("_")[1]): kept[name] for name in kept.files if name.startswith("photo")
            }
            names = sorted(name for name in kept.files if name.startswith("mask"))
            self.regions = [(int(name.split("_")[1]), kept[name]) for name in names]
        rng = np.random.default_rng(5)
        self.textures = [texture(rng, 256) for _ in range(60)]
        self.numbers = sorted(self.photographs)

    def photograph(self, rng: Rng) -> Rgb8:
        return self.photographs[self.numbers[int(rng.integers(len(self.numbers)))]]


@dataclass
class _Path:
    """Where a layer is over time: a straight way, a swing, growth and turning; bending of what is on it."""

    at: NDArray[np.float64]
    pace: NDArray[np.float64]
    swing: NDArray[np.float64]
    beat: float
    phase: float
    growth: float
    turn: float
    bend: float
    wave: NDArray[np.float64]
    depth: float  # how much of the camera's motion it shares; 0 for none

    @staticmethod
    def drawn(rng: Rng, size: tuple[int, int], still: bool) -> _Path:
        h, w = size
        unit = w / 256
        lively = 0.0 if still else float(rng.choice([0.3, 1, 1, 2]))
        return _Path(
            at=np.array([w, h]) * rng.uniform(0.15, 0.85, 2),
            pace=rng.normal(0, 2.2, 2) * lively * unit,
            swing=rng.uniform(0, 12, 2) * lively * unit * (rng.random() < 0.5),
            beat=float(rng.uniform(0.15, 0.7)),
            phase=float(rng.uniform(0, 6.28)),
            growth=float(rng.normal(0, 0.012)) * lively,
            turn=float(rng.normal(0, 1.2)) * lively,
            bend=0.0 if still else float(rng.choice([0, 0, 1.5, 3, 5])) * unit,
            wave=rng.uniform(0.006, 0.03, 2) / unit,
            depth=1.0 if still or rng.random() < 0.4 else 0.0,
        )

    def matrix(
        self, t: float, camera: NDArray[np.float64], middle: tuple[float, float]
    ) -> NDArray[np.float64]:
        """From the patch to the picture, (2, 3)."""
        place = (
            self.at + self.pace * t + self.swing * (np.sin(self.beat * t + self.phase) - np.sin(self.phase))
        )
        out = cv2.getRotationMatrix2D(middle, self.turn * t, float(np.exp(self.growth * t)))
        out[:, 2] += place - middle
        if self.depth:
            moved = np.eye(2, 3) + self.depth * (camera - np.eye(2, 3))
            out = (np.vstack([moved, [0, 0, 1]]) @ np.vstack([out, [0, 0, 1]]))[:2]
        return np.asarray(out)


@dataclass
class _Layer:
    patch: Cover
    path: _Path
    shadow: bool


class Clip:
    """Frames and mattes by number; drawn anew from a seed.

    Attributes:
        count: frames.
        things: layers that may be followed, by their place in the mattes.
    """

    def __init__(self, seed: int, material: Material) -> None:
        rng = self._rng = np.random.default_rng(seed)
        self.size = SIZES[int(rng.integers(len(SIZES)))]
        self.count = int(rng.integers(*_LENGTH))
        h, w = self.size
        ground = material.photograph(rng)
        if rng.random() < 0.1:
            ground = material.textures[int(rng.integers(len(material.textures)))]
        zoom = rng.uniform(1.0, 1.7)
        scale = max(h * 1.35 / ground.shape[0], w * 1.35 / ground.shape[1]) * zoom
        self._ground = cv2.resize(
            ground, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        if rng.random() < 0.3:
            self._ground = cv2.GaussianBlur(self._ground, (0, 0), rng.uniform(0.7, 3))
        self._ground = self._ground.astype(np.float32) * np.float32(rng.uniform(0.6, 1.1))
        calm = rng.random() < 0.3
        self._pan = np.zeros(2) if calm else rng.normal(0, 1.6, 2) * (w / 256)
        self._camera_growth = 0.0 if rng.random() < 0.6 else rng.normal(0, 0.006)
        self._camera_turn = 0.0 if rng.random() < 0.7 else rng.normal(0, 0.4)
        self._shake = 0.0 if rng.random() < 0.6 else rng.uniform(0.2, 1.5)
        self._shakes = rng.normal(0, 1, (64, 2))
        self._offset = np.array(
            [rng.uniform(0, self._ground.shape[1] - w), rng.uniform(0, self._ground.shape[0] - h)]
        )
        self.things = int(rng.choice([1, 1, 2, 2, 3, 4]))
        self._layers: list[_Layer] = []
        for _ in range(self.things):
            # Now and then a look-alike of the last.
            alike = rng.random() < 0.35 and self._layers
            patch = _varied(rng, self._layers[-1].patch) if alike else _thing(rng, material, ground, h)
            self._layers.append(
                _Layer(patch, _Path.drawn(rng, self.size, rng.random() < 0.2), rng.random() < 0.3)
            )
        if rng.random() < 0.4:
            patch = _thing(rng, material, ground, round(h * 1.7))
            path = _Path.drawn(rng, self.size, True)
            path.depth = float(rng.uniform(1, 2))
            self._layers.append(_Layer(patch, path, False))
        self._blur = rng.random() < 0.5
        self._noise = float(rng.choice([0, 1, 2.5, 5]))
        self._quality = int(rng.choice([0, 55, 75, 90]))
        self._soft = float(rng.choice([0, 0, 0.6, 1.0]))
        self._flicker = rng.normal(0, 1, 64) * float(rng.choice([0, 0, 0.02]))

    def _camera(self, t: float) -> NDArray[np.float64]:
        h, w = self.size
        out = cv2.getRotationMatrix2D(
            (w / 2, h / 2), self._camera_turn * t, float(np.exp(self._camera_growth * t))
        )
        out[:, 2] += self._pan * t + self._shake * self._shakes[int(t) % 64]
        return np.asarray(out)

    def frame(self, t: int, without: int | None = None) -> tuple[Rgb8, list[Plane]]:
        """Picture (h, w, 3) and the visible cover of every thing, (h, w) in [0, 1]; one thing may be left out."""
        h, w = self.size
        camera = self._camera(t)
        shift = np.vstack([camera, [0, 0, 1]]) @ np.array(
            [[1, 0, -self._offset[0]], [0, 1, -self._offset[1]], [0, 0, 1]]
        )
        picture = cv2.warpAffine(self._ground, shift[:2], (w, h), borderMode=cv2.BORDER_REFLECT_101)
        covers: list[Plane] = []
        for k, layer in enumerate(self._layers):
            if k == without:
                covers.append(np.zeros((h, w), np.float32))
                continue
            rgb, cover = self._placed(layer, t, camera)
            if layer.shadow:
                dark = cv2.GaussianBlur(np.roll(cover, (h // 24, w // 40), (0, 1)), (0, 0), h / 40)
                picture = picture * (1 - 0.45 * dark[..., None])
            picture = picture * (1 - cover[..., None]) + rgb * cover[..., None]
            covers = [c * (1 - cover) for c in covers]
            covers.append(cover)
        rng = np.random.default_rng([int(self._noise * 10), t, self.count, h])
        picture = picture * np.float32(1 + self._flicker[t % 64])
        if self._soft:
            picture = cv2.GaussianBlur(picture, (0, 0), self._soft)
        if self._noise:
            picture = picture + rng.normal(0, self._noise, picture.shape).astype(np.float32)
        out = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        if self._quality:
            data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1]
            out = cv2.imdecode(data, cv2.IMREAD_COLOR)
        return np.ascontiguousarray(out), covers[: self.things]

    def _placed(
        self, layer: _Layer, t: int, camera: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], Plane]:
        h, w = self.size
        ph, pw = layer.patch.shape[:2]
        path, middle = layer.path, (pw / 2, ph / 2)
        matrix = path.matrix(t, camera, middle)
        back = cv2.invertAffineTransform(matrix)
        x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        u = back[0, 0] * x + back[0, 1] * y + back[0, 2]
        v = back[1, 0] * x + back[1, 1] * y + back[1, 2]
        if path.bend:
            a = path.bend * np.sin(path.beat * 1.3 * t)
            b = path.bend * np.cos(path.beat * t + path.phase) - path.bend * np.cos(path.phase)
            u, v = (
                u + a * np.sin(path.wave[0] * 6.28 * v + path.phase),
                v + b * np.sin(path.wave[1] * 6.28 * u),
            )
        seen = cv2.remap(
            layer.patch,
            u.astype(np.float32),
            v.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        pre = seen[..., :3] * seen[..., 3:]
        cover = seen[..., 3]
        if self._blur:
            motion = (path.matrix(t + 1, self._camera(t + 1), middle) - matrix)[:, 2]
            length = float(np.hypot(*motion)) * 0.5
            if length > 1.2:
                kernel = _streak(length, float(np.arctan2(motion[1], motion[0])))
                pre, cover = cv2.filter2D(pre, -1, kernel), cv2.filter2D(cover, -1, kernel)
        return pre / np.maximum(cover, 1e-3)[..., None], np.clip(cover, 0, 1)


def _streak(length: float, angle: float) -> NDArray[np.float32]:
    n = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((n, n), np.float32)
    c = n // 2
    dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
    cv2.line(kernel, (round(c - dx), round(c - dy)), (round(c + dx), round(c + dy)), 1.0, 1)
    return kernel / kernel.sum()


def _thing(rng: Rng, material: Material, ground: Rgb8, height: int) -> Cover:
    """A patch whose thing has a size drawn for a picture of that height."""
    if material.regions and rng.random() < 0.6:
        number, mask = material.regions[int(rng.integers(len(material.regions)))]
        x, y, w, h = cv2.boundingRect(mask)
        part = np.s_[y : y + h, x : x + w]
        soft = (
            cv2.GaussianBlur(mask[part].astype(np.float32), (0, 0), 0.7) if rng.random() < 0.7 else mask[part]
        )
        patch = np.dstack([material.photographs[number][part], soft]).astype(np.float32)
    else:
        patch = _shape(rng, material, ground)
    size = height * float(np.exp(rng.uniform(np.log(0.12), np.log(0.65))))
    scale = size / np.sqrt(max(patch.shape[0] * patch.shape[1], 1))
    patch = cv2.resize(
        patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    patch = cv2.copyMakeBorder(patch, 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    return _varied(rng, patch)


def _varied(rng: Rng, patch: Cover) -> Cover:
    """The same in another light, perhaps mirrored."""
    patch = patch[:, ::-1].copy() if rng.random() < 0.5 else patch.copy()
    h, w = patch.shape[:2]
    gain = rng.uniform(0.75, 1.2, 3) if rng.random() < 0.5 else np.full(3, rng.uniform(0.7, 1.2))
    angle, depth = rng.uniform(0, 6.28), rng.uniform(0, 0.5)
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    shade = 1 + depth * (np.cos(angle) * x + np.sin(angle) * y) * 0.7
    patch[..., :3] = np.clip(patch[..., :3] * gain * shade[..., None], 0, 255)
    return patch.astype(np.float32)


def _shape(rng: Rng, material: Material, ground: Rgb8) -> Cover:
    """Ellipses and polygons put together, each with a filling of its own; perhaps with a hole."""
    side = 160
    out = np.zeros((side, side, 4), np.float32)
    parts = int(rng.choice([1, 1, 2, 3, 5]))
    shared = _filling(rng, material, ground, side)
    at = np.array([side / 2, side / 2])
    for k in range(parts):
        mask = np.zeros((side, side), np.uint8)
        reach = rng.uniform(18, 52) if k == 0 else rng.uniform(6, 32)
        if rng.random() < 0.6:
            axes = (int(reach), int(reach * rng.uniform(0.2 if k else 0.4, 1)))
            cv2.ellipse(
                mask,
                tuple(int(v) for v in at),
                axes,
                float(rng.uniform(0, 180)),
                0,
                360,
                255,
                -1,
                cv2.LINE_AA,
            )
        else:
            corners = int(rng.integers(3, 12))
            angles = np.sort(rng.uniform(0, 6.28, corners))
            radii = reach * rng.uniform(0.35, 1.2, corners)
            points = at + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
            cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 255, cv2.LINE_AA)
            if rng.random() < 0.5:
                mask = cv2.GaussianBlur(mask, (0, 0), 4)
                mask = np.clip((mask.astype(np.float32) - 128) * 6 + 128, 0, 255).astype(np.uint8)
        filling = shared if rng.random() < 0.4 else _filling(rng, material, ground, side)
        share = mask.astype(np.float32)[..., None] / 255
        out[..., :3] = out[..., :3] * (1 - share) + filling * share
        out[..., 3:] = np.maximum(out[..., 3:], share)
        inside = np.argwhere(out[12:-12, 12:-12, 3] > 0.5)
        if not len(inside):
            break
        at = inside[int(rng.integers(len(inside)))][::-1] + 12.0
    if rng.random() < 0.12:
        cv2.circle(out, (side // 2, side // 2), int(rng.uniform(5, 12)), (0, 0, 0, 0), -1)
    x, y, w, h = cv2.boundingRect((out[..., 3] > 0.1).astype(np.uint8))
    return out[y : y + max(h, 8), x : x + max(w, 8)]


def _filling(rng: Rng, material: Material, ground: Rgb8, side: int) -> NDArray[np.float32]:
    """(side, side, 3): a photograph's piece, the ground's own, a texture or a plain colour."""
    kind = rng.random()
    if kind < 0.45:
        source = material.photograph(rng)
    elif kind < 0.55:
        source = ground
    elif kind < 0.7:
        source = material.textures[int(rng.integers(len(material.textures)))]
    else:
        y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
        ends = rng.uniform(0, 255, (2, 3))
        share = (np.cos(kind * 99) * x + np.sin(kind * 99) * y)[..., None] * rng.choice([0, 0.3, 1])
        return np.clip(ends[0] + share * (ends[1] - ends[0]), 0, 255).astype(np.float32)
    cut = int(min(source.shape[:2]) * rng.uniform(0.2, 0.8))
    y, x = (int(rng.integers(0, n - cut + 1)) for n in source.shape[:2])
    piece = cv2.resize(source[y : y + cut, x : x + cut], (side, side), interpolation=cv2.INTER_AREA)
    return piece.astype(np.float32)
