"""Styles whose frames hang together: the same pixels in any order, with any cache, and never across a cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import steps, style
from stylebridge_server.colour import Encoding
from stylebridge_server.shot.cache import Cache, key
from stylebridge_server.shot.disk import DiskStore
from stylebridge_server.shot.shown import Shown
from stylebridge_server.shot.streams import Streams, StreamSpec, Workshop
from stylebridge_server.style import Before
from stylebridge_server.values import Frame, Rgb, SourceInfo

HEIGHT, WIDTH, LAST, CUT = 48, 64, 7, 5


class Clip(Shown):
    """A texture that moves two pixels a frame."""

    live = False

    def __init__(self) -> None:
        self.info = SourceInfo("movie", WIDTH, HEIGHT, 0, LAST)
        noise = np.random.default_rng(0).random((HEIGHT, WIDTH + 40, 3)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 3)
        self._wide = np.rint((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255).astype(np.uint8)

    encoding = Encoding()

    def read(self, number: int) -> Frame:
        return Frame(number, np.ascontiguousarray(self._wide[:, 2 * number : 2 * number + WIDTH]))

    def content(self, number: int) -> str:
        return key("clip", number)


class Painter:
    """Adds to what it made of the frame before; counts its frames."""

    def __init__(self, linked: bool = True) -> None:
        self.painted: list[str] = []
        self.befores: list[Before | None] = []
        self.style = style.ChainStyle("toy", linked, self.paint)

    def paint(
        self, frame: Rgb, name: str, before: Before | None, tick: Callable[[int, int], None] | None
    ) -> Rgb:
        self.painted.append(name)
        self.befores.append(before)
        if tick:
            tick(1, 2)
        if before is None:
            return 1 - frame
        return np.asarray(np.clip(0.7 * before.picture * before.valid[..., None] + 0.3 * frame, 0, 1))


class Nothing:
    checksum, device = "none", "cpu"


def streams(results: int = 1 << 24, disk: DiskStore | None = None) -> Streams:
    workshop = Workshop(Nothing(), "print", Cache(results), Cache(1 << 24), disk)  # type: ignore[arg-type]
    return Streams(Clip(), [(0, CUT - 1), (CUT, LAST)], workshop)  # type: ignore[arg-type]


def shown(source: Streams, painter: Painter, number: int, window: int = 1) -> Rgb:
    spec = StreamSpec(painter.style, 1.0, window, 1.0)
    return source.picture(spec, number, 0.0, np.ones((HEIGHT, WIDTH), np.float32))


def test_any_order_and_any_cache_give_the_same_pixels(tmp_path: Path) -> None:
    painter = Painter()
    plain = streams()
    wanted = {number: shown(plain, painter, number) for number in range(LAST + 1)}
    assert len(painter.painted) == LAST + 1  # each link once
    for results, disk in ((1 << 24, None), (1, None), (1, DiskStore(tmp_path / "d", 1 << 24))):
        other = streams(results, disk)
        for number in (3, 7, 0, 4, 2, 5):
            assert np.array_equal(shown(other, Painter(), number), wanted[number])
    assert np.array_equal(shown(streams(), Painter(), 4, window=3), shown(plain, painter, 4, window=3))


def test_chain_begins_at_the_cut_and_knows_the_way_back() -> None:
    painter = Painter()
    shown(streams(), painter, LAST)
    assert len(painter.painted) == LAST - CUT + 1
    assert painter.befores[0] is None
    before = painter.befores[1]
    assert before is not None
    middle = before.flow[12:-12, 12:-12]
    assert float(np.median(middle[..., 0])) == pytest.approx(
        2, abs=0.3
    )  # it moves left: back is to the right
    assert float(np.median(before.valid)) > 0.5


def test_damaged_link_on_disk_is_made_anew(tmp_path: Path) -> None:
    disk = DiskStore(tmp_path / "d", 1 << 24)
    wanted = shown(streams(1, disk), Painter(), 4)
    for path in (tmp_path / "d").rglob("*.tile"):
        path.write_bytes(path.read_bytes()[:-1])
    assert np.array_equal(shown(streams(1, DiskStore(tmp_path / "d", 1 << 24)), Painter(), 4), wanted)


def test_frames_that_need_no_other_are_painted_alone() -> None:
    painter = Painter(linked=False)
    shown(streams(), painter, 4)
    assert painter.befores == [None]


def test_progress_within_a_frame_is_said() -> None:
    heard: list[tuple[int, int, str]] = []
    with steps.followed(lambda *said: heard.append(said)):
        shown(streams(), Painter(), 1)
    assert heard == [(1, 2, "optimising")] * 2


def test_camera_is_refused() -> None:
    source = streams()
    source._shot.live = True  # type: ignore[union-attr]
    with pytest.raises(StylebridgeError) as caught:
        shown(source, Painter(), 0)
    assert caught.value.code == Code.BAD_REQUEST
