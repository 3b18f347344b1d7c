"""`make bench`: what a render costs, as ratios within one run, for machines are shared and noisy.

    styles      the embedded style network, beside MicroAST where STYLEBRIDGE_MICROAST names the folder of its weights
    rooms       each step of a frame at 640x360, beside the sum of a frame
    window      the window in sequence, beside the least that its flow and its readings could cost
    keyframes   a first render, the same with other strengths, and one styled frame by frame
    disk        a render without, into and out of the disk cache, each by a server of its own
    memory      peak memory of the worker for a clip and for one ten times as long
    overlap     reading, styling and writing a 4K EXR sequence, apart and together
    colour      a compositor's frame to what networks see and back, beside plain numpy
    bridge      what the bridge adds to a frame's way; also `stylebridge bench bridge`

Prints tables, and writes them to out/bench.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stylebridge import reach
from stylebridge.client import Analysis, Client, Shot
from stylebridge.look import Look
from stylebridge_server import colour, composite, media, style, temporal
from stylebridge_server.cli.bench import bridge as bench_bridge
from stylebridge_server.cli.render.run import RESULTS_MB
from stylebridge_server.shot.looks import load_look
from stylebridge_server.values import Tile
from stylebridge_server.worker.fingerprint import settle_threads

from . import overlap, styles, window
from .colour import colours
from .timing import median_ms

ROOT = Path(__file__).resolve().parent.parent
PLATE = ROOT / "examples/shot/plate.mp4"
LOOK = ROOT / "examples/demo.toml"


def rooms() -> list[str]:
    """Every step of one frame, in the example's size."""
    threads = settle_threads()
    engine = style.load()
    with media.open_source(PLATE) as source:
        frames = [source.read(number) for number in range(window.SPAN)]
    plates = [colour.to_working(frame.pixels) for frame in frames]
    height, width = plates[0].shape[:2]
    pieces = style.pieces(style.tiles(height, width))
    whole = Tile(0, 0, width, height)
    code = next(iter(engine.presets().values())).code
    features = engine.features(plates[0])
    scene = engine.statistics(plates[:1])
    middle = reach.handles(window.WINDOW)[0]
    numbers, sides = window.links(*window.halved(plates), middle, window.WINDOW)
    half, size = temporal.shown(plates[middle]), (height, width)
    taps = temporal.taps(half, size, *sides)
    ordered = [plates[k] for k in numbers]
    matte = np.full((height, width), 0.5, np.float32)
    steps = {
        "encode the plate": lambda: engine.features(plates[0]),
        "decode one style, all tiles": lambda: [engine.decode(features, scene, code, one) for one in pieces],
        "one flow pair": lambda: window.half_flow(plates[0], plates[1]),
        f"follow a window of {window.WINDOW}": lambda: temporal.taps(half, size, *sides),
        "blend one stream": lambda: temporal.blend(taps, whole, ordered),
        "composite one layer": lambda: composite.composite(frames[0].pixels, [(matte, 0.5, plates[0])]),
    }
    times = {name: median_ms(step) for name, step in steps.items()}
    total = sum(times.values())
    rows = [f"| {name} | {ms:.1f} | {ms / total:.0%} |" for name, ms in times.items()]
    return [
        f"## One frame of one style over the whole picture, {width}x{height}, {threads} threads",
        "",
        "| step | ms | share |",
        "|---|---|---|",
        *rows,
        f"| together | {total:.1f} | 100% |",
        "",
    ]


def windowed() -> list[str]:
    """The window in the example's size."""
    with media.open_source(PLATE) as source:
        return window.cost([colour.to_working(source.read(number).pixels) for number in range(window.SPAN)])


def rendered(client: Client, shot: Shot, analysis: Analysis, look: Look, frames: range) -> float:
    """Seconds for these frames."""
    start = time.perf_counter()
    for _ in client.render(shot, look.to_data(), frames, analysis=analysis):
        pass
    return time.perf_counter() - start


def halved(strength: Any) -> Any:
    """A strength or its keys, every value half as high: nothing is styled that was not styled before."""
    if isinstance(strength, list):
        return [[frame, value / 2, *way] for frame, value, *way in strength]
    return strength / 2


