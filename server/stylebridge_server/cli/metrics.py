"""`stylebridge metrics`: how steady, how sharp and how styled a clip is, whoever made it."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from stylebridge import effect
from stylebridge.client import OnProgress
from stylebridge.errors import Code, StylebridgeError
from stylebridge.requests import Progress
from stylebridge.wording import suggestion
from stylebridge_models import kinds, loss_networks, optical_flow
from stylebridge_server import media, temporal
from stylebridge_server import style as styles_room
from stylebridge_server.cli.difference import Difference
from stylebridge_server.cli.noise import noise_response
from stylebridge_server.cli.plot import Line, Panel, draw
from stylebridge_server.cli.progress import progress
from stylebridge_server.colour import encode_declared
from stylebridge_server.shot.shown import as_rgb8
from stylebridge_server.temporal import raft
from stylebridge_server.train.judge import SMALLEST, Judge, Seen, content_distance, style_distance
from stylebridge_server.values import FlowPair, Rgb, Rgb8
from stylebridge_server.worker.styles import Styles

LINES = 360  # short side at which errors over time and sharpness are measured, never enlarged to
CUT_LINES = 144  # short side at which cuts are looked for
DISTANCE_LINES = 512  # short side at which content and style are compared
DISTANCES = (1, 10)  # frames between the two of a pair
SAMPLES = 24  # frames that content and style are compared on, evenly spaced
NOISY = 5  # frames that noise is added to, evenly spaced
_ASPECT = 0.02  # how far the aspect of two clips may be apart

Flow = Callable[[Rgb8, Rgb8], FlowPair]

FLOWS: dict[str, Flow] = {"dis": temporal.flow_pair, "farneback": temporal.other_flow}
NAMES = (*FLOWS, *optical_flow.WHAT)
WORDS = {"source": "source", "styled": "styled", "per_frame": "per frame"}


@dataclass(frozen=True)
class Job:
    """What is to be measured.

    Attributes:
        source, styled: paths or patterns.
        style: picture or name of the style, or None.
        frames: first and last of the source's that were styled, or None for all.
        flow: one of `NAMES`.
        noise: whether to run the style's network on noisy frames.
        quiet: no progress bars.
        per_frame: the same style without anything that steadies it, to stand beside; or None.
        difference: a video of the differences over time is written there; or None.
        deinterlace: what becomes of interlaced clips, see `media.open_source`.
    """

    source: str
    styled: str
    style: str | None = None
    frames: tuple[int, int] | None = None
    flow: str = "dis"
    noise: bool = False
    quiet: bool = False
    per_frame: str | None = None
    difference: Path | None = None
    deinterlace: str = "refuse"

    @property
    def clips(self) -> dict[str, str]:
        """What is compared, by what reports call it."""
        clips = {"source": self.source, "styled": self.styled}
        return clips if self.per_frame is None else {**clips, "per_frame": self.per_frame}


@dataclass
class Report:
    """What was measured; means over frames. What could not be is None or missing, and `notes` says why.

    Attributes:
        frames: first and last, in the source's numbers.
        flow: method.
        error: by distance in frames, {"source": E_warp, "styled": E_warp}, and "per_frame" where that was given.
        sharpness: the same.
        content, style: distances on SqueezeNet's features.
        noise: mean change of the output over mean change of the input, for noise of deviation 2/255.
        series: one row a pair: frame, distance, source, styled and, where it was given, per_frame.
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
    """Reads the clips once and measures them.

    Raises:
        StylebridgeError: BAD_VALUE where the clips do not fit each other or an option is wrong; as opening does.
    """
    flow = _flow(job.flow)
    if job.noise and job.style is None:
        raise StylebridgeError(
            Code.BAD_VALUE, "--noise runs the style's network: say which with --style NAME or PICTURE."
        )
    with contextlib.ExitStack() as stack:
        clips = {
            name: stack.enter_context(media.open_source(path, deinterlace=job.deinterlace))
            for name, path in job.clips.items()
        }
        source, styled = clips["source"], clips["styled"]
        pairs = _paired(job, job.styled, source, styled)
        numbers = {"source": [a for a, _ in pairs], "styled": [b for _, b in pairs]}
        if job.per_frame is not None:
            numbers["per_frame"] = [b for _, b in _paired(job, job.per_frame, source, clips["per_frame"])]
        network = _network(job)  # so that what cannot be found is said before the work
        report = Report(job.source, job.styled, (pairs[0][0], pairs[-1][0]), job.flow)
        judge, painting = _judge(job, report)
        if judge is not None and min(source.info.width, source.info.height) < SMALLEST:
            judge = None
            report.notes.append(
                f"Content and style were not compared: that needs pictures of {SMALLEST} pixels each way."
            )
        video = (
            None if job.difference is None else stack.enter_context(_video(job.difference, clips, len(pairs)))
        )
        with progress(job.quiet) as say:

            def step(done: int, stage: str) -> None:
                say(Progress(done, len(pairs), stage, 0.0))

            cuts = _cuts(source, pairs, step)
            _over_time(clips, numbers, flow, cuts, report, video, step)
            if judge is not None:
                _compared(source, styled, _spread(pairs, SAMPLES), judge, painting, report, say)
            if network is not None:
                report.noise = noise_response(
                    *network, [source.read(number) for number, _ in _spread(pairs, NOISY)]
                )
    return report


