"""Things found without prompts."""

from __future__ import annotations

import numpy as np
from segment.scenes import BLUE, RED, Scene, overlap, run


def test_what_moves_is_found_under_a_moving_camera() -> None:
    discs = [(18.0, RED, lambda t: (40 + 4.0 * t, 40.0)), (18.0, BLUE, lambda t: (170 - 4.0 * t, 85.0))]
    scene = Scene(28, discs, pan=1.0)
    store, found = run(scene, [])
    assert len(found) == 2 and [i.id for i in found] == [1, 2]
    assert [i.name for i in found] == ["thing:1", "thing:2"]
    for disc in (0, 1):
        means = [
            np.mean([overlap(store.get(i.id, t), scene.mattes[t][disc]) for t in range(28)]) for i in found
        ]
        assert max(means) > 0.85, means


def test_a_scene_where_nothing_moves_has_no_instances() -> None:
    for pan in (0.0, 1.5):
        store, found = run(Scene(18, [], pan=pan, size=(90, 150)), [])
        assert found == [] and store.kept == {}


def test_the_one_thing_in_a_still_picture_is_found() -> None:
    scene = Scene(1, [(30, RED, lambda t: (100, 60))])
    store, found = run(scene, [])
    assert len(found) == 1
    assert overlap(store.get(1, 0), scene.mattes[0][0]) > 0.9


def test_scenes_have_things_of_their_own() -> None:
    scene = Scene(28, [(20, RED, lambda t: (30 + 6.0 * (t % 14), 45))], size=(90, 150))
    _, found = run(scene, [], [(0, 13), (14, 27)])
    assert [(i.id, i.first, i.last) for i in found] == [(1, 0, 13), (2, 14, 27)]
