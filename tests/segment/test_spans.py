"""Spans between key frames: pure, kept, and each instance's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from segment.scenes import BLUE, RED, Mattes, Scene, flow, overlap

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import segment
from stylebridge_server.segment import parts
from stylebridge_server.segment.follow import Run
from stylebridge_server.segment.spans import prompted
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8

SIZE = (72, 120)
COUNT = 7


class Kept(dict[str, bytes]):
    def put(self, name: str, data: bytes) -> None:
        assert name not in self, "nothing is made twice"
        self[name] = data


class Followed:
    """Prompts whose label is the exact matte of the disc that their name says ("0", "1").

    Attributes:
        marked: key frames whose label was asked for.
        done: steps done and in all, as they were said last.
    """

    def __init__(
        self,
        scene: Scene,
        prompts: Sequence[Prompt],
        kept: segment.Parts = segment.FORGETFUL,
        scenes: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        self._scene = scene
        self.marked: list[tuple[str, int]] = []
        self.done = (0, 0)
        self.store = Mattes(scene.size)
        run = Run(scene, flow, self.store, self._progress, kept, "test")
        self.found: list[Instance] = prompted(run, scenes or [(0, scene.count - 1)], prompts, self._mark)

    def _progress(self, done: int, total: int) -> None:
        assert done > self.done[0]
        self.done = done, total

    def _mark(
        self, number: int, rgb: Rgb8, prompts: Sequence[Prompt], survey: Survey | None
    ) -> tuple[Plane, str | None]:
        np.testing.assert_array_equal(rgb, self._scene.read(number))
        (name,) = {prompt.name for prompt in prompts}
        self.marked.append((name, number))
        label = self._scene.mattes[number][int(name)].astype(np.float32)
        return label, "ball" if name == "0" else None


def prompt(name: str, frame: int) -> Prompt:
    return Prompt(name, frame, points=((0.5, 0.5),))


@pytest.fixture(scope="module")
def scene() -> Scene:
    discs = [(13, RED, lambda t: (30 + 2 * t, 22)), (11, BLUE, lambda t: (90 - 2 * t, 52))]
    return Scene(COUNT, discs, SIZE)


def test_instances_are_followed_from_their_key_frames_both_ways(scene: Scene) -> None:
    got = Followed(scene, [prompt("1", 3), prompt("0", 0), prompt("1", 6)])
    assert [(i.id, i.name, i.label) for i in got.found] == [(1, "1", None), (2, "0", "ball")]
    assert sorted(got.marked) == [("0", 0), ("1", 3), ("1", 6)]
    for t in range(COUNT):
        assert overlap(got.store.get(1, t), scene.mattes[t][1]) > 0.85, t
        assert overlap(got.store.get(2, t), scene.mattes[t][0]) > 0.85, t
    assert got.done == (3 * COUNT, 3 * COUNT)


def test_an_instance_does_not_depend_on_others_nor_on_what_was_kept(scene: Scene) -> None:
    kept = Kept()
    alone = Followed(scene, [prompt("0", 2)], kept)
    both = Followed(scene, [prompt("0", 2), prompt("1", 5)], kept)
    assert both.marked == [("1", 5)], "what was marked is kept"
    fresh = Followed(scene, [prompt("0", 2), prompt("1", 5)])
    for t in range(COUNT):
        np.testing.assert_array_equal(alone.store.get(1, t), both.store.get(1, t))
        for one in (1, 2):
            np.testing.assert_array_equal(fresh.store.get(one, t), both.store.get(one, t))
    reads = scene.reads
    again = Followed(scene, [prompt("0", 2), prompt("1", 5)], kept)
    assert not again.marked and scene.reads == reads, "no picture is read again"
    assert again.done == (3 * COUNT, 3 * COUNT)


def test_a_scene_without_prompts_costs_nothing_and_nothing_crosses_a_cut(scene: Scene) -> None:
    got = Followed(scene, [prompt("0", 1)], scenes=[(0, 3), (4, COUNT - 1)])
    assert {t for _, t in got.store.kept} == {0, 1, 2, 3}
    assert got.done == (12, 12)


def test_pieces_of_a_long_span_are_put_together_in_order(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Followed(scene, [prompt("0", 2)])
    monkeypatch.setattr(parts, "PIECE", 2)
    kept = Kept()
    for marked in ([("0", 2)], []):
        got = Followed(scene, [prompt("0", 2)], kept)
        assert got.marked == marked
        for t in range(COUNT):
            np.testing.assert_array_equal(got.store.get(1, t), whole.store.get(1, t))


def test_a_prompt_that_finds_nothing_is_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "seen", lambda self, instance: instance != 2)
    with pytest.raises(StylebridgeError, match="'1' on frame 5 finds nothing") as raised:
        Followed(scene, [prompt("0", 4), prompt("1", 5)], scenes=[(4, 5)])
    assert raised.value.code == Code.BAD_VALUE
