"""What a label keeps of the scene is told from the instance by the way that it has not gone."""

from __future__ import annotations

import numpy as np
import pytest

from stylebridge_server.segment.remains import Way

SIZE = (90, 160)
PACE = 1.5  # pixels a frame to the right


def thing(t: int) -> np.ndarray:
    out = np.zeros(SIZE, bool)
    left = round(30 + PACE * t)
    out[30:60, left : left + 40] = True
    return out


def left_behind() -> np.ndarray:
    out = np.zeros(SIZE, bool)
    out[62:72, 30:50] = True
    return out


def after(frames: int, pan: float = 0.0, moves: bool = True) -> tuple[Way, np.ndarray]:
    """A thing that goes, and a piece of the ground that was labelled with it, in pictures of a camera that pans.

    The way after some frames, and the label.
    """
    way = Way(*SIZE)
    label = np.zeros(SIZE, np.float32)
    for t in range(1, frames + 1):
        field = np.zeros((*SIZE, 2), np.float32)
        field[..., 0] = pan
        if moves:
            field[thing(t), 0] -= PACE
        label = (thing(t if moves else 0) | left_behind()).astype(np.float32)
        way.move(field, np.ones(SIZE, np.float32), label)
    return way, label


@pytest.mark.parametrize("pan", [0.0, 0.8])
def test_a_piece_that_stands_while_the_instance_goes_has_stayed(pan: float) -> None:
    way, label = after(6, pan)
    stayed = way.stayed(label)
    assert stayed[left_behind()].mean() > 0.9
    assert stayed[thing(6)].mean() < 0.1


def test_of_a_thing_that_stands_nothing_has_stayed_and_a_first_step_proves_nothing() -> None:
    for frames, moves in ((8, False), (1, True)):
        way, label = after(frames, moves=moves)
        assert not way.stayed(label).any()


@pytest.mark.parametrize(("columns", "stays"), [(33, True), (21, False)])
def test_what_is_most_of_the_label_is_the_instance(columns: int, stays: bool) -> None:
    way = Way(*SIZE)
    # Flow trembles a little where nothing moves.
    way.gone = np.random.default_rng(2).uniform(-0.2, 0.2, way.gone.shape).astype(np.float32)
    way.gone[20:80, 20 : 20 + columns, 0] = 10
    label = np.zeros(SIZE, np.float32)
    label[20:80, 20:80] = 1
    stayed = way.stayed(label)
    assert stayed.any() == stays
    assert not stayed[:, : 20 + columns - 2].any()


def test_an_empty_label_is_borne() -> None:
    way, _ = after(3)
    assert not way.stayed(np.zeros(SIZE, np.float32)).any()
