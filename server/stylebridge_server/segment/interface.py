"""What the segment room takes and gives: the reader of frames, the store of mattes, the segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import FlowPair, Instance, Prompt, Rgb8

Flow = Callable[[Rgb8, Rgb8], FlowPair]
"""Optical flow between two pictures a and b of one size, (h, w, 3) uint8 RGB."""

Progress = Callable[[int, int], None]
"""Steps done, steps in all; raises where nobody wants the result any more."""


class FrameReader(Protocol):
    """Random access to a shot's pictures; each is read a few times, mostly in rising order."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of every frame."""

    def read(self, number: int) -> Rgb8:
        """The frame of that number: (H, W, 3) uint8 RGB at full resolution."""

    def content(self, number: int) -> str:
        """A name of what `read` gives for that number: equal names, equal pictures. Cheap; reads no picture."""


class MatteStore(Protocol):
    """Takes the mattes as they are made. A frame that is never put has an empty matte."""

    def put(self, instance: int, frame: int, matte: NDArray[np.uint8]) -> None:
        """Keep the soft matte, (H, W) uint8 at full resolution, 255 where the instance covers the pixel."""


class Parts(Protocol):
    """Keeps parts of a shot's tracking between calls of `track`, so that a correction costs only what it changes.

    What is kept is a pure function of what its name is a hash of, so any of it may be lost at any time.
    """

    def get(self, name: str) -> bytes | None:
        """What was put under that name, or None."""

    def put(self, name: str, data: bytes) -> None:
        """Keep `data`, at most a few hundred frames' worth of labels or mattes, under a hexadecimal name."""


class Forgetful:
    """Parts that are never kept."""

    def get(self, name: str) -> bytes | None:
        return None

    def put(self, name: str, data: bytes) -> None:
        pass


FORGETFUL = Forgetful()


class Segmenter(Protocol):
    """Finds or follows instances through a shot.

    Attributes:
        name: the back end's name, as it is recorded in the analysis ("auto" is resolved).
        checksum: changes whenever the same input would give other mattes.
        memory: bytes that its network takes at its peak, beside what following takes.
    """

    name: str
    checksum: str
    memory: int

    def track(
        self,
        frames: FrameReader,
        scenes: Sequence[tuple[int, int]],
        prompts: Sequence[Prompt],
        flow: Flow,
        store: MatteStore,
        progress: Progress,
        parts: Parts = FORGETFUL,
    ) -> list[Instance]:
        """Write a soft matte of every instance on every frame where it is seen, and list the instances.

        Args:
            frames: the shot's pictures.
            scenes: first and last frame of each scene, inclusive, in rising order; a cut ends every track.
            prompts: what to follow; prompts of one name are key frames of one instance. Empty: find.
            flow: optical flow, asked for pairs of neighbouring frames at a working size.
            store: receives the mattes, each (instance, frame) at most once.
            progress: called after every step; parts that were kept count as steps at once.
            parts: where labels of spans between key frames, and mattes, are kept from one call to the next.

        Returns:
            The instances in the order of their ids; empty where nothing was found.

        Raises:
            StylebridgeError: a prompt that cannot be used (`Code.BAD_VALUE`), and what `progress` raises.
        """
