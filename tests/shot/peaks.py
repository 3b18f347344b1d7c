"""The peak of memory of one request, in a process of its own (Linux): `peaks.py WHAT WIDTH HEIGHT DTYPE N WINDOW`.

DTYPE is a sample type, for RGB in sRGB; with "+alpha" behind it for premultiplied RGBA in ACEScg.

Prints bytes measured and bytes estimated. WHAT is "render", with N layers, "layers" of the same, "mattes" of N
instances, or "analyse", with one instance that covers most of the picture.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from stylebridge.look import Look
from stylebridge_server import style
from stylebridge_server.shot import footprint
from stylebridge_server.shot.analyse import analyse
from stylebridge_server.shot.analysis import AnalysisStore
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.render import render, render_layer, resolve, shares_of
from stylebridge_server.shot.shot import Shot
from stylebridge_server.shot.streams import Streams, Workshop
from stylebridge_server.values import Frame, Instance, Prompt, SourceInfo

MEBIBYTE = 1 << 20


class Clip:
    """A soft picture that moves, with a disc before it; made in its own type, so that making it takes little."""

    def __init__(self, width: int, height: int, dtype: str, count: int) -> None:
        dtype, alpha = dtype.removesuffix("+alpha"), dtype.endswith("+alpha")
        channels = 4 if alpha else 3
        self.info = SourceInfo("frames", width, height, 0, count - 1, channels, dtype, Fraction(24))
        if alpha:
            self.info = replace(self.info, colour="acescg", alpha="premultiplied")
        self._small = np.random.default_rng(1).random((54, 96, channels)).astype(np.float32)
        self._small[:20, :, 3:] = 0
        self._top = 1.0 if dtype.startswith("float") else float(np.iinfo(dtype).max)

    def read(self, number: int) -> Frame:
        info = self.info
        small = (np.roll(self._small, number, 1) * self._top).astype(info.dtype)
        pixels = cv2.resize(small, (info.width, info.height))
        middle = (info.width // 2 + number, info.height // 2)
        axes = (int(info.width * 0.46), int(info.height * 0.46))
        cv2.ellipse(pixels, middle, axes, 0, 0, 360, (self._top, 0, 0, self._top), -1)
        return Frame(number, pixels)

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return str(self.info)

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        pass


def peak(work: Callable[[], object]) -> int:
    """Bytes that the process holds at most meanwhile, beyond what it held before."""
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    work()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def of_analysis(clip: Clip, store: AnalysisStore) -> tuple[int, int]:
    shot = Shot(clip)
    prompt = Prompt("disc", 0, box=(0.03, 0.03, 0.97, 0.97))
    work = partial(analyse, shot, [prompt], "auto", store, lambda *said: None, lambda: None)
    return peak(work), footprint.of_analysis(clip.info, True)


def of_render(clip: Clip, store: AnalysisStore, layers: int, window: int, what: str) -> tuple[int, int]:
    info, engine = clip.info, style.load()
    builder = store.builder(info.width, info.height)
    instances = []
    for one in range(1, layers):
        matte = np.zeros((info.height, info.width), np.uint8)
        cv2.circle(matte, (info.width * one // layers, info.height // 2), info.height // 3, 255, -1)
        for number in range(info.count):
            builder.put(one, number, matte)
        instances.append(Instance(one, f"one {one}", None, (1, 2, 3), one, 0, info.last, 0.3))
    said = {"first": 0, "last": info.last, "cuts": [], "instances": instances, "segmenter": "none"}
    analysis = builder.finish("inputs", made_with={}, **said)  # type: ignore[arg-type]
    presets = engine.presets()
    name = next(iter(presets))
    layer = {"style": name, "edge_softness": 3, "matte_grow": 2, "colour_keep": 0.5}
    below = {key: value for key, value in layer.items() if key in ("style", "colour_keep")}
    data = {"background": below, "instance": [{"select": one.name, **layer} for one in instances]}
    look = Look.from_data({"schema": "look.1", **data})
    shot = Shot(clip)
    found = resolve(look, shot, analysis, lambda word: style.CodeStyle(presets[word].code))
    found = replace(found, shot={**found.shot, "window": window})
    workshop = Workshop(engine, "test", Cache(256 * MEBIBYTE), Cache(512 * MEBIBYTE))
    streams = Streams(shot, analysis.scenes(), workshop)

    def in_layers() -> None:
        shares = shares_of(shot, analysis, found, info.last)
        for one in found.styled:
            render_layer(shot, found, one, info.last, streams, shares[one], "float16")

    works: dict[str, Callable[[], object]] = {
        "render": lambda: render(shot, analysis, found, info.last, streams),
        "layers": in_layers,
        "mattes": lambda: shares_of(shot, analysis, found, info.last, every=True),
    }
    measured = peak(works[what])
    estimated = footprint.of_render(info, **footprint.extent(found, info))
    if what == "mattes":
        estimated = footprint.of_mattes(info, len(instances))
    return measured - workshop.results.bytes - workshop.intermediates.bytes, estimated


def main() -> None:
    what, width, height, dtype, layers, window = sys.argv[1:]
    clip = Clip(int(width), int(height), dtype, count=max(4, int(window)))
    with tempfile.TemporaryDirectory() as folder:
        store = AnalysisStore(Path(folder), 1 << 30)
        if what == "analyse":
            print(*of_analysis(clip, store))
        else:
            print(*of_render(clip, store, int(layers), int(window), what))


if __name__ == "__main__":
    main()
