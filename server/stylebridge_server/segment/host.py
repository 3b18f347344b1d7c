"""Mattes that the user brings, as instances beside those that a segmenter finds."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment.interface import FORGETFUL, Flow, FrameReader, MatteStore, Parts, Progress
from stylebridge_server.values import GivenMatte, Instance, Prompt


class Host:
    """The back end for shots whose mattes are all given: finds nothing, and refuses prompts. See `Segmenter`."""

    name = "host"
    checksum = "host"
    memory = 0

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
        """No instances."""
        if prompts:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The segmenter 'host' takes mattes that are given and cannot follow prompt {prompts[0].name!r}; "
                "choose 'auto', or remove the prompt.",
            )
        return []


class Beside:
    """A store in which a segmenter's instances come after those that were given."""

    def __init__(self, store: MatteStore, given: int) -> None:
        self._store, self._given = store, given

    def put(self, instance: int, frame: int, matte: NDArray[np.uint8]) -> None:
        """See `MatteStore`."""
        self._store.put(instance + self._given, frame, matte)


def write_given(
    mattes: Sequence[GivenMatte],
    found: Sequence[Instance],
    frames: range,
    store: MatteStore,
    progress: Progress,
) -> list[Instance]:
    """Write the given mattes, under ids from 1 on in their order; instances that were found come after them.

    Args:
        mattes: what is given, for every one of the frames.
        found: by a segmenter, with its own ids.
        frames: of the shot.
        store: receives the mattes.
        progress: called after every frame of every matte.

    Returns:
        All instances, in the order of their ids.
    """
    top = max([one.z for one in found] + [one.z for one in mattes if one.z is not None], default=0)
    given = []
    for place, matte in enumerate(mattes):
        first, last, seen, area = frames[-1], frames[0], 0, 0.0
        for done, number in enumerate(frames):
            plane = matte.read(number)
            if plane.any():
                store.put(place + 1, number, plane)
                first, last, seen = min(first, number), max(last, number), seen + 1
                area += float((plane >= 128).mean())
            progress(place * len(frames) + done + 1, len(mattes) * len(frames))
        z = top + 1 + place if matte.z is None else matte.z
        given.append(
            Instance(
                place + 1, matte.name, None, _colour(place), z, first, last, area / seen if seen else 0.0
            )
        )
        if not seen:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The matte {matte.name!r} is empty on every frame from {frames[0]} to {frames[-1]}; name another "
                "channel or file, or remove it.",
            )
    return [*given, *(replace(one, id=one.id + len(given)) for one in found)]


def _colour(place: int) -> tuple[int, int, int]:
    """Colours apart from one another, and from those of what is found."""
    r, g, b = colorsys.hsv_to_rgb((0.08 + 0.381966 * place) % 1, 0.6, 1.0)
    return round(255 * r), round(255 * g), round(255 * b)
