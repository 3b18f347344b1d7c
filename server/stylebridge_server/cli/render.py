"""`stylebridge render`: a clip in, a styled clip out, through the same server that the editors' plugins use."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stylebridge import effect
from stylebridge.client import Analysis, Client, OnProgress, Shot
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.wording import suggestion
from stylebridge_server import composite, media
from stylebridge_server.cli.progress import progress
from stylebridge_server.cli.sheet import ContactSheet, chosen, overlay, shrunk
from stylebridge_server.shot.looks import load_look
from stylebridge_server.shot.shot import as_rgb8
from stylebridge_server.values import Frame, Instance, Rgb8, SourceInfo

# What the command line can set without a look: parameters of the whole picture and of the shot.
OPTIONS = effect.scoped(effect.LAYER, effect.SHOT)

#: Memory for finished tiles of a server that is started for one render, in MiB.
RESULTS_MB = 64


@dataclass(frozen=True)
class Job:
    """A render as it was asked for.

    Attributes:
        source, target: paths or patterns.
        look: what to do.
        frames: first and last to write, or None for the whole shot.
        server: address, or None for the running server or one started for the run.
        contact_sheet: where to write one, or None.
        quiet: no progress bars.
    """

    source: str
    target: str
    look: Look
    frames: tuple[int, int] | None
    server: str | None
    contact_sheet: Path | None
    quiet: bool


@dataclass(frozen=True)
class Outcome:
    """What a render made.

    Attributes:
        status: exit status, 0 whole or 3 in part.
        message: the closing lines, for people.
    """

    status: int
    message: str


def look_from_options(look: Path | None, values: dict[str, Any]) -> Look:
    """The look of a command line.

    Args:
        look: a look file, or None.
        values: options that were given, by parameter name.

    Raises:
        StylebridgeError: bad_look, bad_value; where neither look nor style is given; where a look and options of
            the whole picture are mixed.
    """
    if look is None:
        if "style" not in values:
            raise StylebridgeError(
                Code.BAD_VALUE,
                "No style was chosen: give --style NAME or a picture's path, or a look with --look.",
            )
        return Look.simple(**{**values, "style": _style_path(values["style"])})
    shot = effect.scoped(effect.SHOT)
    clash = [effect.find(name).option for name in values if name not in shot]
    if clash:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{clash[0]} and --look were both given: write it into the look, or leave the look out.",
        )
    read = load_look(look)
    for name, value in values.items():
        effect.check(name, value)
    return replace(read, shot_values={**read.shot_values, **values})


def frame_range(text: str | None) -> tuple[int, int] | None:
    """The frames of "A-B" or "A"; numbers may be negative.

    Raises:
        StylebridgeError: bad_value.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(-?\d{1,9})(?:\s*-\s*(-?\d{1,9}))?\s*", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if first > last:
        raise StylebridgeError(
            Code.BAD_VALUE, f"--frames is '{text}': write the first and the last frame, as in --frames 24-48."
        )
    return first, last


def run(job: Job) -> Outcome:
    """Render a job.

    A server that is started for the run keeps few finished tiles: nobody will ask for them again, and so memory does
    not grow with the clip.

    Raises:
        StylebridgeError: whatever went wrong before the first frame was written; afterwards only what leaves
            nothing behind.
    """
    started = time.monotonic()
    results = None if "STYLEBRIDGE_RESULTS_MB" in os.environ else RESULTS_MB
    with media.open_source(job.source) as source:
        info = source.info
        first, last = job.frames or (info.first, info.last)
        if first < info.first or last > info.last:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"--frames {first}-{last} is outside {job.source}, which holds frames {info.first} to {info.last}.",
            )
        like = _output_like(info, job.look)
        sound = Path(job.source) if info.sound else None
        sink = media.open_sink(job.target, like, first, last, sound_from=sound)
        try:
            with progress(job.quiet) as report, Client.connect(job.server, results_mb=results) as client:
                problem = _fill(job, client, source, sink, first, last, report)
            # A truncated source gives what it has; everything else is all or nothing.
            sink.finish(partial=problem is not None)
        except BaseException:
            sink.abort()
            raise
    seconds = time.monotonic() - started
    made = sink.written
    lines = [] if problem is None else [problem]
    count = "1 frame" if made == 1 else f"{made} frames"
    lines.append(
        f"{job.target}: {count} in {seconds:.0f} s ({made / seconds:.1f} frames/s), {sink.description}."
    )
    if not sink.lossless and _is_idle(job.look, info):
        lines.append(
            "Nothing was styled, but the pictures were encoded again, which is not lossless: write a sequence of PNG "
            "to get them bit for bit."
        )
    if job.contact_sheet is not None and made:
        lines.append(f"{job.contact_sheet}: contact sheet.")
    return Outcome(0 if problem is None else 3, "\n".join(lines))


