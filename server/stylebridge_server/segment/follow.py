"""Instances followed through a shot from their key frames, whoever found them; then their mattes written."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment import edges
from stylebridge_server.segment.interface import Flow, FrameReader, MatteStore, Progress
from stylebridge_server.segment.merge import between
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey, survey
from stylebridge_server.segment.sweep import SMALLEST_FLOW, Sweep
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8

WORKING_SIDE = 360  # short side at which instances are cut out
WORKING_LENGTH = 1280  # and the most that the long side may have
HELD_BYTES = 48 << 20  # full frames held while reading towards the start
HELD_FRAMES = 16

FORWARD, BACKWARD, KEY = 0, 1, 2

Keys = dict[int, list[int]]  # frame -> instances whose label is given there; the labels lie in the spool
Spans = Mapping[
    int, Sequence[tuple[int, int]]
]  # instance -> first and last of frames on which it is believed
Marker = Callable[[int, Rgb8, Sequence[Prompt], "Survey | None"], "tuple[Plane, str | None]"]
"""From frame number, its picture at full resolution, prompts of one name there and the survey of the frame to a label
(h, w) at working size, at least one pixel 1, and the class of the thing where it is known."""


def working_size(height: int, width: int) -> tuple[int, int]:
    """Size (h, w) at which instances are cut out and followed; never larger than the picture."""
    scale = min(1.0, WORKING_SIDE / min(height, width), WORKING_LENGTH / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


class Run:
    """One call of `track`: what it was given, and the count of its steps.

    Attributes:
        size: (h, w), the working size.
        total: steps in all; whoever plans the work sets it.
    """

    def __init__(self, frames: FrameReader, flow: Flow, store: MatteStore, progress: Progress) -> None:
        self.flow = flow
        self._frames, self._store, self._progress = frames, store, progress
        self._height, self._width = frames.size
        self.size = working_size(self._height, self._width)
        self._done, self.total = 0, 0
        self._seen: dict[int, list[float]] = {}  # instance -> first, last, frames, sum of areas

    def prompted(
        self, scenes: Sequence[tuple[int, int]], prompts: Sequence[Prompt], mark: Marker
    ) -> list[Instance]:
        """Follow what the prompts point at, whose labels `mark` gives.

        Raises:
            StylebridgeError: BAD_VALUE where a prompt finds nothing; and as `mark` does.
        """
        names = list(dict.fromkeys(prompt.name for prompt in prompts))
        ids = {name: i + 1 for i, name in enumerate(names)}
        classes: dict[int, str] = {}
        per_scene = [(a, b, [p for p in prompts if a <= p.frame <= b]) for a, b in scenes]
        per_scene = [scene for scene in per_scene if scene[2]]
        self.total = sum(_steps(a, b, own) for a, b, own in per_scene)
        for first, last, own in per_scene:
            keys: Keys = {}
            arounds: dict[int, Survey | None] = {}
            with Spool(*self.size) as spool:
                for frame in sorted({p.frame for p in own}):
                    arounds[frame] = survey(frame, first, last, self.at, self.flow, SMALLEST_FLOW)
                    for name in names:
                        group = [p for p in own if p.frame == frame and p.name == name]
                        if group:
                            label, kind = mark(frame, self._frames.read(frame), group, arounds[frame])
                            spool.put(KEY, ids[name], frame, label)
                            keys.setdefault(frame, []).append(ids[name])
                            if kind is not None:
                                classes.setdefault(ids[name], kind)
                self._scene(first, last, keys, arounds, spool)
        for prompt in prompts:
            if ids[prompt.name] not in self._seen:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"The prompt {prompt.name!r} on frame {prompt.frame} finds nothing that stands out there: move it "
                    "onto the thing, or add points.",
                )
        return [self.instance(ids[name], name, classes.get(ids[name])) for name in names]

    def _scene(
        self, first: int, last: int, keys: Keys, arounds: Mapping[int, Survey | None], spool: Spool
    ) -> None:
        """Follow the instances of one scene from their key frames both ways, then write their mattes."""
        for direction in _directions(keys):
            ahead = range(min(keys), last + 1)
            numbers = ahead if direction == FORWARD else range(max(keys), first - 1, -1)
            self.sweep(direction, numbers, keys, arounds, spool)
        self.finish(first, last, keys, {i: i for given in keys.values() for i in given}, spool)

    def sweep(
        self,
        direction: int,
        numbers: range,
        keys: Keys,
        arounds: Mapping[int, Survey | None],
        spool: Spool,
        spans: Spans | None = None,
    ) -> None:
        """Follow the instances in one direction; what the other found stands in for those not met yet.

        Args:
            direction: FORWARD or BACKWARD.
            numbers: the frames, in that direction.
            keys: frames and instances whose label is in the spool under KEY.
            arounds: surveys of key frames, where there are any.
            spool: holds the labels of either direction, and takes those of this.
            spans: frames beyond which an instance is let go, which come from a network that tells who comes back;
                None for none.
        """
        instances = sorted({i for given in keys.values() for i in given})
        sweep = Sweep(self.flow, returns=spans is None)
        for number, rgb in self.read(numbers):
            opposite = {i: spool.get(1 - direction, i, number) for i in instances}
            others = {
                i: label for i, label in opposite.items() if label is not None and _believed(spans, i, number)
            }
            given = {i: self._key(spool, i, number) for i in keys.get(number, [])}
            for i in instances:
                if not _believed(spans, i, number):
                    sweep.forget(i)
            for i, here in sweep.step(self.small(rgb), given, others, arounds.get(number)).items():
                spool.put(direction, i, number, here)
            self.tick()

    @staticmethod
    def _key(spool: Spool, instance: int, number: int) -> Plane:
        label = spool.get(KEY, instance, number)
        assert label is not None
        return label

    def finish(
        self,
        first: int,
        last: int,
        keys: Keys,
        ids: Mapping[int, int],
        spool: Spool,
        spans: Spans | None = None,
    ) -> None:
        """Bring the labels to full resolution with soft edges and hand them to the store, under their `ids`."""
        for number in range(first, last + 1):
            rgb = self._frames.read(number)
            room = np.full((self._height, self._width), 255, np.uint8)
            for i, name in ids.items():
                if not _believed(spans, i, number):
                    continue
                own = [frame for frame, given in keys.items() if i in given]
                label = between(number, own, spool.get(FORWARD, i, number), spool.get(BACKWARD, i, number))
                if label is not None:
                    matte = np.minimum(edges.matte(rgb, label), room)
                    room -= matte
                    self._write(name, number, matte)
            self.tick()

    def read(self, numbers: range) -> Iterator[tuple[int, Rgb8]]:
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

    def at(self, number: int) -> Rgb8:
        """A frame at working size."""
        return self.small(self._frames.read(number))

    def small(self, rgb: Rgb8) -> Rgb8:
        """A picture at working size."""
        h, w = self.size
        if (h, w) == rgb.shape[:2]:
            return rgb
        return np.asarray(cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA), np.uint8)

    def tick(self, steps: int = 1) -> None:
        """Say that so many more steps are done."""
        self._done += steps
        self._progress(self._done, self.total)

    def seen(self, instance: int) -> bool:
        """Whether any matte of an instance was written."""
        return instance in self._seen

    def _write(self, instance: int, frame: int, matte: NDArray[np.uint8]) -> None:
        area = float((matte >= 128).mean())
        if not matte.any():
            return
        self._store.put(instance, frame, matte)
        seen = self._seen.setdefault(instance, [frame, frame, 0, 0.0])
        seen[0], seen[1] = min(seen[0], frame), max(seen[1], frame)
        seen[2], seen[3] = seen[2] + 1, seen[3] + area

    def instance(self, number: int, name: str, label: str | None = None) -> Instance:
        """An instance whose mattes were written."""
        first, last, count, total = self._seen[number]
        colour = colorsys.hsv_to_rgb((0.58 + 0.381966 * (number - 1)) % 1, 0.75, 1.0)
        r, g, b = (round(255 * c) for c in colour)
        return Instance(number, name, label, (r, g, b), number, int(first), int(last), total / count)


def _believed(spans: Spans | None, instance: int, number: int) -> bool:
    return spans is None or any(begins <= number <= ends for begins, ends in spans[instance])


def _directions(keys: Keys) -> list[int]:
    """The sweeps of a scene; the second knows what the first found of instances that it meets later.

    Where instances start on different frames the first sweep lacked those that start later; it is done again.
    """
    firsts = {min(f for f, given in keys.items() if i in given) for given in keys.values() for i in given}
    return [FORWARD, BACKWARD] if len(firsts) == 1 else [FORWARD, BACKWARD, FORWARD]


def _steps(first: int, last: int, prompts: Sequence[Prompt]) -> int:
    """Steps of `Run._scene`: the sweeps and the writing."""
    frames = {prompt.frame for prompt in prompts}
    starts = {min(p.frame for p in prompts if p.name == prompt.name) for prompt in prompts}
    ahead, back = last - min(frames) + 1, max(frames) - first + 1
    return ahead * (1 if len(starts) == 1 else 2) + back + (last - first + 1)
