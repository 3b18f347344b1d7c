"""A part of a small shot rendered in a process of its own; prints a hash for each frame.

`ordered.py COUNT BYTES FRAME ...`: BYTES is what each cache may hold; they start empty.

The shot is a texture that pans, with a cut in the middle and every seventh frame a repeat; the style is the network's
own, by the first preset.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction

import cv2
import numpy as np

from stylebridge_server import style
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.shot import Shot
from stylebridge_server.shot.streams import Streams, StreamSpec, Workshop
from stylebridge_server.values import Frame, SourceInfo

HEIGHT, WIDTH = 64, 96


class Clip:
    """The shot."""

    def __init__(self, count: int) -> None:
        self.info = SourceInfo("movie", WIDTH, HEIGHT, 0, count - 1, 3, "uint8", Fraction(24))
        self.cut = count // 2
        self.repeats = [k for k in range(3, count, 7) if k != self.cut]
        self._worlds = [self._world(seed, count) for seed in (1, 2)]

    def _world(self, seed: int, count: int) -> np.ndarray:
        noise = np.random.default_rng(seed).random((HEIGHT, WIDTH + 2 * count, 3)).astype(np.float32)
        return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)

    def read(self, number: int) -> Frame:
        at = number - 1 if number in self.repeats else number
        picture = self._worlds[number >= self.cut][:, 2 * at : 2 * at + WIDTH]
        return Frame(number, np.ascontiguousarray(np.rint(picture).astype(np.uint8)))

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return f"ordered {self.info.count}"

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        pass


def hashes(count: int, numbers: Sequence[int], limit: int) -> dict[int, str]:
    """The frames asked for, in that order."""
    clip, engine = Clip(count), style.load()
    scenes = [(0, clip.cut - 1), (clip.cut, count - 1)]
    workshop = Workshop(engine, "test", Cache(limit), Cache(limit))
    streams = Streams(Shot(clip), scenes, workshop, clip.repeats)
    code = next(iter(engine.presets().values())).code
    spec = StreamSpec(style.CodeStyle(code), 1.0, 8, 1.0)
    everywhere = np.ones((HEIGHT, WIDTH), np.float32)
    return {
        number: hashlib.sha256(streams.picture(spec, number, 0.0, everywhere).tobytes()).hexdigest()
        for number in numbers
    }


def main() -> None:
    count, limit, *numbers = map(int, sys.argv[1:])
    for number, said in hashes(count, numbers, limit).items():
        print(number, said)


if __name__ == "__main__":
    main()
