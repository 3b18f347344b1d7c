"""A render from its source to its outcome."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from stylebridge.client import Client, OnProgress
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge_server import composite, media
from stylebridge_server.cli.progress import progress
from stylebridge_server.cli.render.job import Job
from stylebridge_server.cli.render.outcome import Outcome, outcome
from stylebridge_server.cli.render.pipeline import carry
from stylebridge_server.cli.render.sheet import Sheet
from stylebridge_server.shot.proxy import shrunk_info
from stylebridge_server.values import SourceInfo

#: Memory for finished tiles of a server that is started for one render, in MiB.
RESULTS_MB = 64


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
        first, last = chosen_frames(job, info)
        idle = _is_idle(job.look, info)
        like = info if idle else replace(info, channels=composite.result_channels(info.channels))
        like = shrunk_info(like, job.scale)
        sound = Path(job.source) if info.sound else None
        sink = media.open_sink(job.target, like, first, last, sound_from=sound)
        try:
            with progress(job.quiet) as report, Client.connect(job.server, results_mb=results) as client:
                problem = _fill(job, client, source, sink, report)
            # A truncated source gives what it has; everything else is all or nothing.
            sink.finish(partial=problem is not None)
        except BaseException:
            sink.abort()
            raise
    return outcome(job.target, sink, time.monotonic() - started, problem, idle, job.contact_sheet)


def _fill(job: Job, client: Client, source: media.Source, sink: media.Sink, report: OnProgress) -> str | None:
    """Write all frames; returns the sentence that says where a truncated source ends, or None."""
    shot = client.open_shot(job.source, progress=report, **job.read_as.options())
    look = job.look.to_data()
    segmenter = job.look.shot["segmenter"] if job.look.instances else "none"
    mattes = look.get("matte", []) if job.look.instances else []
    analysis = client.analyse(shot, look.get("prompt", []), segmenter, report, mattes)
    sheet = None
    if job.contact_sheet is not None:
        title, encoding = Path(job.target).name, job.read_as.encoding(shot)
        sheet = Sheet(
            job.contact_sheet, title, client, shot, analysis, source, (sink.first, sink.last), encoding
        )
    numbers = range(sink.first, sink.last + 1)
    pictures = client.render(shot, look, numbers, analysis=analysis, progress=report, scale=job.scale)
    problem = carry(pictures, sink, sheet.see if sheet else lambda frame: None)
    if sheet is not None:
        sheet.save()
    return problem


def chosen_frames(job: Job, info: SourceInfo) -> tuple[int, int]:
    """The first and last frame to write."""
    first, last = job.frames or (info.first, info.last)
    if first < info.first or last > info.last:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"--frames {first}-{last} is outside {job.source}, which holds frames {info.first} to {info.last}.",
        )
    return first, last


def _is_idle(look: Look, info: SourceInfo) -> bool:
    """Whether nothing is styled on any frame of the source."""
    return all(layer.is_idle(info.first, info.last) for layer in look.layers)
