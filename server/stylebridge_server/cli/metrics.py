"""`stylebridge metrics`: how steady, how sharp and how styled a clip is, whoever made it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge.requests import Progress
from stylebridge.wording import suggestion
from stylebridge_models import kinds, loss_networks
from stylebridge_server import media, temporal
from stylebridge_server import style as styles_room
from stylebridge_server.cli.noise import noise_response
from stylebridge_server.cli.plot import Line, Panel, draw
from stylebridge_server.cli.progress import progress
from stylebridge_server.colour import encode_declared
from stylebridge_server.shot.shown import as_rgb8
from stylebridge_server.train.judge import SMALLEST, Judge, Seen, content_distance, style_distance
from stylebridge_server.values import FlowPair, Rgb8
from stylebridge_server.worker.styles import Styles

LINES = 360  # short side at which errors over time and sharpness are measured, never enlarged to
CUT_LINES = 144  # short side at which cuts are looked for
DISTANCE_LINES = 512  # short side at which content and style are compared
DISTANCES = (1, 10)  # frames between the two of a pair
SAMPLES = 24  # frames that content and style are compared on, evenly spaced
NOISY = 5  # frames that noise is added to, evenly spaced
_ASPECT = 0.02  # how far the aspect of two clips may be apart

FLOWS: dict[str, Callable[[Rgb8, Rgb8], FlowPair]] = {
    "dis": temporal.flow_pair,
    "farneback": temporal.other_flow,
}


@dataclass(frozen=True)
class Job:
    """What is to be measured.

    Attributes:
        source, styled: paths or patterns.
        style: picture or name of the style, or None.
        frames: first and last of the source's that were styled, or None for all.
        flow: one of `FLOWS`.
        noise: whether to run the style's network on noisy frames.
        quiet: no progress bars.
    """

    source: str
    styled: str
    style: str | None = None
    frames: tuple[int, int] | None = None
    flow: str = "dis"
    noise: bool = False
    quiet: bool = False


@dataclass
class Report:
    """What was measured; means over frames. What could not be is None or missing, and `notes` says why.

    Attributes:
        frames: first and last, in the source's numbers.
        flow: method.
        error: by distance in frames, {"source": E_warp, "styled": E_warp}.
        sharpness: {"source": ..., "styled": ...}.
        content, style: distances on SqueezeNet's features.
        noise: mean change of the output over mean change of the input, for noise of deviation 2/255.
        series: one row a pair: frame, distance, source, styled.
        notes: sentences.
    """

    source: str
    styled: str
    frames: tuple[int, int]
    flow: str
    error: dict[int, dict[str, float]] = field(default_factory=dict)
    sharpness: dict[str, float] = field(default_factory=dict)
    content: float | None = None
    style: float | None = None
    noise: float | None = None
    series: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def measure(job: Job) -> Report:
    """Reads both clips once and measures them.

    Raises:
        StylebridgeError: BAD_VALUE where the clips do not fit each other or an option is wrong; as opening does.
    """
    if job.flow not in FLOWS:
        raise StylebridgeError(
            Code.BAD_VALUE, f"There is no flow method '{job.flow}': {suggestion(job.flow, FLOWS)}"
        )
    if job.noise and job.style is None:
        raise StylebridgeError(
            Code.BAD_VALUE, "--noise runs the style's network: say which with --style NAME or PICTURE."
        )
    with media.open_source(job.source) as source, media.open_source(job.styled) as styled:
        pairs = _paired(job, source, styled)
        network = _network(job)  # so that what cannot be found is said before the work
        report = Report(job.source, job.styled, (pairs[0][0], pairs[-1][0]), job.flow)
        judge, painting = _judge(job, report)
        if judge is not None and min(source.info.width, source.info.height) < SMALLEST:
            judge = None
            report.notes.append(
                f"Content and style were not compared: that needs pictures of {SMALLEST} pixels each way."
            )
        with progress(job.quiet) as say:

            def step(done: int, stage: str) -> None:
                say(Progress(done, len(pairs), stage, 0.0))

            cuts = _cuts(source, pairs, step)
            _over_time(source, styled, pairs, cuts, report, step)
            if judge is not None:
                _compared(source, styled, _spread(pairs, SAMPLES), judge, painting, report)
            if network is not None:
                report.noise = noise_response(
                    *network, [source.read(number) for number, _ in _spread(pairs, NOISY)]
                )
    return report


def as_table(report: Report) -> str:
    """The report for people."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in ("source", "styled", "styled - source"):
        table.add_column(title, justify="right")
    for distance, row in report.error.items():
        name = f"E_warp, {distance} frame{'s' if distance > 1 else ''} apart"
        table.add_row(
            name, *(f"{n:.6f}" for n in (row["source"], row["styled"], row["styled"] - row["source"]))
        )
    a, b = report.sharpness["source"], report.sharpness["styled"]
    table.add_row("sharpness", f"{a:.2f}", f"{b:.2f}", f"{b - a:+.2f}")
    for name, value in (
        ("content distance", report.content),
        ("style distance", report.style),
        ("noise response", report.noise),
    ):
        if value is not None:
            table.add_row(name, "", f"{value:.4f}", "")
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    first, last = report.frames
    head = f"{report.styled} beside {report.source}, frames {first} to {last}, flow {report.flow}"
    return "\n".join([head, *(line.rstrip() for line in capture.get().splitlines()), *report.notes])


