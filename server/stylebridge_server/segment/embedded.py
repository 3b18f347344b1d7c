"""The back end without weights: graph cut on the prompted frames, optical flow and colour between them."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment import discover, edges
from stylebridge_server.segment import prompts as prompting
from stylebridge_server.segment.interface import Cancelled, Flow, FrameReader, MatteStore, Progress
from stylebridge_server.segment.merge import between
from stylebridge_server.segment.planes import plane
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey, survey
from stylebridge_server.segment.sweep import SMALLEST_FLOW, Sweep
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8

WORKING_SIDE = 360  # short side at which instances are cut out
WORKING_LENGTH = 1280  # and the most that the long side may have
HELD_BYTES = 48 << 20  # full frames held while reading towards the start
HELD_FRAMES = 16

FORWARD, BACKWARD = 0, 1
LEAST_FRAMES = 5  # that a thing found without prompts must be seen on

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
        run = _Run(frames, flow, store, progress, cancelled)
        if not prompts:
            return run.alone(scenes)
        prompting.check(prompts, scenes, frames.size)
        return run.prompted(scenes, prompts)


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
        self._total = sum(_steps(a, b, own) for a, b, own in per_scene)
        for first, last, own in per_scene:
            keys: Keys = {}
            arounds: dict[int, Survey | None] = {}
            for frame in sorted({p.frame for p in own}):
                small = self._at(frame)
                arounds[frame] = survey(frame, first, last, self._at, self._flow, SMALLEST_FLOW)
                here = {ids[n]: [p for p in own if p.frame == frame and p.name == n] for n in names}
                keys[frame] = {
                    i: prompting.label(small, group, arounds[frame]) for i, group in here.items() if group
                }
            self._scene(first, last, keys, arounds)
        for prompt in prompts:
            if ids[prompt.name] not in self._seen:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"The prompt {prompt.name!r} on frame {prompt.frame} finds nothing that stands out there: move it "
                    "onto the thing, or add points.",
                )
        return [self._instance(ids[name], name) for name in names]

    def alone(self, scenes: Sequence[tuple[int, int]]) -> list[Instance]:
        self._total = 3 * sum(last - first + 1 for first, last in scenes)
        found = 0
        for first, last in scenes:
            with Spool(*self._size) as spool:
                keys = self._scout(first, last, spool)
                if not keys:
                    self._tick(2 * (last - first + 1))
                    continue
                self._sweep(BACKWARD, range(last, first - 1, -1), keys, {}, spool)
                # What was seen for a moment only is more likely an error than a thing.
                order = sorted({i for given in keys.values() for i in given})
                least = min(last - first + 1, LEAST_FRAMES)
                lasting = [i for i in order if spool.lasts(i) >= least]
                ids = {i: found + k + 1 for k, i in enumerate(lasting)}
                found += len(ids)
                self._finish(first, last, keys, ids, spool)
        return [self._instance(i, f"thing:{i}") for i in range(1, found + 1) if i in self._seen]

    def _scout(self, first: int, last: int, spool: Spool) -> Keys:
        """Sweep a scene forward, looking for new things every few frames: key frames for the way back."""
        sweep, keys, count = Sweep(self._flow), Keys(), 0
        for number, rgb in self._read(range(first, last + 1)):
            small = self._small(rgb)
            here = sweep.step(small, {}, {}, None)
            due = (number - first) % discover.PROBE == min(discover.PROBE, last - first + 1) // 2
            if due and count < discover.MOST:
                around = survey(number, first, last, self._at, self._flow, SMALLEST_FLOW)
                known = plane(sum(here.values(), np.zeros(self._size, np.float32)))
                things = discover.moving(number, small, around, known, discover.MOST - count)
                if not things and not count and around is None:
                    alone = discover.standing_out(number, small)
                    things = [] if alone is None else [alone]
                for thing in things:
                    count += 1
                    keys.setdefault(number, {})[count] = sweep.add(count, thing)
                here = here | keys.get(number, {})
            for i, label in here.items():
                spool.put(FORWARD, i, number, label)
            self._tick()
        return keys

    def _scene(self, first: int, last: int, keys: Keys, arounds: dict[int, Survey | None]) -> None:
        """Follow the instances of one scene from their key frames both ways, then write their mattes."""
        with Spool(*self._size) as spool:
            for direction in _directions(keys):
                ahead = range(min(keys), last + 1)
                numbers = ahead if direction == FORWARD else range(max(keys), first - 1, -1)
                self._sweep(direction, numbers, keys, arounds, spool)
            ids = {i: i for given in keys.values() for i in given}
            self._finish(first, last, keys, ids, spool)

    def _sweep(
        self, direction: int, numbers: range, keys: Keys, arounds: dict[int, Survey | None], spool: Spool
    ) -> None:
        """Follow the instances in one direction; what the other found stands in for those not met yet."""
        instances = sorted({i for given in keys.values() for i in given})
        sweep = Sweep(self._flow)
        for number, rgb in self._read(numbers):
            opposite = {i: spool.get(1 - direction, i, number) for i in instances}
            others = {i: label for i, label in opposite.items() if label is not None}
            given, around = keys.get(number, {}), arounds.get(number)
            for i, here in sweep.step(self._small(rgb), given, others, around).items():
                spool.put(direction, i, number, here)
            self._tick()

    def _finish(self, first: int, last: int, keys: Keys, ids: dict[int, int], spool: Spool) -> None:
        """Bring the labels to full resolution with soft edges and hand them to the store, under their ids."""
        for number in range(first, last + 1):
            rgb = self._frames.read(number)
            room = np.full((self._height, self._width), 255, np.uint8)
            for i, name in ids.items():
                own = [frame for frame, given in keys.items() if i in given]
                label = between(number, own, spool.get(FORWARD, i, number), spool.get(BACKWARD, i, number))
                if label is not None:
                    matte = np.minimum(edges.matte(rgb, label), room)
                    room -= matte
                    self._write(name, number, matte)
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

    def _at(self, number: int) -> Rgb8:
        """A frame at working size."""
        return self._small(self._frames.read(number))

    def _small(self, rgb: Rgb8) -> Rgb8:
        h, w = self._size
        if (h, w) == rgb.shape[:2]:
            return rgb
        return np.asarray(cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA), np.uint8)

    def _tick(self, steps: int = 1) -> None:
        if self._cancelled():
            raise StylebridgeError(Code.CANCELLED, "Finding the instances was cancelled.")
        self._done += steps
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


def _directions(keys: Keys) -> list[int]:
    """The sweeps of a scene; the second knows what the first found of instances that it meets later.

    Where instances start on different frames the first sweep lacked those that start later; it is done again.
    """
    firsts = {min(f for f, given in keys.items() if i in given) for given in keys.values() for i in given}
    return [FORWARD, BACKWARD] if len(firsts) == 1 else [FORWARD, BACKWARD, FORWARD]


def _steps(first: int, last: int, prompts: Sequence[Prompt]) -> int:
    """Steps of `_Run._scene`: the sweeps and the writing."""
    frames = {prompt.frame for prompt in prompts}
    starts = {min(p.frame for p in prompts if p.name == prompt.name) for prompt in prompts}
    ahead, back = last - min(frames) + 1, max(frames) - first + 1
    return ahead * (1 if len(starts) == 1 else 2) + back + (last - first + 1)
