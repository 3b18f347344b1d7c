"""Instances followed from prompts, against exact mattes."""

from __future__ import annotations

import numpy as np
from segment.scenes import Mattes, Scene, flow, overlap

from stylebridge_server import segment
from stylebridge_server.values import Instance, Prompt

RED, BLUE = (190, 70, 60), (60, 80, 190)


def run(
    scene: Scene, prompts: list[Prompt], scenes: list[tuple[int, int]] | None = None
) -> tuple[Mattes, list[Instance]]:
    store = Mattes(scene.size)
    found = segment.load("embedded").track(
        scene, scenes or [(0, scene.count - 1)], prompts, flow, store, lambda done, total: None, lambda: False
    )
    return store, found


def test_a_box_holds_both_ways_under_a_moving_camera() -> None:
    scene = Scene(24, [(22, RED, lambda t: (50 + 3.0 * t, 60))], pan=1.5)
    store, found = run(scene, [Prompt("ball", 12, box=scene.box(12, 0))])
    assert [(i.id, i.name, i.first, i.last) for i in found] == [(1, "ball", 0, 23)]
    scores = [overlap(store.get(1, t), scene.mattes[t][0]) for t in range(24)]
    assert min(scores) > 0.9, scores
    assert 0 < found[0].area < 0.1


def test_ids_stay_through_a_crossing() -> None:
    discs = [(20.0, RED, lambda t: (40 + 4.0 * t, 55.0)), (20.0, BLUE, lambda t: (160 - 4.0 * t, 65.0))]
    scene = Scene(30, discs)
    store, found = run(scene, [Prompt("red", 0, box=scene.box(0, 0)), Prompt("blue", 0, box=scene.box(0, 1))])
    assert [i.name for i in found] == ["red", "blue"]
    for number in (1, 2):
        scores = [overlap(store.get(number, t), scene.mattes[t][number - 1]) for t in range(30)]
        # While almost covered, a few pixels decide the score.
        assert np.mean(scores) > 0.75 and min(scores[-5:]) > 0.75, scores
    together = [np.minimum(store.get(1, t), store.get(2, t)).max() for t in range(30)]
    assert max(together) < 140
