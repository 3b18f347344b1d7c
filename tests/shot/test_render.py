"""Render as a pure function: order, chunks, caches and edits of the look never change a pixel."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.look import Look
from stylebridge_server import style
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.disk import DiskStore
from stylebridge_server.shot.render import Resolved, render, resolve
from stylebridge_server.shot.shot import Shot
from stylebridge_server.shot.streams import Streams, Workshop
from stylebridge_server.values import Frame, Instance, Rgb, SourceInfo, Tile

HEIGHT, WIDTH, LAST, CUT = 300, 560, 11, 7


def tint(rgb: Rgb) -> Rgb:
    """Stands in for a network that takes statistics over the frame: no tile of it could be painted alone."""
    return np.clip(0.5 + (rgb - rgb.mean((0, 1))) * 0.8 + 0.05 * np.sin(rgb * 50), 0, 1)


STYLES = {
    "ink": style.CodeStyle(np.array([0.2, 0.9, -1], np.float32)),
    "gold": style.CodeStyle(np.array([0.8, 0.1, 2], np.float32)),
    "glass": style.FrameStyle("glass-1", "glass", "1", tint),
}


class Clip:
    """A textured picture that moves, with another one after the cut."""

    info = SourceInfo("movie", WIDTH, HEIGHT, 0, LAST, rate=Fraction(24))

    def __init__(self, channels: int = 3, dtype: str = "uint8") -> None:
        self.info = SourceInfo("movie", WIDTH, HEIGHT, 0, LAST, channels, dtype, Fraction(24))
        self.reads: list[int] = []

    def read(self, number: int) -> Frame:
        self.reads.append(number)
        noise = np.random.default_rng(1 if number < CUT else 2).random(
            (HEIGHT, WIDTH + 60, self.info.channels)
        )
        smooth = cv2.GaussianBlur(noise, (0, 0), 4).reshape(noise.shape)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        moved = smooth[:, 3 * number : 3 * number + WIDTH]
        return Frame(
            number,
            np.ascontiguousarray(np.rint(moved * np.iinfo(self.info.dtype).max)).astype(self.info.dtype),
        )

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return f"clip {self.info.channels} {self.info.dtype}"

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        pass


class Paint:
    """Stands in for the network: local, depends on code and statistics, counts its runs."""

    checksum = "paint"
    device = "cpu"

    def __init__(self) -> None:
        self.runs = {"encode": 0, "decode": 0}
        self.pixels = 0

    def features(self, rgb: Rgb) -> Rgb:
        self.runs["encode"] += 1
        return np.sqrt(rgb)

    def statistics(self, thumbnails: Sequence[Rgb]) -> NDArray[np.float32]:
        return np.mean([one.mean((0, 1)) for one in thumbnails], axis=0, dtype=np.float32)

    def decode(
        self, features: Rgb, statistics: NDArray[np.float32], code: NDArray[np.float32], tile: Tile
    ) -> Rgb:
        self.runs["decode"] += 1
        self.pixels += (tile.x1 - tile.x0) * (tile.y1 - tile.y0)
        part = features[tile.slices]
        return np.clip(code[0] + (part - statistics) * code[1] + 0.02 * np.sin(part * 60 * code[2]), 0, 1)


def disc(number: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (np.clip(40 - np.hypot(columns - 80 - 6 * number, rows - 140), 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    builder = AnalysisStore(tmp_path_factory.mktemp("analyses"), 1 << 30).builder(WIDTH, HEIGHT)
    for number in range(LAST + 1):
        builder.put(1, number, disc(number))
    ball = Instance(1, "ball", None, (255, 0, 0), 1, 0, LAST, 0.1)
    return builder.finish(
        "inputs", first=0, last=LAST, cuts=[CUT], instances=[ball], segmenter="test", made_with={}
    )


class Bench:
    """A worker's render without the worker, its caches empty."""

    def __init__(
        self,
        analysis: Analysis,
        clip: Clip | None = None,
        limit: int = 1 << 30,
        disk: DiskStore | None = None,
    ) -> None:
        self.paint = Paint()
        self.shot = Shot(clip or Clip())
        self.analysis = analysis
        workshop = Workshop(self.paint, "test", Cache(limit), Cache(limit), disk)  # type: ignore[arg-type]
        self.streams = Streams(self.shot, analysis.scenes(), workshop)

    def look(self, data: dict[str, object]) -> Resolved:
        return resolve(
            Look.from_data({"schema": "look.1", **data}), self.shot, self.analysis, STYLES.__getitem__
        )

    def frame(self, look: Resolved, number: int) -> NDArray[np.uint8]:
        return render(self.shot, self.analysis, look, number, self.streams).pixels

    def frames(self, data: dict[str, object], numbers: Sequence[int]) -> dict[int, bytes]:
        look = self.look(data)
        return {number: self.frame(look, number).tobytes() for number in numbers}


