"""What speaks for independent motion: plane and parallax taken off a flow."""

from __future__ import annotations

import numpy as np
import pytest
from segment.scenes import flow, texture

from stylebridge_server.segment import evidence
from stylebridge_server.segment.evidence import CHANNELS, DISTANCES, Flows
from stylebridge_server.values import FlowPair

H, W = 90, 160


def pair(field: np.ndarray) -> FlowPair:
    one = np.ones((H, W), np.float32)
    return FlowPair(field, -field, one, one)


def channels(field: np.ndarray) -> np.ndarray:
    """The five channels of one flow: residual x, y, along, beside, trust."""
    rgb = texture(3, H, W, (110, 130, 100)).astype(np.uint8)
    place = DISTANCES.index(1)
    return evidence.evidence(rgb, {1: pair(field.astype(np.float32))})[5 * place : 5 * place + 5]


def parallax() -> np.ndarray:
    """A camera that travels to the left before a backdrop, a nearer floor and a block that stands close by."""
    field = np.zeros((H, W, 2))
    field[..., 0] = 2
    field[60:, :, 0] += np.linspace(0, 6, 30)[:, None]
    field[20:70, 20:50, 0] = 7
    return field


def test_what_stands_keeps_to_its_epipolar_line() -> None:
    _, _, along, beside, _ = channels(parallax())
    assert np.abs(beside).max() < 0.05
    assert along[40, 35] > 1 and along[85, 100] > 1  # nearer things to one side, whatever they are
    assert abs(along[10, 100]) < 0.1


@pytest.mark.parametrize("way", [(0, 4), (-4, 0)])
def test_what_moves_by_itself_leaves_its_line_or_goes_to_the_wrong_side(way: tuple[int, int]) -> None:
    field = parallax()
    field[30:45, 100:120] = np.array([2, 0]) + way
    _, _, along, beside, _ = channels(field)
    if way[1]:
        assert np.abs(beside[32:43, 102:118]).min() > 1
    else:
        assert along[32:43, 102:118].max() < -1


def test_a_turning_camera_leaves_nothing() -> None:
    y, x = np.mgrid[0:H, 0:W].astype(np.float64)
    turn = np.stack([3 + 0.01 * (y - 45), -1 - 0.01 * (x - 80)], -1)
    assert np.abs(channels(turn)[:4]).max() < 0.1


def test_lacking_frames_are_zeros_and_flows_are_made_once() -> None:
    frames = [np.roll(texture(5, H, W, (110, 130, 100)).astype(np.uint8), 2 * t, 1) for t in range(12)]
    asked: list[int] = []

    def counted(a: np.ndarray, b: np.ndarray) -> FlowPair:
        asked.append(1)
        return flow(a, b)

    flows = Flows(lambda number: frames[number], counted, 0, 11)
    for number in range(12):
        around = flows.around(number)
        assert sorted(around) == [d for d in DISTANCES if 0 <= number + d <= 11]
        there = evidence.evidence(flows.frame(number), around)
        assert there.shape == (CHANNELS, H, W) and there.dtype == np.float32
        for place, distance in enumerate(DISTANCES):
            assert there[5 * place : 5 * place + 5].any() == (distance in around)
    assert len(asked) == 11 + 8  # pairs that lie 1 and 4 apart
