"""Repeated frames: one of a run stands for all, and a stream sees each run once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stylebridge.errors import StylebridgeError
from stylebridge_server import media, style, temporal
from stylebridge_server.colour import Encoding
from stylebridge_server.shot import portable
from stylebridge_server.shot.analyse import analyse
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.cache import Cache, key
from stylebridge_server.shot.repeats import Repeats
from stylebridge_server.shot.shot import Shot
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


def movie(path: Path, held: Sequence[int]) -> Path:
    """An H.264 movie that shows each drawing for so many frames."""
    noise = np.random.default_rng(2).random((96, 160 + 12 * len(held), 3)).astype(np.float32)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 24, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for drawing, count in enumerate(held):
            picture = np.ascontiguousarray(wide[:, 6 * drawing : 6 * drawing + 160])
            for _ in range(count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def analysed(path: Path, folder: Path, cuts: list[int] | None = None) -> Analysis:
    shot = Shot(media.open_source(path))
    try:
        store = AnalysisStore(folder, 1 << 30)
        return analyse(shot, (), "none", store, lambda *_: None, lambda: None, cuts=cuts)
    finally:
        shot.close()


def test_an_analysis_records_the_repeats_of_a_movie_that_its_codec_has_touched(tmp_path: Path) -> None:
    """24 frames a second from 12, and film at 3:2."""
    twos = analysed(movie(tmp_path / "twos.mp4", [2] * 6), tmp_path / "analyses")
    assert twos.repeats == (1, 3, 5, 7, 9, 11)
    film = analysed(movie(tmp_path / "film.mp4", [2, 3, 2, 3]), tmp_path / "analyses")
    assert film.repeats == (1, 3, 4, 6, 8, 9)
    assert analysed(movie(tmp_path / "plain.mp4", [1] * 8), tmp_path / "analyses").repeats == ()
    # What is a cut is no repeat, and the analysis is another.
    cut = analysed(tmp_path / "twos.mp4", tmp_path / "analyses", [3])
    assert cut.cuts == (3,) and cut.repeats == (1, 5, 7, 9, 11) and cut.id != twos.id


def test_repeats_travel_with_their_analysis_and_nonsense_is_refused(tmp_path: Path) -> None:
    store = AnalysisStore(tmp_path / "analyses", 1 << 30)
    made = analysed(movie(tmp_path / "twos.mp4", [2] * 4), tmp_path / "analyses")
    size, text = portable.piece(made, 0)
    assert size == len(text)
    (tmp_path / "sent").write_bytes(text)
    other = AnalysisStore(tmp_path / "others", 1 << 30)
    assert portable.add(other, tmp_path / "sent").repeats == made.repeats == (1, 3, 5, 7)
    for wrong in (b"[0,3,5,7]", b"[1,3,3,7]", b"[1,3,5,8]"):
        (tmp_path / "sent").write_bytes(text.replace(b"[1,3,5,7]", wrong))
        with pytest.raises(StylebridgeError, match="repeated frames that cannot be"):
            portable.add(other, tmp_path / "sent")
    assert store.load(made.id).repeats == made.repeats