BOTH = {
    "background": {"style": "ink", "strength": 0.5},
    "instance": [{"select": "ball", "style": "gold", "strength": [[0, 0.2], [10, 1.0]]}],
}
BALL = {"instance": [{"select": "ball", "style": "gold", "strength": [[0, 0.2], [10, 1.0]]}]}


def test_order_chunks_and_small_caches_do_not_change_a_pixel(analysis: Analysis) -> None:
    numbers = list(range(LAST + 1))
    straight = Bench(analysis).frames(BOTH, numbers)
    assert Bench(analysis).frames(BOTH, numbers[::-1]) == straight
    shuffled = random.Random(3).sample(numbers, len(numbers))
    assert Bench(analysis, limit=2_000_000).frames(BOTH, shuffled) == straight
    assert Bench(analysis, limit=0).frames(BOTH, [9]) == {9: straight[9]}


GLASS = {
    "background": {"style": "ink", "strength": 0.5},
    "instance": [{"select": "ball", "style": "glass"}],
}


def test_a_network_that_needs_the_whole_frame_keeps_the_promise_too(analysis: Analysis) -> None:
    numbers = list(range(LAST + 1))
    straight = Bench(analysis).frames(GLASS, numbers)
    assert Bench(analysis).frames(GLASS, numbers[::-1]) == straight
    shuffled = random.Random(4).sample(numbers, len(numbers))
    assert Bench(analysis, limit=2_000_000).frames(GLASS, shuffled) == straight
    # The ball touches a part of the tiles; inside it the whole frame's style shows, statistics and all.
    whole = Bench(analysis)
    full = whole.frame(whole.look({"background": {"style": "glass"}}), 5)
    alone = np.frombuffer(straight[5], np.uint8).reshape(full.shape)
    np.testing.assert_array_equal(alone[disc(5) == 255], full[disc(5) == 255])


def test_a_whole_frame_is_painted_once(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    painted = []

    def paint(rgb: Rgb) -> Rgb:
        painted.append(rgb.shape)
        return tint(rgb)

    monkeypatch.setitem(STYLES, "glass", style.FrameStyle("glass-1", "glass", "1", paint))
    bench = Bench(analysis)
    bench.frames({"background": {"style": "glass"}}, range(4))
    # Frames 0 to 3, and those after them that the window reaches.
    assert painted == [(HEIGHT, WIDTH, 3)] * 7
    assert bench.paint.runs == {"encode": 0, "decode": 0}
    # Another version under the same name is another style.
    monkeypatch.setitem(STYLES, "glass", style.FrameStyle("glass-2", "glass", "2", lambda rgb: 1 - tint(rgb)))
    first, second = bench.frames({"background": {"style": "glass"}}, [3]), Bench(analysis)
    assert first == second.frames({"background": {"style": "glass"}}, [3])


def test_strength_zero_gives_the_source_back_and_runs_no_network(analysis: Analysis) -> None:
    for clip in (Clip(), Clip(4, "uint16"), Clip(1)):
        bench = Bench(analysis, clip)
        idle = bench.look({"background": {"style": "ink", "strength": 0.0}})
        np.testing.assert_array_equal(bench.frame(idle, 5), clip.read(5).pixels)
        assert bench.paint.runs == {"encode": 0, "decode": 0}


def test_outside_a_styled_matte_every_pixel_is_the_source(analysis: Analysis) -> None:
    clip = Clip(4, "uint16")
    bench = Bench(analysis, clip)
    result, source = bench.frame(bench.look(BALL), 6), clip.read(6).pixels
    outside = disc(6) == 0
    np.testing.assert_array_equal(result[outside], source[outside])
    np.testing.assert_array_equal(result[..., 3], source[..., 3])
    inside = disc(6) == 255
    assert np.abs(result[inside][:, :3].astype(float) - source[inside][:, :3]).mean() > 3000


def test_a_changed_keyframe_runs_no_network_and_is_not_late(analysis: Analysis) -> None:
    bench = Bench(analysis)
    bench.frames(BOTH, range(8))
    before = dict(bench.paint.runs)
    changed = {**BOTH, "background": {"style": "ink", "strength": [[0, 1.0], [7, 0.1]]}}
    result = bench.frames(changed, range(8))
    assert bench.paint.runs == before
    assert result == Bench(analysis).frames(changed, range(8))


def test_a_warm_disk_gives_the_same_pixels_without_the_network(analysis: Analysis, tmp_path: Path) -> None:
    numbers = list(range(LAST + 1))
    plain = Bench(analysis).frames(BOTH, numbers)
    cold = Bench(analysis, disk=DiskStore(tmp_path, 1 << 30))
    assert cold.frames(BOTH, numbers) == plain
    warm = Bench(analysis, disk=DiskStore(tmp_path, 1 << 30))
    assert warm.frames(BOTH, numbers[::-1]) == plain
    assert warm.paint.runs == {"encode": 0, "decode": 0}
    # Another window finds the painted tiles, only the blend is new.
    wider = {**BOTH, "shot": {"window": 3}}
    assert warm.frames(wider, numbers) == Bench(analysis).frames(wider, numbers)
    assert warm.paint.runs == {"encode": 0, "decode": 0}


def test_damaged_tiles_on_disk_change_no_pixel(analysis: Analysis, tmp_path: Path) -> None:
    plain = Bench(analysis).frames(BOTH, range(3))
    assert Bench(analysis, disk=DiskStore(tmp_path, 1 << 30)).frames(BOTH, range(3)) == plain
    rng = random.Random(5)
    tiles = sorted(tmp_path.rglob("*.tile"))
    for number, path in enumerate(tiles):
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data[: rng.randrange(len(data))] if number % 3 == 0 else data)
    store = DiskStore(tmp_path, 1 << 30)
    assert Bench(analysis, disk=store).frames(BOTH, range(3)) == plain
    assert store.damaged == len(tiles) and store.hits == 0