def as_json(report: Report) -> str:
    """The report for programs."""
    return json.dumps(asdict(report), indent=1)


def plot(report: Report, path: Path) -> None:
    """The errors over the frames as a PNG, a panel for each distance.

    Raises:
        StylebridgeError: BAD_VALUE where there is nothing to draw, NOT_WRITABLE.
    """
    panels = []
    for distance in report.error:
        rows = [row for row in report.series if row["distance"] == distance]
        lines = [
            Line(name, [row["frame"] for row in rows], [row[name] for row in rows])
            for name in ("styled", "source")
        ]
        panels.append(Panel(f"E_warp, {distance} frame{'s' if distance > 1 else ''} apart", lines))
    if not panels:
        raise StylebridgeError(
            Code.BAD_VALUE, f"There is no error over time to draw in {path}: {report.styled} is one frame."
        )
    draw(path, f"{Path(report.styled).name} beside {Path(report.source).name}", "frame", panels)


Pairs = list[tuple[int, int]]  # (the source's number, the styled clip's number) of every frame, in order


def _paired(job: Job, source: media.Source, styled: media.Source) -> Pairs:
    """Which frame of the styled clip was made from which of the source."""
    a, b = source.info, styled.info
    _check_aspect(job, (a.width, a.height), (b.width, b.height))
    first, last = job.frames or (a.first, a.last)
    if first < a.first or last > a.last:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"--frames {first}-{last} is outside {job.source}, which holds frames {a.first} to {a.last}.",
        )
    count = last - first + 1
    if b.count == count:
        start = b.first
    elif job.frames and b.first <= first and last <= b.last:
        start = first
    else:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{job.styled} has {b.count} frames and {count} of {job.source} were to be compared: "
            "say with --frames A-B which of the source's frames were styled.",
        )
    return [(first + i, start + i) for i in range(count)]


def _check_aspect(job: Job, a: tuple[int, int], b: tuple[int, int]) -> None:
    if abs(a[0] * b[1] / (a[1] * b[0]) - 1) > _ASPECT:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{job.styled} is {b[0]}x{b[1]} and {job.source} is {a[0]}x{a[1]}: pictures of another shape cannot be "
            "compared pixel by pixel, so cut or scale one to the other's shape.",
        )


def _network(job: Job) -> tuple[styles_room.Engine, styles_room.Style] | None:
    """What `--noise` runs."""
    if not job.noise or job.style is None:
        return None
    engine = styles_room.load()
    return engine, Styles(engine, engine.device).find(Path, {}, job.style)


