"""Repeated frames: exact ones, those that a codec has touched, and what only looks like them."""

from __future__ import annotations

import cv2
import numpy as np

from stylebridge_server.temporal import RepeatFinder


def wide(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((96, 400, 3)).astype(np.float32)
    return np.asarray(cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 20, 235, cv2.NORM_MINMAX))


def found(
    places: list[float], grain: float = 0.0, lossy: bool = True, cuts: tuple[int, ...] = ()
) -> list[int]:
    """The repeats of a clip from frame 1001 on whose picture has moved so far on each frame, in pixels."""
    world, finder = wide(), RepeatFinder(lossy)
    generator = np.random.default_rng(1)
    for number, at in enumerate(places, 1001):
        move = np.array([[1, 0, -at], [0, 1, 0]], np.float32)
        picture = cv2.warpAffine(world, move, (160, 96))
        picture = picture + grain * generator.standard_normal(picture.shape)
        shown = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        finder.see(number, shown, shown)
    return finder.found(cuts)


TWOS = [0, 0, 6, 6, 12, 12, 18, 18]
PULLDOWN = [0, 0, 6, 6, 6, 12, 12, 18, 18, 18]


def test_exact_repeats_of_any_length() -> None:
    assert found(TWOS, lossy=False) == [1002, 1004, 1006, 1008]
    assert found(PULLDOWN, lossy=False) == [1002, 1004, 1005, 1007, 1009, 1010]
    assert found([0, 5, *[10] * 12, 15]) == list(range(1004, 1015))
    assert found([3] * 5) == [1002, 1003, 1004, 1005]


def test_repeats_that_a_codec_has_touched() -> None:
    assert found(TWOS, grain=2.0) == [1002, 1004, 1006, 1008]
    assert found(PULLDOWN, grain=2.0) == [1002, 1004, 1005, 1007, 1009, 1010]
    # Where nothing is lossy, what differs is another picture.
    assert found(TWOS, grain=2.0, lossy=False) == []


def test_a_picture_that_rests_moves_slowly_or_has_grain_has_none() -> None:
    assert found([0] * 9, grain=2.0) == []
    assert found([0.1 * i for i in range(9)]) == []
    assert found([3.0 * i for i in range(9)], grain=2.0) == []
    assert found([0, 6, 12, *[18] * 6, 24, 30], grain=2.0) == []  # it rests: a freeze would be exact


def test_what_begins_a_scene_is_none() -> None:
    assert found(TWOS, cuts=(1004,)) == [1002, 1006, 1008]


def test_a_small_thing_that_moves_alone_is_seen() -> None:
    finder = RepeatFinder(lossy=True)
    for number, (at, x) in enumerate([(0, 10), (6, 10), (6, 30), (12, 50), (18, 50)]):
        picture = wide()[:, at : at + 160].astype(np.uint8)
        cv2.circle(picture, (x, 40), 8, (255, 255, 255), -1)
        finder.see(number, picture, picture)
    assert finder.found() == []


def test_no_numbers_and_no_frames() -> None:
    assert RepeatFinder(True).found() == []
    finder, picture = RepeatFinder(False), np.full((4, 4, 3), np.nan, np.float16)
    for number in (1, 2):
        finder.see(number, picture.copy(), np.zeros((4, 4, 3), np.uint8))
    assert finder.found() == [2]
