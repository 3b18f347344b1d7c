"""Synthetic shots with exact mattes, and what the segment room is handed by the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server import segment
from stylebridge_server.values import FlowPair, Instance, Prompt, Rgb8

RED, BLUE = (190, 70, 60), (60, 80, 190)

Position = Callable[[int], tuple[float, float]]


def texture(
    seed: int, h: int, w: int, colour: tuple[int, int, int], contrast: float = 40
) -> NDArray[np.float32]:
    """Noise of several sizes around a colour, (h, w, 3) float32 in 0 to 255."""
    rng = np.random.default_rng(seed)
    out = np.zeros((h, w, 3), np.float32)
    for sigma, share in ((1.2, 0.35), (4.0, 0.65)):
        noise = cv2.GaussianBlur(rng.standard_normal((h, w, 3)).astype(np.float32), (0, 0), sigma)
        out += share * contrast * noise / noise.std()
    return np.clip(out + np.array(colour, np.float32), 0, 255)


class Scene:
    """Discs with texture that move over a textured ground; the camera pans. Also a FrameReader that counts.

    Attributes:
        reads: how often `read` was called.
    """

    def __init__(
        self,
        count: int,
        discs: Sequence[tuple[float, tuple[int, int, int], Position]],
        size: tuple[int, int] = (120, 200),
        pan: float = 0.0,
        seed: int = 7,
        ground: tuple[int, int, int] = (110, 130, 100),
    ) -> None:
        self.size = size
        self.count = count
        self.reads = 0
        h, w = size
        wide = texture(seed, h, w + int(abs(pan) * count) + 4, ground)
        self._frames: list[Rgb8] = []
        self.mattes: list[list[NDArray[np.bool_]]] = []
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        skins = [texture(seed + 10 + i, 200, 200, colour) for i, (_, colour, _) in enumerate(discs)]
        for t in range(count):
            shift = np.float32([[1, 0, -abs(pan) * t], [0, 1, 0]])
            picture = cv2.warpAffine(wide, shift, (w, h), flags=cv2.INTER_LINEAR)
            visible: list[NDArray[np.bool_]] = []
            for (radius, _, position), skin in zip(discs, skins, strict=True):
                cx, cy = position(t)
                move = np.float32([[1, 0, cx - 100], [0, 1, cy - 100]])
                moved = cv2.warpAffine(skin, move, (w, h), borderMode=cv2.BORDER_REFLECT)
                away = np.sqrt((x - cx) ** 2 + (y - cy) ** 2)
                alpha = np.clip(radius - away + 0.5, 0, 1)[..., None]
                picture = picture * (1 - alpha) + moved * alpha
                inside = away <= radius
                visible = [m & ~inside for m in visible] + [inside]
            self._frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
            self.mattes.append(visible)

    def read(self, number: int) -> Rgb8:
        self.reads += 1
        return self._frames[number].copy()

    def content(self, number: int) -> str:
        return hashlib.sha256(self._frames[number].tobytes()).hexdigest()

    def box(self, number: int, disc: int) -> tuple[float, float, float, float]:
        """Normalised box around a disc, a little wider than it."""
        h, w = self.size
        ys, xs = np.nonzero(self.mattes[number][disc])
        x0, y0, x1, y1 = xs.min() - 2, ys.min() - 2, xs.max() + 3, ys.max() + 3
        return max(x0 / w, 0), max(y0 / h, 0), min(x1 / w, 1), min(y1 / h, 1)


class Mattes:
    """A store in memory; empty where nothing was put."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self.kept: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def put(self, instance: int, frame: int, matte: NDArray[np.uint8]) -> None:
        assert matte.shape == self._size and matte.dtype == np.uint8 and matte.any()
        assert (instance, frame) not in self.kept
        self.kept[instance, frame] = matte

    def get(self, instance: int, frame: int) -> NDArray[np.uint8]:
        return self.kept.get((instance, frame), np.zeros(self._size, np.uint8))


def flow(a: Rgb8, b: Rgb8) -> FlowPair:
    """DIS flow with forward-backward validity; enough for these scenes."""
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey_a, grey_b = cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), cv2.cvtColor(b, cv2.COLOR_RGB2GRAY)
    forward, backward = engine.calc(grey_a, grey_b, None), engine.calc(grey_b, grey_a, None)
    return FlowPair(forward, backward, _valid(forward, backward), _valid(backward, forward))


def _valid(there: NDArray[np.float32], back: NDArray[np.float32]) -> NDArray[np.float32]:
    h, w = there.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    at = np.stack([x, y], axis=2) + there
    returned = cv2.remap(back, at, None, cv2.INTER_LINEAR)
    miss = np.sum((there + returned) ** 2, axis=2)
    limit = 0.01 * (np.sum(there**2, axis=2) + np.sum(returned**2, axis=2)) + 0.5
    seen = (at[..., 0] >= 0) & (at[..., 0] <= w - 1) & (at[..., 1] >= 0) & (at[..., 1] <= h - 1)
    return (np.clip(2 - miss / limit, 0, 1) * seen).astype(np.float32)


def overlap(matte: NDArray[np.uint8], truth: NDArray[np.bool_]) -> float:
    """Region similarity J: intersection over union; 1 where both are empty."""
    found = matte >= 128
    union = int((found | truth).sum())
    return 1.0 if union == 0 else float((found & truth).sum()) / union


def run(
    scene: Scene, prompts: list[Prompt], scenes: list[tuple[int, int]] | None = None
) -> tuple[Mattes, list[Instance]]:
    """Track through a synthetic shot with the embedded back end."""
    store = Mattes(scene.size)
    found = segment.load("embedded").track(
        scene, scenes or [(0, scene.count - 1)], prompts, flow, store, lambda done, total: None
    )
    return store, found