def _judge(job: Job, report: Report) -> tuple[Judge | None, Seen | None]:
    """What compares content and style, and what it sees in the style's picture, as far as they are there."""
    network = loss_networks.find_installed(kinds.SQUEEZENET)
    if network is None:
        report.notes.append(
            "Content and style were not compared: that needs SqueezeNet 1.1, which "
            "`stylebridge models import squeezenet1_1.pth` takes in."
        )
        return None, None
    word = None if job.style is None else effect.split_style(job.style)[1]
    if word is None:
        report.notes.append(
            "Style distance was not measured: it needs the style's picture (--style PICTURE)."
        )
        return Judge(network), None
    picture = as_rgb8(media.load_image(Path(word)))
    size = _lines(picture.shape[1], picture.shape[0], DISTANCE_LINES)
    if min(size) < SMALLEST:
        report.notes.append(
            f"Style distance was not measured: the style's picture has fewer than {SMALLEST} pixels one way."
        )
        return Judge(network), None
    judge = Judge(network)
    return judge, judge.see(_scaled(picture, size))


def _seen(source: media.Source, number: int) -> Rgb8:
    """A frame as a display shows it, whatever the source's colour space."""
    return as_rgb8(source.read(number), encode_declared(source.info))


def _cuts(source: media.Source, pairs: Pairs, step: Callable[[int, str], None]) -> list[int]:
    """The source's cuts: a pair of frames across one says nothing."""
    size = _lines(source.info.width, source.info.height, CUT_LINES)

    def pictures() -> Iterator[tuple[int, Rgb8]]:
        for place, (number, _) in enumerate(pairs):
            yield number, _scaled(_seen(source, number), size)
            step(place + 1, "cuts")

    return temporal.find_cuts(pictures())


def _over_time(
    source: media.Source,
    styled: media.Source,
    pairs: Pairs,
    cuts: list[int],
    report: Report,
    step: Callable[[int, str], None],
) -> None:
    """E_warp of every pair of frames, and sharpness of every frame, in one reading."""
    size = _lines(source.info.width, source.info.height, LINES)
    flow = FLOWS[report.flow]
    held: list[tuple[int, Rgb8, Rgb8]] = []
    sharp = []
    for place, (number, other) in enumerate(pairs):
        now = (
            number,
            _scaled(_seen(source, number), size),
            _scaled(_seen(styled, other), size),
        )
        sharp.append([temporal.sharpness(now[1]), temporal.sharpness(now[2])])
        for distance in DISTANCES:
            if len(held) < distance:
                continue
            then = held[-distance]
            if any(then[0] < cut <= number for cut in cuts):
                continue
            field_ = flow(then[1], now[1])
            report.series.append(
                {
                    "frame": then[0],
                    "distance": distance,
                    "source": temporal.warp_error(then[1], now[1], field_),
                    "styled": temporal.warp_error(then[2], now[2], field_),
                }
            )
        held = [*held, now][-max(DISTANCES) :]
        step(place + 1, "measuring")
    for distance, name in itertools.product(DISTANCES, ("source", "styled")):
        values = [row[name] for row in report.series if row["distance"] == distance]
        if values:
            report.error.setdefault(distance, {})[name] = float(np.mean(values))
    if not report.error:
        report.notes.append("Error over time was not measured: that needs two frames of one scene.")
    report.sharpness = dict(zip(("source", "styled"), np.mean(sharp, 0).tolist(), strict=True))


def _compared(
    source: media.Source,
    styled: media.Source,
    pairs: Pairs,
    judge: Judge,
    painting: Seen | None,
    report: Report,
) -> None:
    size = _lines(source.info.width, source.info.height, DISTANCE_LINES)
    content, style = [], []
    for number, other in pairs:
        result = judge.see(_scaled(_seen(styled, other), size))
        content.append(content_distance(result, judge.see(_scaled(_seen(source, number), size))))
        if painting is not None:
            style.append(style_distance(result, painting))
    report.content = float(np.mean(content))
    report.style = float(np.mean(style)) if style else None


def _spread(pairs: Pairs, most: int) -> Pairs:
    """At most so many, evenly spaced, the first and the last among them."""
    count = min(most, len(pairs))
    return [pairs[round(i * (len(pairs) - 1) / max(1, count - 1))] for i in range(count)]


def _lines(width: int, height: int, lines: int) -> tuple[int, int]:
    """Width and height at a short side of `lines`, never enlarged."""
    scale = min(1.0, lines / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _scaled(picture: Rgb8, size: tuple[int, int]) -> Rgb8:
    """The picture at (width, height)."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    way = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way))