def _fill(
    job: Job,
    client: Client,
    source: media.Source,
    sink: media.Sink,
    first: int,
    last: int,
    report: OnProgress,
) -> str | None:
    """Write all frames; returns the sentence that says where a truncated source ends, or None."""
    shot = client.open_shot(job.source, progress=report)
    look = job.look.to_data()
    segmenter = job.look.shot["segmenter"] if job.look.instances else "none"
    analysis = client.analyse(shot, look.get("prompt", []), segmenter, report)
    sheet = None if job.contact_sheet is None else _Sheet(job, client, source, shot, analysis)
    marked = set(chosen(first, last))
    problem = None
    frames = client.render(shot, look, range(first, last + 1), analysis=analysis, progress=report)
    try:
        for picture in frames:
            frame = Frame(picture.number, np.asarray(picture))
            sink.write(frame)
            if sheet is not None and frame.number in marked:
                sheet.add(frame)
    except StylebridgeError as error:
        if error.code != Code.PARTIAL or not sink.written:
            raise
        problem = error.message
    if sheet is not None:
        sheet.save()
    return problem


def _output_like(info: SourceInfo, look: Look) -> SourceInfo:
    """The source's declaration, in colour where a grey source is styled."""
    return info if _is_idle(look, info) else replace(info, channels=composite.result_channels(info.channels))


def _is_idle(look: Look, info: SourceInfo) -> bool:
    """Whether nothing is styled on any frame of the source."""
    return all(layer.is_idle(info.first, info.last) for layer in look.layers)


def _style_path(style: str) -> str:
    """A style with its picture's full path, for a server that runs in another folder; a name as it is."""
    picture = effect.split_style(style)[1]
    return style if picture is None else effect.with_picture(style, str(Path(picture).absolute()))


def by_method(method: str | None, values: dict[str, Any]) -> dict[str, Any]:
    """The options with their style as a method paints it: --method optimise --style X is the style optimise:X.

    Raises:
        StylebridgeError: BAD_VALUE for another method, or where it has no picture to go by.
    """
    if method in (None, "network"):
        return values
    if method != "optimise":
        raise StylebridgeError(
            Code.BAD_VALUE, f"There is no method {method!r}: {suggestion(method, ('network', 'optimise'))}"
        )
    style = values.get("style")
    name, picture = effect.split_style(style) if style else (None, None)
    if name is not None or picture is None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            "--method optimise goes by a picture: give --style PICTURE, or --style SETTINGS.toml; in a look, write "
            "the style as optimise:PICTURE.",
        )
    return {**values, "style": f"optimise:{picture}"}


class _Sheet:
    """The contact sheet of a render: source, instances, result."""

    def __init__(
        self, job: Job, client: Client, source: media.Source, shot: Shot, analysis: Analysis
    ) -> None:
        assert job.contact_sheet is not None
        self._path = job.contact_sheet
        self._client = client
        self._source = source
        self._shot = shot
        self._analysis = analysis
        self._results: list[tuple[int, Rgb8]] = []
        self._title = Path(job.target).name

    def add(self, result: Frame) -> None:
        """Remember one frame, shrunk."""
        self._results.append((result.number, shrunk(as_rgb8(result))))

    def save(self) -> None:
        """Fetch the mattes of the frames remembered, and write the sheet."""
        numbers = [number for number, _ in self._results]
        found = instances_of(self._analysis)
        mattes = {
            one.id: [
                np.asarray(m)[..., 0]
                for m in self._client.mattes(self._shot, self._analysis, one.id, numbers)
            ]
            for one in found
        }
        sheet = ContactSheet(self._title, ["source", "instances", "result"])
        for place, (number, result) in enumerate(self._results):
            original = as_rgb8(self._source.read(number))
            drawn = overlay(original, [(one, mattes[one.id][place]) for one in found])
            sheet.add(f"frame {number}", [original, drawn, result])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(self._path)


def instances_of(analysis: Analysis) -> list[Instance]:
    """The instances of an analysis as the rooms know them."""
    return [Instance(**{**data, "colour": tuple(data["colour"])}) for data in analysis.instances]