def as_table(report: Report) -> str:
    """The report for people."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    clips = list(report.sharpness)
    for title in (*(WORDS[name] for name in clips), "styled - source"):
        table.add_column(title, justify="right")
    for distance, row in report.error.items():
        values = [*(row[name] for name in clips), row["styled"] - row["source"]]
        table.add_row(_apart(distance), *(f"{value:.6f}" for value in values))
    sharp = report.sharpness
    change = f"{sharp['styled'] - sharp['source']:+.2f}"
    table.add_row("sharpness", *(f"{sharp[name]:.2f}" for name in clips), change)
    for name, value in (
        ("content distance", report.content),
        ("style distance", report.style),
        ("noise response", report.noise),
    ):
        if value is not None:
            table.add_row(name, "", f"{value:.4f}", *[""] * (len(clips) - 1))
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
            Line(WORDS[name], [row["frame"] for row in rows], [row[name] for row in rows])
            for name in ("styled", "source", "per_frame")
            if name in rows[0]
        ]
        panels.append(Panel(_apart(distance), lines))
    if not panels:
        raise StylebridgeError(
            Code.BAD_VALUE, f"There is no error over time to draw in {path}: {report.styled} is one frame."
        )
    draw(path, f"{Path(report.styled).name} beside {Path(report.source).name}", "frame", panels)


def _apart(distance: int) -> str:
    return f"E_warp, {distance} frame{'s' if distance > 1 else ''} apart"


def _flow(name: str) -> Flow:
    """The method of that name; raises as `measure` does, and where its network is not installed."""
    if name not in NAMES:
        raise StylebridgeError(Code.BAD_VALUE, f"There is no flow method '{name}': {suggestion(name, NAMES)}")
    if name in FLOWS:
        return FLOWS[name]
    method = raft.opened(name, "cpu")
    return lambda a, b: temporal.believed(method.pair((0, 1), (_unit(a), _unit(b))))


def _unit(picture: Rgb8) -> Rgb:
    return picture.astype(np.float32) / np.float32(255)


def _video(path: Path, clips: Mapping[str, media.Source], count: int) -> Difference:
    info = clips["source"].info
    size = _lines(info.width, info.height, LINES)
    return Difference(path, [WORDS[name] for name in clips], size, count, info.rate)


Pairs = list[tuple[int, int]]  # (the source's number, the styled clip's number) of every frame, in order


def _paired(job: Job, name: str, source: media.Source, styled: media.Source) -> Pairs:
    """Which frame of the styled clip was made from which of the source."""
    a, b = source.info, styled.info
    _check_aspect(job, name, (a.width, a.height), (b.width, b.height))
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
            f"{name} has {b.count} frames and {count} of {job.source} were to be compared: "
            "say with --frames A-B which of the source's frames were styled.",
        )
    return [(first + i, start + i) for i in range(count)]


def _check_aspect(job: Job, name: str, a: tuple[int, int], b: tuple[int, int]) -> None:
    if abs(a[0] * b[1] / (a[1] * b[0]) - 1) > _ASPECT:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{name} is {b[0]}x{b[1]} and {job.source} is {a[0]}x{a[1]}: pictures of another shape cannot be "
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
    clips: Mapping[str, media.Source],
    numbers: Mapping[str, Sequence[int]],
    flow: Flow,
    cuts: list[int],
    report: Report,
    video: Difference | None,
    step: Callable[[int, str], None],
) -> None:
    """E_warp of every pair of frames, and sharpness of every frame, in one reading; and the video of them."""
    info = clips["source"].info
    size = _lines(info.width, info.height, LINES)
    held: list[tuple[int, dict[str, Rgb8]]] = []
    sharp: dict[str, list[float]] = {name: [] for name in clips}
    for place, number in enumerate(numbers["source"]):
        now = {name: _scaled(_seen(clip, numbers[name][place]), size) for name, clip in clips.items()}
        for name, picture in now.items():
            sharp[name].append(temporal.sharpness(picture))
        beside: FlowPair | None = None
        for distance in DISTANCES:
            if len(held) < distance:
                continue
            first, then = held[-distance]
            if any(first < cut <= number for cut in cuts):
                continue
            pair = flow(then["source"], now["source"])
            beside = pair if distance == 1 else beside
            errors = {name: temporal.warp_error(then[name], now[name], pair) for name in clips}
            report.series.append({"frame": first, "distance": distance, **errors})
        if video is not None and held:
            video.add(list(held[-1][1].values()), list(now.values()), beside)
        held = [*held, (number, now)][-max(DISTANCES) :]
        step(place + 1, "measuring")
    if video is not None:
        video.add(list(held[-1][1].values()), None, None)
    for distance, name in itertools.product(DISTANCES, clips):
        values = [row[name] for row in report.series if row["distance"] == distance]
        if values:
            report.error.setdefault(distance, {})[name] = float(np.mean(values))
    if not report.error:
        report.notes.append("Error over time was not measured: that needs two frames of one scene.")
    report.sharpness = {name: float(np.mean(values)) for name, values in sharp.items()}


def _compared(
    source: media.Source,
    styled: media.Source,
    pairs: Pairs,
    judge: Judge,
    painting: Seen | None,
    report: Report,
    say: OnProgress,
) -> None:
    size = _lines(source.info.width, source.info.height, DISTANCE_LINES)
    content, style = [], []
    for done, (number, other) in enumerate(pairs, 1):
        result = judge.see(_scaled(_seen(styled, other), size))
        content.append(content_distance(result, judge.see(_scaled(_seen(source, number), size))))
        if painting is not None:
            style.append(style_distance(result, painting))
        say(Progress(done, len(pairs), "comparing", 0.0))
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
