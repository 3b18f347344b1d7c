"""The first look: where it looks, what it is shown, and which of its finds it takes."""

from __future__ import annotations

import numpy as np
import pytest
from segment.scenes import BLUE, RED, Scene

from stylebridge_models.tracer import LOOK
from stylebridge_server.segment import first_look
from stylebridge_server.segment.colours import to_lab
from stylebridge_server.segment.first_look import Aim, evidence, find, frame
from stylebridge_server.segment.follower import Planes
from stylebridge_server.segment.nets import ready
from stylebridge_server.segment.survey import Survey
from stylebridge_server.segment.window import Window
from stylebridge_server.values import Plane

GUESS, BOX, ON, BESIDE, COLOUR, DEPARTS, TRUST, WITHIN = 3, 4, 5, 6, 7, 9, 10, 11
SIZE = (120, 200)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(1, [(24, RED, lambda t: (70, 60)), (16, BLUE, lambda t: (150, 40))], SIZE)


def stroke(*points: tuple[float, float]) -> first_look.Stroke:
    return np.array(points, np.float32)


def boxed(scene: Scene, disc: int) -> Aim:
    x0, y0, x1, y1 = scene.box(0, disc)
    h, w = scene.size
    return Aim((round(x0 * w), round(y0 * h), round(x1 * w), round(y1 * h)), [], [])


def overlap(odds: Plane, truth: np.ndarray) -> float:
    found = odds > 0
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize("disc", [0, 1])
def test_a_box_a_point_and_a_stroke_find_a_disc(scene: Scene, disc: int) -> None:
    lab = to_lab(scene.read(0))
    x, y = ((70, 60), (150, 40))[disc]
    aims = [
        boxed(scene, disc),
        Aim(None, [stroke((x, y))], []),
        Aim(None, [stroke((x - 8, y), (x, y + 6), (x + 8, y))], []),
    ]
    for aim, least in zip(aims, (0.8, 0.6, 0.6), strict=True):
        odds = find(lab, aim, None, ready(LOOK))
        assert odds.shape == SIZE and overlap(odds, scene.mattes[0][disc]) > least, aim


def test_planes_say_what_was_pointed_at(scene: Scene) -> None:
    lab = to_lab(scene.read(0))
    aim = Aim((46, 36, 94, 84), [stroke((70, 60))], [stroke((100, 60))])
    window = frame(aim, None, *SIZE)
    planes = evidence(lab, aim, window, None, None)
    assert planes.shape == (LOOK, window.h, window.w) and planes.dtype == np.float32
    assert not planes[GUESS].any() and not planes[DEPARTS].any() and not planes[TRUST].any()

    def at(x: float, y: float) -> tuple[int, int]:
        return round((y + 0.5 - window.y0) * window.scale), round((x + 0.5 - window.x0) * window.scale)

    assert planes[BOX][at(70, 60)] == 1 and planes[BOX][at(100, 60)] == 0
    assert planes[ON][at(70, 60)] > 0.9 and planes[ON][at(100, 60)] == 0
    assert planes[BESIDE][at(100, 60)] > 0.9 and planes[BESIDE][at(70, 60)] == 0
    assert planes[COLOUR][at(70, 60)] > 0.3 and planes[COLOUR][at(100, 60)] < -0.3
    assert planes[WITHIN][at(70, 60)] == 1


def test_other_frames_and_the_look_before_are_evidence(scene: Scene) -> None:
    lab = to_lab(scene.read(0))
    aim = boxed(scene, 0)
    window = frame(aim, None, *SIZE)
    disc = scene.mattes[0][0].astype(np.float32)
    one = np.ones(SIZE, np.float32)
    survey = Survey(lab, one, one, 8 * disc)
    planes = evidence(lab, aim, window, 12 * disc - 6, survey)
    inside = window.take(disc) > 0.99
    outside = window.take(disc) < 0.01
    assert planes[GUESS][inside].min() > 0.9 and planes[GUESS][outside].max() < -0.9
    assert planes[DEPARTS][inside].min() > 1 and planes[DEPARTS][outside].max() < 0
    assert planes[TRUST].min() == 1
    few = np.full(SIZE, -6, np.float32)
    few[60, 70] = 6
    assert not evidence(lab, aim, window, few, None)[GUESS].any(), "a speck is no guess"


def test_without_a_box_the_second_look_is_around_the_first_find() -> None:
    aim = Aim(None, [stroke((70, 60))], [])
    first = frame(aim, None, *SIZE)
    assert abs((first.x0 + first.x1) / 2 - 70) <= 1 and abs((first.y0 + first.y1) / 2 - 60) <= 1
    odds = np.full(SIZE, -3, np.float32)
    odds[20:100, 60:180] = 3
    second = frame(aim, odds, *SIZE)
    assert second.x0 < 60 and second.x1 > 180 and second.y0 < 20 and second.y1 > 100
    nothing = np.full(SIZE, -3, np.float32)
    assert frame(aim, nothing, *SIZE) == first


class Looks:
    """Answers one look after another with rectangles of the picture, (left, top, right, bottom)."""

    def __init__(self, aim: Aim, *answers: tuple[int, int, int, int] | None) -> None:
        self._aim, self._answers = aim, list(answers)
        self._before: Plane | None = None

    def __call__(self, planes: Planes) -> Plane:
        window: Window = frame(self._aim, self._before, *SIZE)
        odds = np.full(SIZE, -5, np.float32)
        answer = self._answers.pop(0)
        if answer is not None:
            x0, y0, x1, y1 = answer
            odds[y0:y1, x0:x1] = 5
        seen = window.take(odds)
        kept = window.put(seen, *SIZE, -16)
        self._before = kept if (kept > 0).any() else None
        return seen


def width(odds: Plane) -> int:
    return int((odds > 0).any(0).sum())


def test_of_looks_into_a_box_that_one_is_taken_which_touches_it(scene: Scene) -> None:
    aim = Aim((50, 30, 110, 90), [], [])
    looks = Looks(aim, (60, 40, 90, 80), (51, 31, 109, 89), (60, 50, 70, 60))
    assert width(find(to_lab(scene.read(0)), aim, None, looks)) == pytest.approx(58, abs=2)


def test_of_points_the_last_find_is_taken_and_nothing_is_none(scene: Scene) -> None:
    lab = to_lab(scene.read(0))
    aim = Aim(None, [stroke((70, 60))], [])
    looks = Looks(aim, (60, 40, 90, 80), (65, 45, 85, 75), None)
    assert width(find(lab, aim, None, looks)) == pytest.approx(20, abs=2)
    looks = Looks(aim, None, None, None)
    assert not (find(lab, aim, None, looks) > 0).any()
