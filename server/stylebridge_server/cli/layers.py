"""`stylebridge render --layers`: layers at full strength, for hosts that mix by themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stylebridge import stamp, versions
from stylebridge.client import Analysis, Client, OnProgress, Shot
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.pixels import Picture
from stylebridge.protocol import LAYERS
from stylebridge_server import media
from stylebridge_server.cli.progress import progress
from stylebridge_server.cli.render.check import check
from stylebridge_server.cli.render.existing import Existing
from stylebridge_server.cli.render.job import Job
from stylebridge_server.cli.render.outcome import Outcome
from stylebridge_server.cli.render.run import RESULTS_MB, chosen_frames
from stylebridge_server.cli.render.views import jobs_of_views, one_by_one, run_all
from stylebridge_server.cli.sheet import instances_of
from stylebridge_server.media.layered import (
    CRYPTOMATTE,
    PLACE,
    LayeredExr,
    LayerName,
    Writer,
    layer_names,
    open_layers,
)
from stylebridge_server.shot.looks import format_look
from stylebridge_server.shot.proxy import shrink, shrunk_info
from stylebridge_server.values import Frame, Pixels

BACKGROUND = "background"


@dataclass(frozen=True)
class _Asked:
    """What the server is asked, and what comes of it."""

    client: Client
    shot: Shot
    analysis: Analysis
    layers: list[LayerName]


def run(job: Job) -> Outcome:
    """Write the layers of a job's frames, or check what is there; its strengths make no difference.

    Raises:
        StylebridgeError: as opening, analysing and writing do; bad_look where nothing has a style. What was written
            of a sequence stays: every file of it is whole.
    """
    _refuse_others(job)
    return run_all(jobs_of_views(job), _run)


def _run(job: Job) -> Outcome:
    """The layers of one source, or of each view that it holds, one after the other."""
    started = time.monotonic()
    with job.read_as.open(job.source) as source:
        views = source.views if job.read_as.view is None and len(source.views) > 1 else ()
    if views:
        return run_all(one_by_one(job, views), _run)
    if job.next_version:
        job = replace(job, target=str(versions.following(Path(job.target))))
    results = None if "STYLEBRIDGE_RESULTS_MB" in os.environ else RESULTS_MB
    with job.read_as.open(job.source) as source:
        first, last = chosen_frames(job, source.info)
        with progress(job.quiet) as report, Client.connect(job.server, results_mb=results) as client:
            asked = _ask(job, client, report)
            facts = asked.shot.info
            like = replace(source.info, colour=facts["colour"], alpha=facts["alpha"])
            writer = open_layers(
                job.target, shrunk_info(like, job.scale), range(first, last + 1), asked.layers
            )
            request = stamp.of(
                client, asked.shot, asked.analysis, job.look, LAYERS, job.scale, form=writer.form
            )
            record = stamp.Record.of(request, range(first, last + 1))
            files = [Existing(target, first, last) for target in writer.targets]
            if job.check:
                found = [
                    check(target, one, record, first, last, report)
                    for target, one in zip(writer.targets, files, strict=True)
                ]
                return Outcome(max(one.status for one in found), "\n".join(one.message for one in found))
            kept: list[set[int]] = [set(one.settle(record, job.overwrite, report)) for one in files]
            frames = set(range(first, last + 1))
            numbers = sorted(frames - frames.intersection(*kept))
            written, problem = _fill(job, asked, source, writer, record, numbers, report)
    return _outcome(
        job, asked, writer, written, last - first + 1 - len(numbers), problem, time.monotonic() - started
    )


def _outcome(
    job: Job, asked: _Asked, writer: Writer, written: int, kept: int, problem: str | None, seconds: float
) -> Outcome:
    names = ", ".join(
        layer.channel if layer.channel == layer.name else f"{layer.channel} ({layer.name})"
        for layer in asked.layers
    )
    kind = (
        f"the plate, and Cryptomatte {CRYPTOMATTE}"
        if isinstance(writer, LayeredExr)
        else "with straight alpha"
    )
    stayed = f", {_frames(kept)} there already and kept" if kept else ""
    lines = [problem] if problem else []
    lines.append(f"{job.target}: {_frames(written)} in {seconds:.0f} s{stayed}; layers {names}; {kind}.")
    return Outcome(3 if problem else 0, "\n".join(lines))


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _refuse_others(job: Job) -> None:
    """Refuse what a render of layers does not do.

    Raises:
        StylebridgeError: bad_value.
    """
    if job.contact_sheet is not None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            "A contact sheet shows flattened frames: leave --layers out for one, or the sheet.",
        )
    if job.codec is not None:
        raise StylebridgeError(
            Code.BAD_VALUE, f"Layers are pictures, and have no codec to choose: leave out {job.codec}."
        )
    if job.next_version and PLACE in job.target:
        raise StylebridgeError(
            Code.BAD_VALUE,
            "--next-version counts one name: write one OUT.####.exr, or put the version into the name by hand.",
        )


def _ask(job: Job, client: Client, report: OnProgress) -> _Asked:
    shot = client.open_shot(job.source, progress=report, **job.read_as.options())
    look = job.look.to_data()
    prompts, mattes = look.get("prompt", []), look.get("matte", [])
    pointed = job.look.instances or prompts or mattes
    segmenter = job.look.shot["segmenter"] if pointed else "none"
    analysis = client.analyse(shot, prompts, segmenter, report, mattes, job.look.shot["cuts"])
    chosen = job.look.resolve(instances_of(analysis))
    names = {one["id"]: str(one["name"]) for one in analysis.instances}
    styled = {one: names[one] for one, layer in chosen.items() if layer.has_style}
    if job.look.background.has_style:
        styled[0] = BACKGROUND
    return _Asked(client, shot, analysis, layer_names(styled))


def _fill(
    job: Job,
    asked: _Asked,
    source: media.Source,
    writer: Writer,
    record: stamp.Record,
    frames: list[int],
    report: OnProgress,
) -> tuple[int, str | None]:
    """Writes the frames; how many, and the sentence that says where a truncated source ends, or None."""
    if not frames:
        return 0, None
    client, look = asked.client, job.look.to_data()
    ask: dict[str, Any] = {"analysis": asked.analysis, "scale": job.scale}
    layers = client.render(
        asked.shot, look, frames, output="layers", samples=writer.samples, progress=report, **ask
    )
    things = {one["id"]: str(one["name"]) for one in asked.analysis.instances}
    text = format_look(Look.from_data(stamp.portable(job.look)))
    notes = {stamp.LOOK: text} if media.fits_note(text) else {}
    mattes: Iterator[tuple[int, dict[int, Pixels]]] = iter(())
    if things and isinstance(writer, LayeredExr):
        planes = client.render(asked.shot, look, frames, output="mattes", samples="float32", **ask)
        mattes = _by_frame(planes)
    written = 0
    try:
        for number, pictures in _by_frame(layers):
            _, found = next(mattes, (number, {}))
            named = {name: found[one][..., 0] for one, name in things.items() if found}
            plate = Frame(number, shrink(source.read(number).pixels, job.scale, source.info.alpha))
            writer.write(plate, pictures, named, {**notes, stamp.REQUEST: str(record.only(number))})
            written += 1
    except StylebridgeError as error:
        if error.code != Code.PARTIAL or not written:
            raise
        return written, error.message
    return written, None


def _by_frame(pictures: Iterator[Picture]) -> Iterator[tuple[int, dict[int, Pixels]]]:
    """The number of each frame, and its pictures by layer."""
    found: dict[int, Pixels] = {}
    for picture in pictures:
        found[picture.extra["layer"]] = np.asarray(picture)
        if not picture.more:
            yield picture.number, found
            found = {}
