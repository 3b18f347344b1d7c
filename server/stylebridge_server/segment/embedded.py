"""The back end without weights: graph cut on the prompted frames, optical flow and colour between them."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment import edges
from stylebridge_server.segment import prompts as prompting
from stylebridge_server.segment.interface import Cancelled, Flow, FrameReader, MatteStore, Progress
from stylebridge_server.segment.merge import between
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.sweep import Sweep
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8

WORKING_SIDE = 360  # short side at which instances are cut out
WORKING_LENGTH = 1280  # and the most that the long side may have
HELD_BYTES = 48 << 20  # full frames held while reading towards the start
HELD_FRAMES = 16

FORWARD, BACKWARD = 0, 1
Keys = dict[int, dict[int, Plane]]  # frame -> instance -> label


def working_size(height: int, width: int) -> tuple[int, int]:
    """Size (h, w) at which instances are cut out and followed; never larger than the picture."""
    scale = min(1.0, WORKING_SIDE / min(height, width), WORKING_LENGTH / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


class Embedded:
    """See `Segmenter`."""

    name = "embedded"
    checksum = "embedded-1"

    def track(
        self,
        frames: FrameReader,
        scenes: Sequence[tuple[int, int]],
        prompts: Sequence[Prompt],
        flow: Flow,
        store: MatteStore,
        progress: Progress,
        cancelled: Cancelled,
    ) -> list[Instance]:
        """See `Segmenter.track`."""
        if not scenes:
            return []
        if not prompts:
            return []
        prompting.check(prompts, scenes, frames.size)
        return _Run(frames, flow, store, progress, cancelled).prompted(scenes, prompts)


class _Run:
    """One call of `track`: what it was given, and the count of its steps."""

    def __init__(
        self, frames: FrameReader, flow: Flow, store: MatteStore, progress: Progress, cancelled: Cancelled
    ) -> None:
        self._frames, self._flow, self._store = frames, flow, store
        self._progress, self._cancelled = progress, cancelled
        self._height, self._width = frames.size
        self._size = working_size(self._height, self._width)
        self._done, self._total = 0, 0
        self._seen: dict[int, list[float]] = {}  # instance -> first, last, frames, sum of areas

    def prompted(self, scenes: Sequence[tuple[int, int]], prompts: Sequence[Prompt]) -> list[Instance]:
        names = list(dict.fromkeys(prompt.name for prompt in prompts))
        ids = {name: i + 1 for i, name in enumerate(names)}
        per_scene = [(a, b, [p for p in prompts if a <= p.frame <= b]) for a, b in scenes]
        per_scene = [scene for scene in per_scene if scene[2]]
        self._total = sum(_steps(a, b, {p.frame for p in own}) for a, b, own in per_scene)
        for first, last, own in per_scene:
            keys: Keys = {}
            for frame in sorted({p.frame for p in own}):
                small = self._small(self._frames.read(frame))
                here = {ids[n]: [p for p in own if p.frame == frame and p.name == n] for n in names}
                keys[frame] = {i: prompting.label(small, group) for i, group in here.items() if group}
            self._scene(first, last, keys)
        return [self._instance(ids[name], name) for name in names]

    def _scene(self, first: int, last: int, keys: Keys) -> None:
        """Follow the instances of one scene from their key frames both ways, then write their mattes."""
        instances = sorted({i for given in keys.values() for i in given})
        with Spool(*self._size) as spool:
            ahead, back = range(min(keys), last + 1), range(max(keys), first - 1, -1)
            for direction, numbers in ((FORWARD, ahead), (BACKWARD, back)):
                sweep = Sweep(self._flow)
                for number, rgb in self._read(numbers):
                    for i, here in sweep.step(self._small(rgb), keys.get(number, {})).items():
                        spool.put(direction, i, number, here)
                    self._tick()
            for number in range(first, last + 1):
                rgb = self._frames.read(number)
                for i in instances:
                    own = [frame for frame, given in keys.items() if i in given]
                    tracks = spool.get(FORWARD, i, number), spool.get(BACKWARD, i, number)
                    label = between(number, own, *tracks)
                    if label is not None:
                        self._write(i, number, edges.matte(rgb, label))
                self._tick()

    def _read(self, numbers: range) -> Iterator[tuple[int, Rgb8]]:
        """Frames in the order asked for; towards the start in short runs, each read in rising order."""
        if numbers.step > 0:
            for number in numbers:
                yield number, self._frames.read(number)
            return
        run = max(1, min(HELD_FRAMES, HELD_BYTES // (self._height * self._width * 3)))
        for begin in range(0, len(numbers), run):
            part = numbers[begin : begin + run]
            held = {number: self._frames.read(number) for number in reversed(part)}
            for number in part:
                yield number, held.pop(number)

    def _small(self, rgb: Rgb8) -> Rgb8:
        h, w = self._size
        if (h, w) == rgb.shape[:2]:
            return rgb
        return np.asarray(cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA), np.uint8)

    def _tick(self) -> None:
        if self._cancelled():
            raise StylebridgeError(Code.CANCELLED, "Finding the instances was cancelled.")
        self._done += 1
        self._progress(self._done, self._total)

    def _write(self, instance: int, frame: int, matte: np.ndarray) -> None:
        area = float((matte >= 128).mean())
        if not matte.any():
            return
        self._store.put(instance, frame, matte)
        seen = self._seen.setdefault(instance, [frame, frame, 0, 0.0])
        seen[0], seen[1] = min(seen[0], frame), max(seen[1], frame)
        seen[2], seen[3] = seen[2] + 1, seen[3] + area

    def _instance(self, number: int, name: str) -> Instance:
        first, last, count, total = self._seen[number]
        colour = colorsys.hsv_to_rgb((0.58 + 0.381966 * (number - 1)) % 1, 0.75, 1.0)
        r, g, b = (round(255 * c) for c in colour)
        return Instance(number, name, None, (r, g, b), number, int(first), int(last), total / count)


def _steps(first: int, last: int, keys: set[int]) -> int:
    """Steps of `_Run._scene`: both sweeps and the writing."""
    return (last - min(keys) + 1) + (max(keys) - first + 1) + (last - first + 1)
