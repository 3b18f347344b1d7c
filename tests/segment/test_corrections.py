"""A correction costs the spans that touch it, and changes nothing beyond the key frames around it."""

from __future__ import annotations

import numpy as np
import pytest
from segment.scenes import Mattes, Scene, flow

from stylebridge_server import segment
from stylebridge_server.values import FlowPair, Prompt, Rgb8

COUNT, SIZE = 15, (120, 200)
KEYS = (0, 5, 12)  # of the ball, in the first analysis
CORRECTED = 9


class Kept:
    """Parts in memory.

    Attributes:
        put_now: names that were put since it was last emptied.
    """

    def __init__(self) -> None:
        self._parts: dict[str, bytes] = {}
        self.put_now: list[str] = []

    def get(self, name: str) -> bytes | None:
        return self._parts.get(name)

    def put(self, name: str, data: bytes) -> None:
        assert name not in self._parts, "nothing is made twice"
        self._parts[name] = data
        self.put_now.append(name)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(
        COUNT,
        [(22, (200, 60, 50), lambda t: (40 + 2 * t, 35)), (18, (60, 80, 210), lambda t: (150 - 2 * t, 90))],
    )


def prompts(scene: Scene, *frames: int) -> list[Prompt]:
    ball = [Prompt("ball", frame, box=scene.box(frame, 0)) for frame in frames]
    return [*ball, Prompt("other", 0, box=scene.box(0, 1))]


def followed(scene: Scene, given: list[Prompt], parts: segment.Parts) -> tuple[Mattes, set[int]]:
    """The mattes, and the frames that were followed: from or to which the flow of a neighbour was asked for."""
    asked: set[int] = set()
    numbers = {scene.read(number).tobytes(): number for number in range(COUNT)}

    def watched(a: Rgb8, b: Rgb8) -> FlowPair:
        pair = [numbers[one.tobytes()] for one in (a, b)]
        if abs(pair[1] - pair[0]) == 1:  # those of surveys, of which each key frame needs one, reach further
            asked.update(pair)
        return flow(a, b)

    store = Mattes(SIZE)
    segment.load("embedded").track(scene, [(0, COUNT - 1)], given, watched, store, lambda a, b: None, parts)
    return store, asked


def test_only_what_touches_a_correction_is_made_anew(scene: Scene) -> None:
    parts = Kept()
    before, asked = followed(scene, prompts(scene, *KEYS), parts)
    assert asked >= set(range(COUNT))

    parts.put_now.clear()
    _, again = followed(scene, prompts(scene, *KEYS), parts)
    assert not again and not parts.put_now, "nothing is followed that is there"

    matte = np.roll(scene.mattes[CORRECTED][0].astype(np.uint8) * 255, 3, 1)
    correction = [*prompts(scene, *KEYS), Prompt("ball", CORRECTED, matte=matte)]
    after, asked = followed(scene, correction, parts)
    assert asked and asked <= set(range(KEYS[1], KEYS[2] + 1)), "the spans beside it, of this instance"
    for number in range(COUNT):
        if not KEYS[1] < number < KEYS[2]:
            assert np.array_equal(before.get(1, number), after.get(1, number)), number
        assert np.array_equal(before.get(2, number), after.get(2, number)), number
    assert not np.array_equal(before.get(1, CORRECTED), after.get(1, CORRECTED))

    fresh, _ = followed(scene, correction, segment.FORGETFUL)
    for number in range(COUNT):
        for one in (1, 2):
            assert np.array_equal(fresh.get(one, number), after.get(one, number)), "as if made at once"
