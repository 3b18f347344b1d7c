"""What a network for one style learns from: pictures, and pairs of neighbouring frames with the flow between them.

Everything is read when it is asked for, so a folder may hold more than memory does; what is drawn is a function of the
generator given, so a run can be resumed and repeated.
"""

from __future__ import annotations

import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import colour, media, temporal

from .pictures import Rgb8, find, load

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class FramePair:
    """Two neighbouring frames of one size.

    Attributes:
        earlier, later: (H, W, 3) uint8 RGB.
        flow: (H, W, 2) float32 pixels (x, y): what `later` shows at p, `earlier` shows at p + flow[p].
        mask: (H, W) float32, 1 where that holds, 0 where `earlier` does not show it.
    """

    earlier: Rgb8
    later: Rgb8
    flow: NDArray[np.float32]
    mask: Plane


class PairSource(ABC):
    """Numbered pairs. `pair` may be called from several threads."""

    name: str

    @property
    @abstractmethod
    def count(self) -> int:
        """How many pairs there are."""

    @abstractmethod
    def pair(self, number: int) -> FramePair:
        """The pair of that number, 0 to `count` - 1; StylebridgeError where it cannot be read."""


class FrameFolder(PairSource):
    """Folders of frames: the pictures of one folder, in the order of their names, are one shot."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        pictures = find(root)
        self._pairs = [(a, b) for a, b in itertools.pairwise(pictures) if a.parent == b.parent]
        if not self._pairs:
            raise StylebridgeError(
                Code.NOT_FOUND, f"{root} has no two frames in one folder: name a folder of frames."
            )

    @property
    def count(self) -> int:
        return len(self._pairs)

    def pair(self, number: int) -> FramePair:
        earlier, later = (load(path) for path in self._pairs[number])
        if earlier.shape != later.shape:
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self._pairs[number][1]} has another size than the frame before it: keep each shot in a folder "
                "of its own.",
            )
        return with_flow(earlier, later)


class Clip(PairSource):
    """A movie or a numbered sequence, as the media room opens it. Pairs over a cut are left out by their mask."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._source = media.open_source(name, deinterlace="auto")
        self._lock = threading.Lock()
        if self.count < 1:
            raise StylebridgeError(Code.NOT_FOUND, f"{name} has only one frame: name a clip.")

    @property
    def count(self) -> int:
        return min(self._source.info.last, self._source.readable_last) - self._source.info.first

    def pair(self, number: int) -> FramePair:
        first = self._source.info.first + number
        with self._lock:  # a source is for one thread at a time
            frames = [self._source.read(first + i).pixels for i in (0, 1)]
        earlier, later = (colour.from_working(colour.to_working(f), np.dtype(np.uint8)) for f in frames)
        return with_flow(earlier, later)


def with_flow(earlier: Rgb8, later: Rgb8) -> FramePair:
    """The pair with the flow that the temporal room finds between the two."""
    pair = temporal.flow_pair(later, earlier, temporal.occlusion)
    return FramePair(earlier, later, pair.forward, pair.forward_valid)


class Pictures:
    """Pictures under folders."""

    def __init__(self, folders: Sequence[Path], held_out: tuple[str, ...] = ()) -> None:
        self.paths = [path for folder in folders for path in find(folder, held_out)]
        if not self.paths:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"No pictures in {', '.join(map(str, folders))}: name a folder of photographs.",
            )

    def draw(self, rng: np.random.Generator, side: int, smallest: float) -> Rgb8:
        """A square piece of a picture, (side, side, 3), at least `smallest` of its short side, sometimes mirrored.

        A file that cannot be read is passed over for the next one.
        """
        number = int(rng.integers(len(self.paths)))
        for i in range(len(self.paths)):
            try:
                picture = load(self.paths[(number + i) % len(self.paths)])
                break
            except StylebridgeError:
                continue
        else:
            raise StylebridgeError(
                Code.NOT_READABLE, f"None of {len(self.paths)} pictures can be read: name another folder."
            )
        x, y, part = _square(rng, picture.shape[:2], smallest)
        piece = _sized(picture[y : y + part, x : x + part], side)
        return np.ascontiguousarray(piece[:, ::-1] if rng.uniform() < 0.5 else piece)


class Pairs:
    """Pairs of several sources, all pairs alike likely."""

    def __init__(self, sources: Sequence[PairSource]) -> None:
        self.sources = list(sources)
        self._ends = np.cumsum([source.count for source in self.sources])

    def draw(self, rng: np.random.Generator, side: int, smallest: float) -> FramePair:
        """The same square piece of both frames, as `Pictures.draw`, the flow in its own pixels."""
        number = int(rng.integers(self._ends[-1]))
        which = int(np.searchsorted(self._ends, number, "right"))
        source = self.sources[which]
        return cut(source.pair(number - int(self._ends[which]) + source.count), rng, side, smallest)


def cut(pair: FramePair, rng: np.random.Generator, side: int, smallest: float) -> FramePair:
    """A square piece of a pair, (side, side). What the flow leads out of the piece is not believed."""
    x, y, part = _square(rng, pair.later.shape[:2], smallest)
    box = (slice(y, y + part), slice(x, x + part))
    earlier, later = (_sized(frame[box], side) for frame in (pair.earlier, pair.later))
    flow = _sized(pair.flow[box], side) * np.float32(side / part)
    mask = _sized(pair.mask[box], side) * temporal.inside_picture(flow)
    if rng.uniform() < 0.5:
        flow = flow * np.array([-1, 1], np.float32)
        return FramePair(*(np.ascontiguousarray(a[:, ::-1]) for a in (earlier, later, flow, mask)))
    return FramePair(earlier, later, flow, mask)


def _square(rng: np.random.Generator, size: tuple[int, ...], smallest: float) -> tuple[int, int, int]:
    """x, y and side of a random square in a picture of this size (height, width)."""
    short = min(size)
    part = max(1, round(short * rng.uniform(smallest, 1.0)))
    y, x = (int(rng.integers(n - part + 1)) for n in size)
    return x, y, part


Array = TypeVar("Array", bound=np.ndarray)


def _sized(array: Array, side: int) -> Array:
    if array.shape[0] == side:
        return array
    way = (
        cv2.INTER_AREA
        if array.shape[0] > side
        else cv2.INTER_CUBIC
        if array.dtype == np.uint8
        else cv2.INTER_LINEAR
    )
    resized: Array = cv2.resize(array, (side, side), interpolation=way)
    return resized


Value = TypeVar("Value")


class Ahead(Generic[Value]):
    """Makes the values of the steps to come in threads, while the present one is used.

    Args:
        make: a pure function of the step's number.
        threads: 0 makes each value when it is asked for.
    """

    def __init__(self, make: Callable[[int], Value], threads: int) -> None:
        self._make, self._depth = make, 2 * threads
        self._pool = ThreadPoolExecutor(threads, "stylebridge-read") if threads else None
        self._coming: dict[int, Future[Value]] = {}

    def get(self, step: int) -> Value:
        if self._pool is None:
            return self._make(step)
        for number in range(step, step + self._depth + 1):
            if number not in self._coming:
                self._coming[number] = self._pool.submit(self._make, number)
        return self._coming.pop(step).result()

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
