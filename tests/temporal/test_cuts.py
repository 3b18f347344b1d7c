"""Scene cuts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stylebridge_server.temporal import find_cuts


def scene(seed: int, count: int, brightness: float = 1.0) -> list[np.ndarray]:
    """A slow pan over blobs of colour."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal((120, 160 + 2 * count, 3)).astype(np.float32)
    world = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 9), None, 0, 255, cv2.NORM_MINMAX)
    return [(brightness * world[:, 2 * i : 2 * i + 160]).astype(np.uint8) for i in range(count)]


@pytest.mark.parametrize("first", [1, 2, 5, 11, 12])
def test_hard_cut(first: int) -> None:
    frames = scene(1, first) + scene(2, 13 - first)
    assert find_cuts((1001 + i, frame) for i, frame in enumerate(frames)) == [1001 + first]


def test_two_cuts() -> None:
    frames = scene(1, 6) + scene(2, 5) + scene(3, 7)
    assert find_cuts(enumerate(frames)) == [6, 11]


def test_fade_is_no_cut() -> None:
    still = scene(4, 24)
    frames = [(frame * (1 - i / 23)).astype(np.uint8) for i, frame in enumerate(still)]
    assert find_cuts(enumerate(frames)) == []
    assert find_cuts(enumerate(frames[::-1])) == []


@pytest.mark.parametrize("length", [1, 2])
def test_flash_is_no_cut(length: int) -> None:
    frames = scene(6, 20)
    for i in range(9, 9 + length):
        frames[i] = np.clip(frames[i].astype(np.int32) + 120, 0, 255).astype(np.uint8)
    assert find_cuts(enumerate(frames)) == []


def test_still_and_empty() -> None:
    assert find_cuts(iter([])) == []
    assert find_cuts([(7, scene(1, 1)[0])]) == []
    assert find_cuts((i, np.zeros((1, 1, 3), np.uint8)) for i in range(9)) == []


def test_fast_pan_is_no_cut() -> None:
    world = scene(5, 1)[0]
    frames = [np.roll(world, 23 * i, axis=1) for i in range(20)]
    assert find_cuts(enumerate(frames)) == []


def test_dog_clip_is_one_scene(shared: Path) -> None:
    capture = cv2.VideoCapture(str(shared / "data" / "clips" / "sam2_01_dog.mp4"))
    frames = (capture.read()[1][..., ::-1] for _ in range(60))
    assert find_cuts(enumerate(frames)) == []
