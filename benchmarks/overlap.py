"""A sequence of 4K half float EXR: whether reading, styling and writing go on at the same time.

The same frames three times in one run: read and written without being styled, styled without a file (from memory, the
tiles of the style kept as after a first render), and all of it as `render` does it, reading ahead and writing behind.
Were nothing done at the same time, the last would take as long as the first two together.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from stylebridge.look import Look
from stylebridge_server import media, style
from stylebridge_server.colour import encode
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.render import render, resolve
from stylebridge_server.shot.shot import Shot
from stylebridge_server.shot.streams import Streams, Workshop
from stylebridge_server.values import Frame, SourceInfo

FRAMES, WIDTH, HEIGHT = 8, 4096, 2304
_PAGE = os.sysconf("SC_PAGESIZE")


class Memory:
    """Frames of a source, held."""

    def __init__(self, source: media.Source) -> None:
        self.info: SourceInfo = source.info
        self._name = source.content_hash()
        self._frames = {frame.number: frame for frame in source.frames()}

    def read(self, number: int) -> Frame:
        return self._frames[number]

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return self._name

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        self._frames.clear()


def write_plates(folder: Path, frames: int, width: int, height: int) -> str:
    """Scene-linear RGBA in half floats with grain, packed by ZIP; the pattern of their names."""
    random = np.random.default_rng(1)
    base = cv2.resize(
        random.random((9, 16, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    grain = random.normal(0, 0.01, (height, width, 3)).astype(np.float32)
    for number in range(1, frames + 1):
        colour = np.maximum(np.roll(base, 8 * number, 1), 0) ** 3 * 4 + np.roll(grain, 977 * number, 0)
        half = colour.astype(np.float16)
        alpha = np.ones((height, width), np.float16)
        channels = {name: half[..., place] for place, name in enumerate("RGB")} | {"A": alpha}
        write_exr(folder / f"plate.{number:04}.exr", [NewPart(channels)])
    return str(folder / "plate.####.exr")


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def resident() -> float:
    """MiB that this process holds."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE / 2**20


def measure(frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """The report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pattern = write_plates(folder, frames, width, height)
        engine = style.load()
        workshop = Workshop(engine, "bench", Cache(4 << 30), Cache(512 << 20))
        said = Look.simple("great-wave", strength=0.5)

        def styled(source: object) -> Callable[[int], Frame]:
            shot = Shot(source, encode(info.colour, info.alpha, info.channels))  # type: ignore[arg-type]
            look = resolve(said, shot, None, lambda one: style.CodeStyle(engine.presets()[one].code))
            streams = Streams(shot, [(info.first, info.last)], workshop)
            return lambda number: render(shot, None, look, number, streams)

        with media.open_source(pattern) as opened:
            info = opened.info
            numbers = range(info.first, info.last + 1)
            held = Memory(opened)
            make = styled(held)
            made = [make(number) for number in numbers]  # fills the cache of tiles

            def files() -> None:
                with media.open_sink(folder / "io.####.exr", info, info.first, info.last) as sink:
                    for number, frame in zip(numbers, made, strict=True):
                        opened.read(number)
                        sink.write(frame)

            def computing() -> None:
                for number in numbers:
                    make(number)

            alone, compute = seconds(files), seconds(computing)
            held.close()
            made.clear()
            whole = styled(media.read_ahead(opened))
            used = []

            def together() -> None:
                sink = media.open_sink(folder / "out.####.exr", info, info.first, info.last)
                with sink, media.WriteBehind(sink) as behind:
                    for number in numbers:
                        behind.put(whole(number))
                        used.append(resident())

            wall = seconds(together)
    ratio = wall / max(alone, compute)
    half = len(used) // 2
    return [
        f"## {frames} frames of {width}x{height} half float EXR, on {os.cpu_count()} cores",
        "",
        "| | s a frame |",
        "|---|---|",
        f"| read and written, not styled | {alone / frames:.2f} |",
        f"| styled with kept tiles, no file | {compute / frames:.2f} |",
        f"| all, reading ahead and writing behind | {wall / frames:.2f} |",
        "",
        f"Against the larger of the two: {ratio:.2f}; against their sum: {wall / (alone + compute):.2f}. "
        f"Memory at most {max(used[:half]):.0f} MiB in the first half, {max(used[half:]):.0f} MiB in the second.",
        "",
    ]
