"""Whether a long shot of a camera that stands still drifts in colour or loses sharpness in the window.

    python -m benchmarks.drift --clip MOVIE       the first 500 frames of a clip
    python -m benchmarks.drift                    a still texture with grain that is new in every frame

The background is what the source itself keeps: pixels that, but for 1 % of the frames, never leave their median over
time by more than noise. Its mean colour is followed through the source, the styled frames by themselves and the window.
The drift is the mean of the last 50 frames less that of the first 50, the source's own taken off. Writes out/drift.png:
how far the mean colour lies from that of the first 50 frames, over time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge import effect
from stylebridge_server import media, style, temporal
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.shot import Shot
from stylebridge_server.shot.streams import Streams, StreamSpec, Workshop
from stylebridge_server.values import Frame, SourceInfo

OUT = Path(__file__).resolve().parent.parent / "out/drift.png"
LINES = 144
ENDS = 50  # frames at either end that are compared
NOISE = 5.0  # of 255: what a pixel, averaged over 5x5, may leave its median by
LIMIT = 0.5  # of 255

Frames = NDArray[np.uint8]  # (count, h, w, 3), sRGB
Series = NDArray[np.float64]  # (count, 3)


class Held:
    """Frames in memory as a source."""

    def __init__(self, frames: Frames) -> None:
        count, height, width = frames.shape[:3]
        self.info = SourceInfo("frames", width, height, 0, count - 1, 3, "uint8", Fraction(24))
        self._frames = frames

    def read(self, number: int) -> Frame:
        return Frame(number, self._frames[number])

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return "held"

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        pass


def clip(path: Path, count: int) -> Frames:
    """The first frames of a movie, at 144 lines."""
    with media.open_source(path) as source:
        first = source.info.first
        width = round(source.info.width * LINES / source.info.height)
        found = [
            cv2.resize(np.asarray(frame.pixels[..., :3]), (width, LINES), interpolation=cv2.INTER_AREA)
            for frame in source.frames(first, min(source.info.last, first + count - 1))
        ]
    return np.stack(found)


def still(count: int) -> Frames:
    """A texture that stands still, with grain."""
    random = np.random.default_rng(3)
    wide = cv2.GaussianBlur(random.random((LINES, 256, 3)), (0, 0), 5)
    wide = cv2.normalize(wide, None, 40, 215, cv2.NORM_MINMAX)
    grained = (wide + 3 * random.standard_normal(wide.shape, dtype=np.float32) for _ in range(count))
    return np.stack([np.rint(np.clip(one, 0, 255)).astype(np.uint8) for one in grained])


def background(source: Frames) -> NDArray[np.bool_]:
    """What the source keeps: (h, w)."""
    soft = np.stack([cv2.blur(frame, (5, 5)) for frame in source]).astype(np.int16)
    away = np.abs(soft - np.median(soft, axis=0).astype(np.int16)).max(-1)
    kept = np.percentile(away, 99, axis=0) <= NOISE
    # What the network sees around a pixel shows in it.
    return cv2.erode(kept.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


def styled(source: Frames, preset: str, window: int) -> Frames:
    """As a worker renders it."""
    engine = style.load()
    workshop = Workshop(engine, "drift", Cache(1 << 28), Cache(1 << 29))
    streams = Streams(Shot(Held(source)), [(0, len(source) - 1)], workshop)
    spec = StreamSpec(style.CodeStyle(engine.presets()[preset].code), 1.0, window, 1.0)
    everywhere = np.ones(source.shape[1:3], np.float32)
    pictures = [streams.picture(spec, k, 0.0, everywhere) for k in range(len(source))]
    return np.stack([np.rint(one * 255).astype(np.uint8) for one in pictures])


def ends(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more the last frames have than the first."""
    return np.asarray(series[-ENDS:].mean(0) - series[:ENDS].mean(0))


def drawn(rows: dict[str, Series]) -> NDArray[np.uint8]:
    """A plot for each: how far red, green and blue lie from the mean of the first frames; lines at 0 and the limit."""
    height, scale = 160, 40.0  # pixels a plot, pixels for 1 of 255
    plots = []
    for name, series in rows.items():
        plot = np.full((height, 60 + len(series) * 2, 3), 255, np.uint8)
        middle = height // 2
        for level in (0.0, LIMIT, -LIMIT):
            y = round(middle - level * scale)
            cv2.line(plot, (60, y), (plot.shape[1], y), (170, 170, 170), 1)
            cv2.putText(plot, f"{level:+.1f}", (8, y + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (90, 90, 90), 1)
        away = series - series[:ENDS].mean(0)
        for channel, colour in enumerate(((210, 30, 30), (20, 140, 40), (40, 60, 220))):
            points = [(60 + 2 * k, round(middle - scale * value)) for k, value in enumerate(away[:, channel])]
            cv2.polylines(plot, [np.array(points, np.int32)], False, colour, 1, cv2.LINE_AA)
        cv2.putText(plot, name, (70, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        plots.append(plot)
    return np.concatenate(plots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, help="a movie of a camera that stands still")
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--preset", default="starry-night")
    chosen = parser.parse_args()
    source = clip(chosen.clip, chosen.frames) if chosen.clip else still(chosen.frames)
    mask = background(source)
    window = effect.find("window").default
    clips = {"source": source}
    for name, length in (("per frame", 1), (f"window {window}", window)):
        begun = time.perf_counter()
        clips[name] = styled(source, chosen.preset, length)
        print(f"{name}: {(time.perf_counter() - begun) / len(source):.2f} s a frame", flush=True)
    means = {name: np.stack([one[mask].mean(0) for one in frames]) for name, frames in clips.items()}
    lines = [
        "",
        f"{len(source)} frames of {source.shape[2]}x{LINES}, {mask.mean():.0%} background, {chosen.preset}",
        "",
        "| | drift of red, green, blue (of 255) | less the source's | deviation over time | sharpness, last to first |",
        "|---|---|---|---|---|",
    ]
    for name, frames in clips.items():
        own = ends(means[name])
        more = np.abs(own - ends(means["source"])).max()
        sharp = np.array([temporal.sharpness(one) for one in frames])
        ratio = sharp[-ENDS:].mean() / sharp[:ENDS].mean()
        said = ", ".join(f"{value:+.2f}" for value in own)
        lines.append(f"| {name} | {said} | {more:.2f} | {means[name].std(0).max():.2f} | {ratio:.3f} |")
    print("\n".join(lines))
    OUT.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(OUT), np.ascontiguousarray(drawn(means)[..., ::-1]))


if __name__ == "__main__":
    main()