def keyframes() -> list[str]:
    """A first render, the same with changed strengths, and one without the window."""
    look = load_look(LOOK)
    data = look.to_data()
    for layer in (data["background"], *data["instance"]):
        layer["strength"] = halved(layer.get("strength", 1.0))
    changed = Look.from_data(data)
    with Client.connect() as client:
        shot = client.open_shot(PLATE)
        analysis = client.analyse(shot, data["prompt"])
        first = rendered(client, shot, analysis, look, shot.frames)
        again = rendered(client, shot, analysis, changed, shot.frames)
    with Client.connect() as client:
        shot = client.open_shot(PLATE)
        alone = rendered(client, shot, analysis, replace(look, shot_values={"window": 1}), shot.frames)
    count = len(shot.frames)
    return [
        f"## The demo's render, {count} frames",
        "",
        "| | s | frames/s | against the first |",
        "|---|---|---|---|",
        f"| first render | {first:.1f} | {count / first:.1f} | 1 |",
        f"| again, every strength halved | {again:.1f} | {count / again:.1f} | {again / first:.3f} |",
        f"| each frame by itself (window 1) | {alone:.1f} | {count / alone:.1f} | {alone / first:.2f} |",
        "",
    ]


def disk() -> list[str]:
    """The demo's render without a disk cache, with an empty one, and with the one that this filled."""
    look = load_look(LOOK)
    seconds, counters = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("without", "empty", "warm"):
            os.environ["STYLEBRIDGE_CACHE"] = "" if name == "without" else folder
            with Client.connect() as client:
                shot = client.open_shot(PLATE)
                analysis = client.analyse(shot, look.to_data()["prompt"])
                seconds[name] = rendered(client, shot, analysis, look, shot.frames)
                counters[name] = client.status()["workers"][0]["counters"]
    os.environ["STYLEBRIDGE_CACHE"] = ""
    size = counters["warm"]["caches"]["disk"]["bytes"] / 2**20
    rows = [
        f"| {name} | {time:.1f} | {time / seconds['without']:.3f} | {counters[name]['network']['decode']} |"
        for name, time in seconds.items()
    ]
    return [
        f"## The disk cache: the demo's render, {size:.0f} MiB of tiles",
        "",
        "| cache | s | against none | tiles painted |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def repeated(path: Path, times: int) -> Path:
    """The example's frames over and over, forwards and back."""
    with media.open_source(PLATE) as source:
        numbers = list(range(source.info.first, source.info.last + 1))
        order = [n for k in range(times) for n in (numbers if k % 2 == 0 else numbers[::-1])]
        info = replace(source.info, sound=0)
        with media.open_sink(path, info, 0, len(order) - 1) as sink:
            for place, number in enumerate(order):
                sink.write(replace(source.read(number), number=place))
    return path


def memory() -> list[str]:
    """Peak memory of the worker that renders, for 60 frames and for 600."""
    look = Look.simple("great-wave")
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        clip = repeated(Path(folder) / "long.mp4", 7)
        for count in (60, 600):
            with Client.connect(results_mb=RESULTS_MB) as client:
                shot = client.open_shot(clip)
                analysis = client.analyse(shot, segmenter="none")
                rendered(client, shot, analysis, look, range(min(count, len(shot.frames))))
                peaks[count] = client.status()["workers"][0]["counters"]["peak_memory"] / 2**20
    rows = [f"| {count} | {peak:.0f} | {peak / peaks[60]:.3f} |" for count, peak in peaks.items()]
    return ["## Peak memory of the worker", "", "| frames | MiB | against 60 |", "|---|---|---|", *rows, ""]


def bridge() -> list[str]:
    """A frame's way to the worker and back, beside the least that it could cost."""
    return ["## The bridge", "", bench_bridge.table(bench_bridge.measure()), ""]


def main() -> int:
    """Run everything, or the parts named on the command line."""
    parts = {
        "styles": lambda: styles.report(settle_threads()),
        "rooms": rooms,
        "window": windowed,
        "keyframes": keyframes,
        "disk": disk,
        "memory": memory,
        "overlap": overlap.measure,
        "bridge": bridge,
        "colour": colours,
    }
    chosen = sys.argv[1:] or list(parts)
    # Keys and analyses of its own: a server that is warm already would spoil the figures.
    scratch = tempfile.TemporaryDirectory()
    os.environ.update(
        STYLEBRIDGE_HOME=f"{scratch.name}/home", STYLEBRIDGE_ANALYSES=f"{scratch.name}/analyses"
    )
    report = ["# Benchmarks", ""]
    for name in chosen:
        lines = parts[name]()
        print("\n".join(lines), flush=True)
        report += lines
    target = ROOT / "out" / "bench.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
