"""Repeated frames: one of a run stands for all, and a stream sees each run once."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stylebridge_server import style, temporal
from stylebridge_server.colour import Encoding
from stylebridge_server.shot.cache import Cache, key
from stylebridge_server.shot.repeats import Repeats
from stylebridge_server.shot.shown import Shown
from stylebridge_server.shot.streams import Streams, StreamSpec, Workshop
from stylebridge_server.values import Frame, Rgb, SourceInfo


def test_runs() -> None:
    repeats = Repeats([1002, 1003, 1007])
    assert [repeats.first(k) for k in range(1000, 1009)] == [
        1000,
        1001,
        1001,
        1001,
        1004,
        1005,
        1006,
        1006,
        1008,
    ]
    assert [repeats.last(k) for k in range(1000, 1009)] == [
        1000,
        1003,
        1003,
        1003,
        1004,
        1005,
        1007,
        1007,
        1008,
    ]


def test_none() -> None:
    assert (Repeats().first(5), Repeats().last(5)) == (5, 5)


HEIGHT, WIDTH, LAST = 48, 64, 11


class Clip(Shown):
    """A texture that moves two pixels a drawing; each drawing is shown for so many frames."""

    live = False
    encoding = Encoding()

    def __init__(self, held: int) -> None:
        self.info = SourceInfo("movie", WIDTH, HEIGHT, 0, (LAST + 1) * held - 1)
        self._held = held
        noise = np.random.default_rng(0).random((HEIGHT, WIDTH + 40, 3)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 3)
        self._wide = np.rint((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255).astype(np.uint8)

    def read(self, number: int) -> Frame:
        drawing = number // self._held
        return Frame(number, np.ascontiguousarray(self._wide[:, 2 * drawing : 2 * drawing + WIDTH]))

    def content(self, number: int) -> str:
        return key("clip", self._held, number)


class Nothing:
    checksum, device = "none", "cpu"


painted: list[float] = []


def ink(rgb: Rgb) -> Rgb:
    painted.append(float(rgb.mean()))
    return np.clip(0.5 + 0.4 * np.sin(30 * rgb), 0, 1).astype(np.float32)


def chain(rgb: Rgb, name: str, before: style.Before | None, tick: object) -> Rgb:
    painted.append(float(rgb.mean()))
    return 1 - rgb if before is None else np.clip(0.7 * before.picture + 0.3 * rgb, 0, 1)


STYLES = {
    "whole frames": style.FrameStyle("ink-1", "ink", "1", ink),
    "chain": style.ChainStyle("chain-1", True, chain),
}


def stream(held: int, named: str, order: list[int] | None = None) -> dict[int, bytes]:
    clip = Clip(held)
    repeats = [k for k in range(clip.info.count) if k % held]
    workshop = Workshop(Nothing(), "print", Cache(1 << 26), Cache(1 << 26))  # type: ignore[arg-type]
    source = Streams(clip, [(0, clip.info.last)], workshop, repeats)  # type: ignore[arg-type]
    spec = StreamSpec(STYLES[named], 1.0, 5, 1.0)
    wanted = np.ones((HEIGHT, WIDTH), np.float32)
    order = list(range(clip.info.count)) if order is None else order
    return {k: source.picture(spec, k, 0.0, wanted).tobytes() for k in order}


@pytest.mark.parametrize("named", list(STYLES))
def test_a_repeated_frame_gives_a_repeated_result_and_costs_nothing(named: str) -> None:
    alone = stream(1, named)
    painted.clear()
    twos = stream(2, named)
    assert len(painted) == LAST + 1
    # The same as if the repeats were not there, so nothing of the window is spent on them.
    assert [twos[k] for k in range(2 * LAST + 2)] == [alone[k // 2] for k in range(2 * LAST + 2)]
    assert stream(2, named, [15, 4, 22, 5, 0]) == {k: twos[k] for k in (15, 4, 22, 5, 0)}


def test_flow_is_found_from_the_last_frame_of_a_run_to_the_first_of_the_next() -> None:
    asked: list[tuple[int, int]] = []

    class Counted(temporal.Dis):
        def name(self, numbers: tuple[int, int]) -> str:
            asked.append(numbers)
            return super().name(numbers)

    workshop = Workshop(Nothing(), "print", Cache(1 << 26), Cache(1 << 26))  # type: ignore[arg-type]
    source = Streams(Clip(1), [(0, LAST)], workshop, [3, 4, 6])  # type: ignore[arg-type]
    spec = StreamSpec(STYLES["whole frames"], 1.0, 5, 1.0, Counted())
    source.picture(spec, 4, 0.0, np.ones((HEIGHT, WIDTH), np.float32))
    # Runs are 2 to 4 and 5 to 6: the window of 4 is 2, with 1 and 0 before and 5 and 7 after.
    assert set(asked) == {(2, 1), (1, 0), (5, 4), (7, 6)}
