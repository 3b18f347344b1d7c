"""How steady the window makes a styled clip, beside a recursive filter and MicroAST.

    python -m benchmarks.steady                       the example shot, judged by its exact flow
    python -m benchmarks.steady --clips FOLDER        also other clips, judged by Farneback's flow

R = (E - E_source) / (E_MicroAST per frame - E_source), E being E_warp over 1 and over 10 frames (see `temporal`): 0 is
as steady as the source, 1 as unsteady as MicroAST. Where MicroAST is not named by $STYLEBRIDGE_MICROAST (the folder of
its four files) the table holds E alone. Writes out/steady.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stylebridge_models.microast import MicroAst
from stylebridge_server import media, style, temporal
from stylebridge_server.style.pixels import shrunk, to_rgb
from stylebridge_server.values import FlowPair, Rgb, Rgb8, Tile

from . import peer
from .window import halved, links

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "examples"))
from truth import FLOW_STRIDE, Truth  # noqa: E402

SIZE = (360, 640)
WINDOWS = (1, 8, 12)
RECURSION = 0.1  # share of the new frame in a recursive filter
DISTANCES = (1, 10)

Frames = list[Rgb]
Judge = Callable[[int, int], FlowPair]  # flow from one frame to a later one, by number


def clip(path: Path, count: int) -> Frames:
    """The first frames of a clip at 360 lines, (h, w, 3) float32 sRGB."""
    with media.open_source(path) as source:
        last = min(source.info.last, source.info.first + count - 1)
        pictures = [np.asarray(frame.pixels[..., :3]) for frame in source.frames(source.info.first, last)]
    width = round(pictures[0].shape[1] * SIZE[0] / pictures[0].shape[0])
    return [
        cv2.resize(one, (width, SIZE[0]), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        for one in pictures
    ]


def steadied(source: Frames, styled: Frames, window: int) -> Frames:
    """Every frame as `shot.streams` blends it."""
    if window == 1:
        return styled
    flows, halves = halved(source)
    height, width = source[0].shape[:2]
    result = []
    for t in range(len(source)):
        numbers, sides = links(flows, halves, t, window)
        taps = temporal.taps(halves[t], (height, width), *sides)
        whole = Tile(0, 0, width, height)
        result.append(np.clip(temporal.blend(taps, whole, [styled[k] for k in numbers]), 0, 1))
    return result


def recursive(source: Frames, styled: Frames) -> Frames:
    """The usual filter: each frame mixed into the result before it, brought along by flow where that holds."""
    result = [styled[0]]
    for before, now, new in zip(source, source[1:], styled[1:], strict=False):
        pair = temporal.flow_pair(now, before)
        there = temporal.flow.grid(*now.shape[:2]) + pair.forward
        kept = cv2.remap(result[-1], there, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        alike = np.exp(-50 * ((temporal.flow.sample(before, there) - now) ** 2).sum(-1))
        share = ((1 - RECURSION) * pair.forward_valid * alike)[..., None]
        result.append(np.clip(share * kept + (1 - share) * new, 0, 1))
    return result


def by_engine(engine: style.Engine, code: NDArray[np.float32], source: Frames) -> Frames:
    """Our network, frame by frame, with the statistics of the scene."""
    height, width = source[0].shape[:2]
    places = sorted({round(i * (len(source) - 1) / 8) for i in range(9)})
    statistics = engine.statistics([source[k] for k in places])
    result = []
    for frame in source:
        features = engine.features(frame)
        canvas = np.empty((height, width, 3), np.float32)
        for piece in style.pieces(style.tiles(height, width)):
            canvas[piece.slices] = engine.decode(features, statistics, code, piece)
        result.append(np.clip(canvas, 0, 1))
    return result


@torch.inference_mode()
def by_peer(network: MicroAst, picture: NDArray[np.uint8], source: Frames) -> Frames:
    """MicroAST as published, each frame by itself."""
    tensor = lambda rgb: torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None]  # noqa: E731
    signals = network.signals(tensor(shrunk(to_rgb(picture), 512)))
    return [
        np.clip(network.stylise(tensor(frame), signals)[0].permute(1, 2, 0).numpy(), 0, 1) for frame in source
    ]


def exact(count: int) -> Judge:
    """The example shot's own flow, chained frame by frame; valid where every link is seen."""
    truth = Truth()
    grid = temporal.flow.grid(*SIZE)

    def link(k: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        flow = cv2.resize(truth.forward(k), SIZE[::-1], interpolation=cv2.INTER_NEAREST)
        seen = cv2.resize(truth.visible(k).astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_NEAREST)
        # Samples lie on every second pixel: the pixels beside them count where flow is even.
        even = cv2.resize(truth.forward(k), SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        return even, seen * (np.abs(even - flow).max(-1) < 0.25)

    links = [link(k) for k in range(count - 1)]
    assert FLOW_STRIDE == 2

    def judge(a: int, b: int) -> FlowPair:
        places, valid = grid.copy(), np.ones(SIZE, np.float32)
        for flow, seen in links[a:b]:
            valid *= temporal.flow.sample(seen, places) > 0.99
            places = places + temporal.flow.sample(flow, places)
        valid *= temporal.flow.inside(places)
        forward = places - grid
        return FlowPair(forward, forward, valid, valid)

    return judge


def found(source: Frames) -> Judge:
    """Farneback's flow, which the filter does not use."""
    shown = [_eight(one) for one in source]
    return lambda a, b: temporal.other_flow(shown[a], shown[b])


def errors(clips: Sequence[Frames], judge: Judge) -> list[list[float]]:
    """E_warp of each clip over the distances; the flow of a pair is found once for all of them."""
    shown = [[_eight(one) for one in frames] for frames in clips]
    sums = [[0.0] * len(DISTANCES) for _ in clips]
    for place, distance in enumerate(DISTANCES):
        pairs = range(0, len(clips[0]) - distance, distance)
        for t in pairs:
            flow = judge(t, t + distance)
            for own, frames in zip(sums, shown, strict=True):
                own[place] += temporal.warp_error(frames[t], frames[t + distance], flow) / len(pairs)
    return sums


def table(
    title: str, source: Frames, painting: Path, judge: Judge, engine: style.Engine, preset: str | None
) -> list[str]:
    """One clip in one style; ours by the preset where one is named."""
    picture = media.load_image(painting).pixels
    code = engine.presets()[preset].code if preset else engine.code(picture)
    ours = by_engine(engine, code, source)
    rows: dict[str, Frames] = {
        f"ours, window {n}" if n > 1 else "ours, per frame": steadied(source, ours, n) for n in WINDOWS
    }
    rows["ours, recursive filter"] = recursive(source, ours)
    network = peer.network()
    if network:
        theirs = by_peer(network, picture, source)
        rows |= {"MicroAST, per frame": theirs, "MicroAST, window 8": steadied(source, theirs, 8)}
    base, *measured = errors([source, *rows.values()], judge)
    theirs_alone = dict(zip(rows, measured, strict=True)).get(
        "MicroAST, per frame", [math.nan] * len(DISTANCES)
    )
    sharp = [np.mean([temporal.sharpness(_eight(one)) for one in frames]) for frames in rows.values()]
    lines = [
        "",
        f"### {title}, {painting.stem}",
        "",
        "| | E1 | E10 | R1 | R10 | sharpness |",
        "|---|---|---|---|---|---|",
    ]
    lines.append(f"| source | {base[0]:.5f} | {base[1]:.5f} | | | |")
    for name, own, sharpness in zip(rows, measured, sharp, strict=True):
        ratios = [(e - b) / (p - b) for e, b, p in zip(own, base, theirs_alone, strict=True)]
        said = ["" if math.isnan(one) else f"{one:.3f}" for one in ratios]
        lines.append(
            f"| {name} | {own[0]:.5f} | {own[1]:.5f} | {said[0]} | {said[1]} | {sharpness / sharp[0]:.3f} |"
        )
    return lines


def _eight(rgb: Rgb) -> Rgb8:
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", type=Path, required=True, help="a painting")
    parser.add_argument("--preset", help="the preset of the same painting, in place of a code made of it")
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="movies")
    parser.add_argument("--frames", type=int, default=48, help="of each clip, from its first")
    chosen = parser.parse_args()
    engine = style.load()
    source = clip(ROOT / "examples/shot/plate.mp4", chosen.frames)
    lines = table(
        "Example shot (exact flow)", source, chosen.style, exact(len(source)), engine, chosen.preset
    )
    print("\n".join(lines), flush=True)
    for path in chosen.clips:
        source = clip(path, chosen.frames)
        lines += table(f"{path.stem} (Farneback)", source, chosen.style, found(source), engine, chosen.preset)
        print("\n".join(lines[-12:]), flush=True)
    out = ROOT / "out/steady.md"
    out.parent.mkdir(exist_ok=True)
    out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
