"""One instance from frame to frame: what is laid out for the network, what rules add, and when it is gone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from segment.scenes import BLUE, RED, Scene, flow

from stylebridge_models.tracer import TRACE
from stylebridge_server.segment.follower import OFF, Follower, Planes, follow, tidy
from stylebridge_server.segment.nets import ready
from stylebridge_server.segment.pair import Look, Pair
from stylebridge_server.values import Plane

SIZE = (120, 200)
PRIOR, AWAY = 3, 16


def pair(scene: Scene, t: int) -> Pair:
    """What frame t is seen as after frame t - 1."""
    before = scene.read(t - 1)
    return Pair.of(before, Look.of(before), scene.read(t), flow)


def begun(scene: Scene, disc: int = 0) -> Follower:
    return Follower(Look.of(scene.read(0)), scene.mattes[0][disc].astype(np.float32), None)


def overlap(label: Plane, truth: np.ndarray) -> float:
    found = label > 0.5
    return float((found & truth).sum() / (found | truth).sum())


def constant(value: float) -> Callable[[Planes], Plane]:
    return lambda planes: np.full(planes.shape[1:], np.float32(value))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(
        6,
        [(22, RED, lambda t: (60 + 3.0 * t, 60)), (14, BLUE, lambda t: (150, 30 + 2.0 * t))],
        SIZE,
        pan=1.0,
    )


def test_a_disc_is_followed(scene: Scene) -> None:
    follower = begun(scene)
    for t in range(1, scene.count):
        here = pair(scene, t)
        follower.take(here, follow(follower, here, ready(TRACE)))
        assert follower.away == 0 and overlap(follower.label, scene.mattes[t][0]) > 0.9, t


def test_the_evidence_lies_where_the_thing_should_be(scene: Scene) -> None:
    follower = begun(scene)
    here = pair(scene, 1)
    window, planes = follower.evidence(here, follower.moved(here))
    assert planes.shape == (TRACE, window.h, window.w) and planes.dtype == np.float32
    assert np.isfinite(planes).all() and np.abs(planes).max() <= 5
    truth = window.take(scene.mattes[1][0].astype(np.float32)) > 0.5
    assert ((planes[PRIOR] > 0) == truth).mean() > 0.97
    assert not planes[AWAY].any()


def test_rules_and_network_are_weighed_together(scene: Scene) -> None:
    here, truth = pair(scene, 1), scene.mattes[1][0]
    undecided = follow(begun(scene), here, constant(0))
    assert overlap(1.0 * (undecided > 0), truth) > 0.9, "where the network says nothing rules decide"
    assert set(np.unique(np.abs(undecided[truth]))) == {2}
    sure = follow(begun(scene), here, constant(9))
    window, _ = begun(scene).evidence(here, begun(scene).moved(here))
    inside = window.put(np.ones((window.h, window.w), np.float32), *SIZE, rest=0) > 0
    assert (sure[inside] > 0).all() and (sure[~inside] < 0).all(), (
        "a sure network overrules them, in its window"
    )
    none = follow(begun(scene), here, constant(-9))
    assert (none < 0).all()


def test_an_empty_label_is_one_that_is_away_and_what_comes_back_is_found() -> None:
    def position(t: int) -> tuple[float, float]:
        return (100, 60) if t in (0, 4) else (-60, 60)

    scene = Scene(5, [(22, RED, position)], SIZE)
    follower = begun(scene)
    for t in (1, 2, 3):
        here = pair(scene, t)
        follower.take(here, follow(follower, here, ready(TRACE)))
        assert follower.away == t and not follower.label.any()
    here = pair(scene, 4)
    # It is found by rules, and then looked at close up.
    looks: list[Planes] = []

    def net(planes: Planes) -> Plane:
        looks.append(planes)
        return ready(TRACE)(planes)

    follower.take(here, follow(follower, here, net))
    (close,) = looks
    assert (close[PRIOR] > 0).any() and not close[AWAY].any()
    assert follower.away == 0
    assert overlap(follower.label, scene.mattes[4][0]) > 0.8


def test_where_nothing_looks_like_it_all_is_out_of_the_question() -> None:
    scene = Scene(3, [(22, RED, lambda t: (100 if t == 0 else -60, 60))], SIZE)
    follower = begun(scene)
    follower.take(pair(scene, 1), np.full(SIZE, OFF))
    assert (follow(follower, pair(scene, 2), constant(-9)) == OFF).all()


def test_a_remnant_counts_only_in_the_things_own_colours(scene: Scene) -> None:
    x, y = 63, 60  # where the disc is on frame 1
    for at, away in (((x, y), 0), ((20, 100), 1)):
        follower = begun(scene)
        remnant = np.zeros(SIZE, np.float32)
        remnant[at[1] - 5 : at[1] + 5, at[0] - 5 : at[0] + 5] = 1
        follower.accept(pair(scene, 1), remnant)
        assert follower.away == away and follower.label.any() == (not away)


def test_specks_are_tidied_away_and_pieces_stay() -> None:
    label = np.zeros(SIZE, np.float32)
    label[20:60, 20:60] = 1
    label[20:40, 100:130] = 0.8
    kept = tidy(label.copy())
    np.testing.assert_array_equal(kept, label)
    label[100:103, 150:153] = 1
    np.testing.assert_array_equal(tidy(label), kept)