def test_a_style_costs_the_tiles_that_it_covers(analysis: Analysis) -> None:
    small, whole = Bench(analysis), Bench(analysis)
    small.frames({**BALL, "shot": {"window": 1}}, [0])
    whole.frames({"background": {"style": "gold"}, "shot": {"window": 1}}, [0])
    # The whole at one go; of the ball, 80 pixels wide, the tiles that it touches.
    assert whole.paint.runs["decode"] == small.paint.runs["decode"] == 1
    assert whole.paint.pixels == HEIGHT * WIDTH
    assert small.paint.pixels <= (80 + 2 * style.TILE) ** 2


def test_a_stream_knows_nothing_of_mattes(analysis: Analysis) -> None:
    """Inside its matte an instance shows what the whole frame in its style would show."""
    part, whole = Bench(analysis), Bench(analysis)
    solid = disc(5) == 255
    alone = part.frame(part.look({"instance": [{"select": "ball", "style": "gold"}]}), 5)
    full = whole.frame(whole.look({"background": {"style": "gold"}}), 5)
    np.testing.assert_array_equal(alone[solid], full[solid])


def test_a_held_style_key_switches_to_a_stream_that_was_always_there(analysis: Analysis) -> None:
    held = {"background": {"style": [[0, "ink"], [4, "gold"]]}}
    switched = Bench(analysis).frames(held, range(7))
    gold = Bench(analysis).frames({"background": {"style": "gold"}}, [4, 5, 6])
    ink = Bench(analysis).frames({"background": {"style": "ink"}}, [3])
    assert {n: switched[n] for n in (4, 5, 6)} == gold
    assert switched[3] == ink[3]


@pytest.mark.parametrize(("frame", "scene"), [(CUT, range(CUT, LAST + 1)), (CUT - 1, range(CUT))])
def test_the_window_never_crosses_a_cut(analysis: Analysis, frame: int, scene: range) -> None:
    clip = Clip()
    bench = Bench(analysis, clip)
    look = bench.look({"background": {"style": "gold"}})
    bench.frame(look, frame)
    assert set(clip.reads) <= set(scene)


def test_steadiness_zero_is_each_frame_by_itself(analysis: Analysis) -> None:
    bench = Bench(analysis)
    still = bench.look({"background": {"style": "gold"}, "shot": {"steadiness": 0.0}})
    lone = bench.look({"background": {"style": "gold"}, "shot": {"window": 1}})
    steady = bench.look({"background": {"style": "gold"}})
    np.testing.assert_array_equal(bench.frame(still, 5), bench.frame(lone, 5))
    assert (bench.frame(still, 5) != bench.frame(steady, 5)).any()


def test_all_frames_of_a_look_have_the_same_channels(analysis: Analysis) -> None:
    bench = Bench(analysis, Clip(1))
    look = bench.look({"background": {"style": "gold", "strength": [[2, 0.0], [5, 1.0]]}})
    grey, styled = bench.frame(look, 1), bench.frame(look, 5)
    assert grey.shape == styled.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(grey[..., :1], Clip(1).read(1).pixels)


def test_colour_keep_keeps_the_hue(analysis: Analysis) -> None:
    bench = Bench(analysis)
    source = Clip().read(3).pixels.astype(float)
    plain = bench.frame(bench.look({"background": {"style": "gold"}}), 3).astype(float)
    kept = bench.frame(bench.look({"background": {"style": "gold", "colour_keep": 1.0}}), 3).astype(float)
    chroma = [picture - picture.mean(-1, keepdims=True) for picture in (source, plain, kept)]
    assert np.abs(chroma[2] - chroma[0]).mean() < 0.7 * np.abs(chroma[1] - chroma[0]).mean()
