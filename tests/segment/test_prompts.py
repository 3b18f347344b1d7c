"""Prompts: what they find on their frame, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from segment.scenes import BLUE, RED, Mattes, Scene, flow, overlap, run

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import segment
from stylebridge_server.segment import edges
from stylebridge_server.values import Prompt


def one() -> Scene:
    return Scene(1, [(24, RED, lambda t: (70, 60)), (16, BLUE, lambda t: (150, 40))])


def centre(scene: Scene, disc: int) -> tuple[float, float]:
    h, w = scene.size
    ys, xs = np.nonzero(scene.mattes[0][disc])
    return (xs.mean() + 0.5) / w, (ys.mean() + 0.5) / h


def test_a_box_and_a_point_find_the_same_thing() -> None:
    scene = one()
    for given in ({"box": scene.box(0, 0)}, {"points": (centre(scene, 0),)}):
        store, found = run(scene, [Prompt("ball", 0, **given)])  # type: ignore[arg-type]
        assert overlap(store.get(1, 0), scene.mattes[0][0]) > 0.9, given
        assert (found[0].first, found[0].last) == (0, 0)


def test_a_negative_point_takes_a_thing_out_of_the_box() -> None:
    scene = one()
    around_both = (0.15, 0.1, 0.88, 0.9)
    store, _ = run(scene, [Prompt("red", 0, box=around_both, not_points=(centre(scene, 1),))])
    assert store.get(1, 0)[scene.mattes[0][1]].mean() < 64


def test_a_given_matte_is_kept_and_may_be_smaller() -> None:
    scene = one()
    whole = scene.mattes[0][0].astype(np.uint8) * 255
    for matte in (whole, whole[::2, ::2]):
        store, _ = run(scene, [Prompt("ball", 0, matte=matte)])
        assert overlap(store.get(1, 0), scene.mattes[0][0]) > 0.93


def test_edges_are_soft() -> None:
    scene = one()
    store, _ = run(scene, [Prompt("ball", 0, box=scene.box(0, 0))])
    matte = store.get(1, 0)
    between = ((matte > 20) & (matte < 235)).sum()
    assert 0 < between < 0.35 * (matte > 128).sum()
    assert matte[scene.mattes[0][0]].mean() > 235


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"frame": 9, "box": (0.1, 0.1, 0.5, 0.5)}, "outside the shot's frames 0 to 0"),
        ({"points": ((1.2, 0.5),)}, "outside the picture"),
        ({"not_points": ((0.5, -0.1),), "box": (0.1, 0.1, 0.5, 0.5)}, "outside the picture"),
        ({"box": (0.5, 0.1, 0.4, 0.5)}, "without area"),
        ({"box": (1.1, 0.1, 1.4, 0.5)}, "outside the picture"),
        ({}, "points at nothing"),
        ({"matte": np.zeros((120, 200), np.uint8)}, "empty matte"),
        ({"matte": np.full((120, 120), 255, np.uint8)}, "does not fit the picture's 200x120"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(StylebridgeError, match=says) as caught:
        run(one(), [Prompt(**({"name": "ball", "frame": 0} | given))])
    assert caught.value.code == Code.BAD_VALUE
    assert "'ball'" in caught.value.message and caught.value.message.endswith(".")


def test_back_ends_are_chosen_by_name() -> None:
    assert segment.load("auto").name == "embedded" and segment.load("auto").checksum
    nothing = segment.load("none")
    scene, store = one(), Mattes((120, 200))
    assert nothing.track(scene, [(0, 0)], [], flow, store, lambda a, b: None) == []
    with pytest.raises(StylebridgeError, match="cannot follow prompt 'ball'"):
        prompts = [Prompt("ball", 0, points=((0.5, 0.5),))]
        nothing.track(scene, [(0, 0)], prompts, flow, store, lambda a, b: None)
    with pytest.raises(StylebridgeError, match="There is no segmenter 'samm': did you mean 'sam'"):
        segment.load("samm")


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 4097)])
def test_odd_pictures_do_not_stop_it(size: tuple[int, int]) -> None:
    class Flat:
        def __init__(self) -> None:
            self.size = size

        def content(self, number: int) -> str:
            return "flat"

        def read(self, number: int) -> np.ndarray:
            out = np.full((*size, 3), 90, np.uint8)
            out[:, : size[1] // 2 + 1] = (200, 40, 30)
            return out

    matte = np.zeros(size, np.uint8)
    matte[:, : size[1] // 2 + 1] = 255
    for prompts in ([], [Prompt("half", 1, matte=matte)]):
        store = Mattes(size)
        found = segment.load("embedded").track(Flat(), [(0, 2)], prompts, flow, store, lambda a, b: None)
        assert len(found) == len(prompts)
        assert not prompts or store.get(1, 1).max() == 255


def test_what_is_refined_away_on_every_frame_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = one()
    monkeypatch.setattr(edges, "matte", lambda rgb, label: np.zeros(scene.size, np.uint8))
    with pytest.raises(StylebridgeError, match="'ball' on frame 0 finds nothing that stands out") as caught:
        run(scene, [Prompt("ball", 0, box=scene.box(0, 0))])
    assert caught.value.code == Code.BAD_VALUE


def test_a_box_around_what_colours_hardly_tell_apart_means_its_middle() -> None:
    """Where thing and ground have nearly the same colours, the box decides."""
    scene = Scene(1, [(30, (130, 130, 100), lambda t: (100, 60))], seed=2)
    store, _ = run(scene, [Prompt("ghost", 0, box=scene.box(0, 0))])
    assert overlap(store.get(1, 0), scene.mattes[0][0]) > 0.6
