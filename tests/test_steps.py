"""Work that is ended at any of its steps leaves everything whole: what is made afterwards is the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from media.samples import make_movie
from segment.scenes import RED, Scene, run
from shot.test_render import Bench, analysis  # noqa: F401 (a fixture)

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import steps, style
from stylebridge_server.media import open_source
from stylebridge_server.segment import discover
from stylebridge_server.shot.analysis import Analysis
from stylebridge_server.values import Prompt

LOOK = {
    "background": {"style": "ink", "colour_keep": 0.4},
    "instance": [{"select": "ball", "style": "gold", "edge_softness": 8}],
}


class Ending:
    """Counts steps, and ends the work at one of them."""

    def __init__(self, at: int = 0) -> None:
        self.count, self._at = 0, at

    def __call__(self) -> None:
        self.count += 1
        if self.count == self._at:
            raise StylebridgeError(Code.CANCELLED, "The request was cancelled.")


def ended_everywhere(work: Callable[[], object], most: int = 40) -> Iterator[int]:
    """Does the work again and again and ends it at one step after the other, at most so many; yields the step."""
    whole = Ending()
    with steps.heard(whole):
        work()
    assert whole.count > 0
    for at in sorted({1 + place * (whole.count - 1) // most for place in range(most + 1)}):
        with pytest.raises(StylebridgeError) as caught, steps.heard(Ending(at)):
            work()
        assert caught.value.code == Code.CANCELLED
        yield at


def test_a_frame_ended_at_any_step_is_made_right_afterwards(analysis: Analysis) -> None:  # noqa: F811
    whole = Bench(analysis).frames(LOOK, [9])
    benches: list[Bench] = []

    def work() -> None:
        benches.append(Bench(analysis))
        benches[-1].frames(LOOK, [9])

    for at in ended_everywhere(work, most=8):
        assert benches.pop().frames(LOOK, [9]) == whole, at


def test_there_is_a_step_before_every_tile(analysis: Analysis) -> None:  # noqa: F811
    bench, last = Bench(analysis), [0, 0]

    def hear() -> None:
        runs = list(bench.paint.runs.values())
        assert sum(runs) - sum(last) <= 1, "two tiles, or a tile and a picture, without a step between"
        last[:] = runs

    with steps.heard(hear):
        bench.frames(LOOK, [4])
    assert sum(last) > 8


def test_a_movie_read_up_to_any_step_is_read_right_afterwards(tmp_path: Path) -> None:
    for name in ("one_key.mp4", "raw.h264"):
        path = make_movie(tmp_path / name, count=20, options={"bf": "2", "g": "1000"})
        with open_source(path) as whole:
            wanted = [whole.read(number).pixels for number in range(20)]
        with open_source(path) as source:

            def work(source: object = source) -> None:
                for number in (19, 2, 11):
                    source._decoder._kept.clear()  # type: ignore[attr-defined]
                    source.read(number)  # type: ignore[attr-defined]

            for at in ended_everywhere(work):
                for number in (12, 5, 19):
                    assert np.array_equal(source.read(number).pixels, wanted[number]), (name, at, number)


def test_finding_instances_can_be_ended_at_any_step() -> None:
    scene = Scene(4, [(20, RED, lambda t: (60 + 4.0 * t, 60))], pan=1.0)
    prompts = [Prompt("ball", 2, points=((0.4, 0.5),))]
    for _ in ended_everywhere(lambda: run(scene, prompts), most=6):
        pass


def test_looking_for_things_alone_does_not_take_an_end_for_nothing_found() -> None:
    scene = Scene(4, [(20, RED, lambda t: (60 + 4.0 * t, 60))])
    for _ in ended_everywhere(lambda: discover.standing_out(0, scene.read(0)), most=8):
        pass


def test_a_picture_is_encoded_in_steps() -> None:
    engine = style.load()
    with steps.heard(ending := Ending()):
        engine.features(np.full((540, 1300, 3), 0.5, np.float32))
    assert ending.count == 2


def test_steps_are_heard_in_their_own_thread_alone() -> None:
    mine, other = Ending(), Ending()

    def beside() -> None:
        steps.step()
        with steps.heard(other):
            steps.step()

    with steps.heard(mine):
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
    steps.step()
    assert (mine.count, other.count) == (0, 1)
