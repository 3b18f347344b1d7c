"""Cutting out by graph cut: boxes, points, what is beside, and what other frames show."""

from __future__ import annotations

import numpy as np
import pytest
from segment.scenes import BLUE, RED, Scene, texture

from stylebridge_server.segment.colours import to_lab
from stylebridge_server.segment.cutout import cut_out
from stylebridge_server.segment.first_look import Aim
from stylebridge_server.segment.survey import Survey

SIZE = (120, 200)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(1, [(24, RED, lambda t: (70, 60)), (16, BLUE, lambda t: (150, 40))], SIZE)


def stroke(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float32)


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float(((found > 0) & truth).sum() / ((found > 0) | truth).sum())


@pytest.mark.parametrize(
    "aim",
    [
        Aim((44, 34, 97, 87), [], []),
        Aim(None, [stroke((70, 60))], []),
        Aim(None, [stroke((58, 55), (70, 66), (82, 56))], []),
    ],
    ids=["box", "point", "stroke"],
)
def test_a_disc_is_cut_out_at_its_edge(scene: Scene, aim: Aim) -> None:
    found = cut_out(scene.read(0), aim, None)
    assert found.shape == SIZE and found.dtype == np.uint8 and set(np.unique(found)) == {0, 1}
    assert overlap(found, scene.mattes[0][0]) > 0.93
    np.testing.assert_array_equal(found, cut_out(scene.read(0), aim, None))


def test_what_is_beside_is_not_it(scene: Scene) -> None:
    red, blue = scene.mattes[0]
    both = (40, 18, 172, 90)
    assert cut_out(scene.read(0), Aim(both, [], []), None)[blue].mean() > 0.8
    found = cut_out(scene.read(0), Aim(both, [stroke((70, 60))], [stroke((150, 40))]), None)
    assert found[blue].mean() < 0.1 and overlap(found, red) > 0.9


def test_a_stroke_beside_takes_off_a_part_of_the_same_colours(scene: Scene) -> None:
    aim = Aim((44, 34, 97, 87), [stroke((70, 50))], [stroke((54, 70), (86, 70))])
    found = cut_out(scene.read(0), aim, None)
    assert found[50, 70] and found[70, 56:84].mean() < 0.1


def test_nothing_lies_outside_the_box(scene: Scene) -> None:
    found = cut_out(scene.read(0), Aim((50, 40, 80, 80), [], []), None)
    found[40:80, 50:80] = 0
    assert not found.any()


def test_what_other_frames_show_cuts_out_what_has_the_grounds_colours() -> None:
    ground = texture(7, *SIZE, (110, 130, 100))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    truth = np.hypot(x - 90, y - 60) < 25
    rgb = np.where(truth[..., None], texture(8, *SIZE, (110, 130, 100)), ground)
    picture = np.rint(rgb).astype(np.uint8)
    one = np.ones(SIZE, np.float32)
    around = Survey(to_lab(np.rint(ground).astype(np.uint8)), one, one, np.where(truth, 6, 1) * one)
    for aim in (Aim((62, 32, 119, 89), [], []), Aim(None, [stroke((90, 60))], [])):
        assert overlap(cut_out(picture, aim, around), truth) > 0.85
        assert overlap(cut_out(picture, aim, around), truth) > overlap(cut_out(picture, aim, None), truth)


def test_tiny_and_flat_pictures_do_not_stop_it() -> None:
    for size in ((3, 4), (20, 30)):
        flat = np.full((*size, 3), 90, np.uint8)
        for aim in (Aim((0, 0, 2, 2), [], []), Aim(None, [stroke((1, 1))], [])):
            assert cut_out(flat, aim, None).shape == size
