"""Instances followed through a shot from their key frames, whoever found them; then their mattes written."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment import edges
from stylebridge_server.segment.colours import Palette
from stylebridge_server.segment.interface import Flow, FrameReader, MatteStore, Parts, Progress
from stylebridge_server.segment.merge import between
from stylebridge_server.segment.pair import SMALLEST_FLOW
from stylebridge_server.segment.parts import hashed, large, packed, pieces, small, unpacked
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey, reached, survey
from stylebridge_server.segment.sweep import Sweep, exclusive
from stylebridge_server.values import Instance, Plane, Rgb8

WORKING_SIDE = 360  # short side at which instances are cut out
WORKING_LENGTH = 1280  # and the most that the long side may have
HELD_BYTES = 48 << 20  # full frames held while reading towards the start
HELD_FRAMES = 16
HELD_SURVEYS = 4

FORWARD, BACKWARD, KEY = 0, 1, 2

Keys = dict[int, list[int]]  # frame -> instances whose label is given there; the labels lie in the spool
Presence = Mapping[
    int, Sequence[tuple[int, int]]
]  # instance -> first and last of frames on which it is followed


def working_size(height: int, width: int) -> tuple[int, int]:
    """Size (h, w) at which instances are cut out and followed; never larger than the picture."""
    scale = min(1.0, WORKING_SIDE / min(height, width), WORKING_LENGTH / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


class Surveys:
    """What other frames of a scene show of its frames; made when it is asked for, the last few are held."""

    def __init__(self, run: Run, first: int, last: int) -> None:
        self._run, self._first, self._last = run, first, last
        self._held: dict[int, Survey | None] = {}

    def __call__(self, number: int) -> Survey | None:
        if number not in self._held:
            if len(self._held) >= HELD_SURVEYS:
                self._held.pop(next(iter(self._held)))
            self._held[number] = survey(
                number, self._first, self._last, self._run.at, self._run.flow, SMALLEST_FLOW
            )
        return self._held[number]

    def contents(self, number: int) -> list[str]:
        """The names of all pictures that a survey depends on."""
        return [self._run.content(n) for n in [number, *reached(number, self._first, self._last)]]


class Run:
    """One call of `track`: what it was given, and the count of its steps.

    Attributes:
        size: (h, w), the working size.
        parts: kept from one call to the next.
        method: names how everything is made.
        total: steps in all; whoever plans the work sets it.
    """

    def __init__(
        self,
        frames: FrameReader,
        flow: Flow,
        store: MatteStore,
        progress: Progress,
        parts: Parts,
        method: str,
    ) -> None:
        """See `Segmenter.track`; `method` is its checksum."""
        self.flow, self.parts, self.method = flow, parts, method
        self._frames, self._store, self._progress = frames, store, progress
        self._height, self._width = frames.size
        self.size = working_size(self._height, self._width)
        self._done, self.total = 0, 0
        self._seen: dict[int, list[float]] = {}  # instance -> first, last, frames, sum of areas

    def sweep(
        self,
        direction: int,
        numbers: range,
        keys: Keys,
        spool: Spool,
        within: Presence,
        surveys: Surveys | None = None,
        rivals: Mapping[int, Sequence[Palette]] | None = None,
    ) -> None:
        """Follow instances in one direction, each by itself, from key frame to key frame.

        Args:
            direction: FORWARD or BACKWARD.
            numbers: the frames, in that direction; one step each.
            keys: frames and instances whose label is in the spool under KEY; a track starts anew at each.
            spool: holds the key labels, and takes those of this direction.
            within: frames on which each instance is followed; on others, and before its first key, it has no label.
            surveys: of the key frames, where there are any.
            rivals: by instance, colours of others, that it is not to be taken for when it comes back.
        """
        busy = [n for n in numbers if any(present(within, i, n) for i in within)]
        for run in _runs(busy, numbers.step):
            sweep = Sweep(self.flow, apart=True, rivals=rivals)
            for number, rgb in self.read(run):
                for i in within:
                    if not present(within, i, number):
                        sweep.forget(i)
                starting = [i for i in keys.get(number, []) if present(within, i, number)]
                given = {i: key_label(spool, i, number) for i in starting}
                around = {i: surveys(number) for i in starting} if surveys is not None else {}
                for i, here in sweep.step(self.small(rgb), given, around).items():
                    spool.put(direction, i, number, here)
                self.tick()
        for _ in range(len(numbers) - len(busy)):
            self.tick()

    def finish(
        self, first: int, last: int, keys: Keys, ids: Mapping[int, int], spool: Spool, within: Presence
    ) -> None:
        """Make one label of what both directions found of each instance, and write mattes, under their `ids`."""

        def label(instance: int, number: int) -> Plane | None:
            if not present(within, instance, number):
                return None
            own = [frame for frame, given in keys.items() if instance in given]
            ahead, back = (spool.get(way, instance, number) for way in (FORWARD, BACKWARD))
            return between(number, own, ahead, back)

        self.write(first, last, ids, label)

    def write(
        self, first: int, last: int, ids: Mapping[int, int], label: Callable[[int, int], Plane | None]
    ) -> None:
        """Bring labels to full resolution with soft edges and hand them to the store, under their `ids`.

        What overlaps goes to who is surer of it: that, and the edges, are decided on every frame for itself. Mattes
        that were made of the same pictures and labels before are taken from the parts.

        Args:
            first, last: frames, inclusive; one step each.
            ids: instances, and the ids under which the store gets them.
            label: gives an instance's label on a frame, (h, w) in [0, 1].
        """
        for part in pieces(first, last):
            labels: list[dict[int, bytes]] = []
            for number in part:
                here = {i: label(i, number) for i in ids}
                labels.append({i: small(one) for i, one in here.items() if one is not None and one.any()})
            contents = [self.content(number) for number in part]
            name = hashed("mattes", self.method, self._height, self._width, contents, list(ids), labels)
            kept = self.parts.get(name)
            made: list[dict[int, bytes]] = [] if kept is None else unpacked(kept)
            if not made:
                for number, shown in zip(part, labels, strict=True):
                    mattes = self._mattes(number, {i: large(one, self.size) for i, one in shown.items()})
                    made.append({i: zlib.compress(matte.tobytes(), 1) for i, matte in mattes.items()})
                    self.tick()
                self.parts.put(name, packed(made))
            else:
                for _ in part:
                    self.tick()
            for number, frame in zip(part, made, strict=True):
                for i, data in frame.items():
                    matte = np.frombuffer(zlib.decompress(data), np.uint8).reshape(self._height, self._width)
                    self._write(ids[i], number, matte)

    def _mattes(self, number: int, labels: Mapping[int, Plane]) -> dict[int, NDArray[np.uint8]]:
        """Mattes (H, W) of the instances of one frame that are seen; together at most 255."""
        if not labels:
            return {}
        rgb = self._frames.read(number)
        room = np.full((self._height, self._width), 255, np.uint8)
        out = {}
        for i, label in exclusive(labels).items():
            out[i] = np.minimum(edges.matte(rgb, label), room)
            room -= out[i]
        return out

    def content(self, number: int) -> str:
        """The name of a frame's picture."""
        return self._frames.content(number)

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

    def full(self, number: int) -> Rgb8:
        """A frame at full resolution."""
        return self._frames.read(number)

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


def present(within: Presence, instance: int, number: int) -> bool:
    """Whether an instance is followed on a frame."""
    return any(begins <= number <= ends for begins, ends in within.get(instance, ()))


def key_label(spool: Spool, instance: int, number: int) -> Plane:
    """The label that is given on a key frame."""
    label = spool.get(KEY, instance, number)
    assert label is not None
    return label


def _runs(numbers: Sequence[int], step: int) -> Iterator[range]:
    """Frames in the order given, as ranges without gaps."""
    begin = 0
    for k in range(1, len(numbers) + 1):
        if k == len(numbers) or numbers[k] != numbers[k - 1] + step:
            yield range(numbers[begin], numbers[k - 1] + step, step)
            begin = k
