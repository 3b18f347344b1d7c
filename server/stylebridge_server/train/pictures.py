"""The pictures that training sees: photographs as scenes; paintings, photographs and textures as styles.

All arrays are RGB, (H, W, 3), uint8 unless said otherwise. Everything drawn at random is a function of a
generator given by the caller, so that a training run can be resumed and repeated.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError

from .textures import texture

Rgb8 = NDArray[np.uint8]

_SUFFIXES = {".jpg", ".jpeg", ".png"}


def find(folder: Path, held_out: tuple[str, ...] = ()) -> list[Path]:
    """Picture files under `folder`, sorted, less those that match a held-out pattern such as
    "kodak/1[3-9].png"."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)
    return [p for p in paths if not any(p.match(pattern) for pattern in held_out)]


def load(path: Path) -> Rgb8:
    """One picture, whatever its depth; alpha is dropped."""
    contents = np.fromfile(path, np.uint8)
    data = cv2.imdecode(contents, cv2.IMREAD_COLOR) if contents.size else None
    if data is None:
        raise StylebridgeError(
            Code.NOT_READABLE, f"{path} is not a picture that can be read: remove it or convert it."
        )
    return np.ascontiguousarray(data[..., ::-1])


def shortened(picture: NDArray[np.uint8], side: int) -> Rgb8:
    """The picture brought to a short side of `side`, by area where that shrinks it."""
    height, width = picture.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC).astype(
        np.uint8
    )


def is_photograph(picture: Rgb8) -> bool:
    """False for charts, cartoons and screenshots: large parts of those do not change from pixel to pixel."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.int16)
    flat = (np.abs(np.diff(grey, axis=1))[1:] + np.abs(np.diff(grey, axis=0))[:, 1:]) == 0
    return float(flat.mean()) < 0.35


def _square(rng: np.random.Generator, picture: Rgb8) -> Rgb8:
    """A random square as large as the short side allows."""
    height, width = picture.shape[:2]
    side = min(height, width)
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return picture[y : y + side, x : x + side]


def _recoloured(rng: np.random.Generator, picture: Rgb8, strength: float) -> Rgb8:
    """Other tone and colours: gamma, contrast, balance, saturation; at strength 1 also exchanged channels."""
    x = picture.astype(np.float32) / 255
    if strength >= 1 and rng.uniform() < 0.5:
        x = x[..., rng.permutation(3)]
    x = x ** np.exp(rng.uniform(-0.35, 0.35) * strength)
    x = (x - 0.5) * np.exp(rng.uniform(-0.25, 0.15) * strength) + 0.5
    grey = x.mean(-1, keepdims=True)
    x = grey + (x - grey) * np.exp(rng.uniform(-0.8, 0.5) * strength)
    x = x * np.exp(rng.uniform(-0.2, 0.2, 3) * strength)
    return np.clip(x * 255, 0, 255).astype(np.uint8)


class Scenes:
    """Photographs, kept in memory at a short side of at most `side`."""

    def __init__(self, folders: list[Path], held_out: tuple[str, ...], side: int) -> None:
        self.pictures: list[Rgb8] = []
        for folder in folders:
            for path in find(folder, held_out):
                picture = load(path)
                if min(picture.shape[:2]) > side:
                    picture = shortened(picture, side)
                if min(picture.shape[:2]) >= side // 2 and is_photograph(picture):
                    self.pictures.append(picture)
        if not self.pictures:
            raise StylebridgeError(
                Code.NOT_FOUND, f"No photographs in {', '.join(map(str, folders))}: name a folder."
            )

    def draw(self, rng: np.random.Generator, smallest: int, largest: int) -> Rgb8:
        """A square scene: a large piece of a photograph, its side in [smallest, largest], a multiple of 4."""
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        part = int(min(picture.shape[:2]) * rng.uniform(0.7, 1.0))
        y, x = (int(rng.integers(n - part + 1)) for n in picture.shape[:2])
        picture = picture[y : y + part, x : x + part]
        side = int(rng.integers(smallest, min(max(part, smallest), largest) + 1)) // 4 * 4
        if side != picture.shape[0]:
            picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
        if rng.uniform() < 0.5:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(_recoloured(rng, picture, 0.5))


class Styles:
    """Variants of style pictures, numbered 0 to `count` - 1, each (side, side, 3) and a function of its
    number.

    Most are pieces of paintings, half of them recoloured; the rest are photographs and procedural textures,
    so that the network serves any style and not a handful.
    """

    def __init__(
        self,
        folder: Path,
        held_out: tuple[str, ...],
        scenes: Scenes,
        count: int,
        seed: int,
        side: int = 512,
        others: float = 0.3,
    ) -> None:
        self.paintings = [load(path) for path in find(folder, held_out)]
        if not self.paintings:
            raise StylebridgeError(
                Code.NOT_FOUND, f"No style pictures in {folder}: name a folder with paintings."
            )
        self.scenes, self.count, self.seed, self.side, self.others = scenes, count, seed, side, others

    def variant(self, number: int) -> Rgb8:
        rng = np.random.default_rng([self.seed, 7, number])
        if number < len(self.paintings):  # the paintings as they are come first
            return self._sized(_square(rng, self.paintings[number]))
        kind = rng.uniform()
        if kind < self.others / 3:
            return texture(rng, self.side)
        if kind < self.others:
            photo = self.scenes.pictures[int(rng.integers(len(self.scenes.pictures)))]
            return _recoloured(rng, self._sized(_square(rng, photo)), 1.0)
        painting = self.paintings[int(rng.integers(len(self.paintings)))]
        part = int(min(painting.shape[:2]) * rng.uniform(0.55, 1.0))
        y, x = (int(rng.integers(n - part + 1)) for n in painting.shape[:2])
        picture = self._sized(painting[y : y + part, x : x + part])
        if rng.uniform() < 0.5:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(_recoloured(rng, picture, 1.0) if rng.uniform() < 0.5 else picture)

    def _sized(self, picture: Rgb8) -> Rgb8:
        shrinks = picture.shape[0] > self.side
        way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return cv2.resize(picture, (self.side, self.side), interpolation=way).astype(np.uint8)
