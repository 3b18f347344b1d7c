"""A render from its source to its outcome."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from stylebridge import stamp, versions
from stylebridge.client import Analysis, Client, OnProgress, Shot
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge_server import composite, media
from stylebridge_server.cli.progress import progress
from stylebridge_server.cli.render.check import check
from stylebridge_server.cli.render.existing import Existing
from stylebridge_server.cli.render.job import Job
from stylebridge_server.cli.render.lost import noting
from stylebridge_server.cli.render.outcome import Outcome, outcome
from stylebridge_server.cli.render.pipeline import carry
from stylebridge_server.cli.render.sheet import Sheet
from stylebridge_server.shot.looks import format_look
from stylebridge_server.shot.proxy import shrunk_info
from stylebridge_server.values import SourceInfo

#: Memory for finished tiles of a server that is started for one render, in MiB.
RESULTS_MB = 64


@dataclass(frozen=True)
class Asked:
    """A job as a server knows it.

    Attributes:
        client: of the server.
        shot, analysis: what is rendered.
        request: by which results are told from others'.
    """

    client: Client
    shot: Shot
    analysis: Analysis
    request: stamp.Request


def run(job: Job) -> Outcome:
    """Render a job, or check what was rendered before.

    A server that is started for the run keeps few finished tiles: nobody will ask for them again, and so memory does
    not grow with the clip.

    Raises:
        StylebridgeError: whatever went wrong before the first frame was written; afterwards only what leaves
            nothing behind.
    """
    started, lost = time.monotonic(), dict[int, int]()
    with media.open_source(job.source) as source:
        info = source.info
        first, last = chosen_frames(job, info)
        idle = _is_idle(job.look, info)
        like = job.read_as.said(info)
        if not idle:
            like = replace(like, channels=composite.result_channels(info.channels))
        like = shrunk_info(like, job.scale)
        if job.check:
            existing = Existing(job.target, first, last)
            with progress(job.quiet) as report, _connect(job) as client:
                asked = _ask(job, client, like, report)
                return check(job.target, existing, asked.request, first, last, report)
        if job.next_version:
            job = replace(job, target=str(versions.following(Path(job.target))))
        sink = _open_sink(job, like, first, last)
        try:
            existing = Existing(job.target, first, last)
            if not job.overwrite:
                existing.refuse_strangers()
            with progress(job.quiet) as report, _connect(job) as client:
                asked = _ask(job, client, like, report)
                if job.next_version and (before := _same_before(job, asked.request, first, last)):
                    job, existing = replace(job, target=str(before)), Existing(str(before), first, last)
                    sink.abort()
                    sink = _open_sink(job, like, first, last)
                kept = existing.settle(asked.request, job.overwrite, report)
                if job.contact_sheet is not None and existing.in_one_file:
                    kept = []  # its pictures are not as they were before they were coded
                sink.keep(kept)
                _annotate(sink, job.look, asked.request)
                problem = _fill(job, asked, source, existing, kept, sink, report, lost)
            # A truncated source gives what it has; everything else is all or nothing.
            sink.finish(partial=problem is not None)
        except BaseException:
            sink.abort()
            raise
    seconds = time.monotonic() - started
    return outcome(job.target, sink, seconds, len(kept), problem, idle, job.contact_sheet, lost)


def _connect(job: Job) -> Client:
    results = None if "STYLEBRIDGE_RESULTS_MB" in os.environ else RESULTS_MB
    return Client.connect(job.server, results_mb=results)


def _open_sink(job: Job, like: SourceInfo, first: int, last: int) -> media.Sink:
    movie = Path(job.source) if like.kind == "movie" else None
    return media.open_sink(job.target, like, first, last, sound_from=movie, codec=job.codec, sound=job.sound)


def _ask(job: Job, client: Client, like: SourceInfo, report: OnProgress) -> Asked:
    shot = client.open_shot(job.source, progress=report, **job.read_as.options())
    look = job.look.to_data()
    segmenter = job.look.shot["segmenter"] if job.look.instances else "none"
    mattes = look.get("matte", []) if job.look.instances else []
    analysis = client.analyse(shot, look.get("prompt", []), segmenter, report, mattes)
    form = media.form_of(job.target, like, job.codec)
    return Asked(
        client, shot, analysis, stamp.of(client, shot, analysis, job.look, scale=job.scale, form=form)
    )


def _same_before(job: Job, request: stamp.Request, first: int, last: int) -> Path | None:
    """The version before the next one, where it is this request's and was perhaps cut off: it is gone on with."""
    newest = versions.newest(Path(job.target))
    if newest is None:
        return None
    existing = Existing(str(newest), first, last)
    return newest if existing.there and not existing.others(request) else None


def _annotate(sink: media.Sink, look: Look, request: stamp.Request) -> None:
    """Let the result say what it was made from."""
    text = format_look(Look.from_data(stamp.portable(look)))
    fits = media.fits_note(text)
    if not fits:
        sink.left_out.append("the look, which is too long for a file's metadata")
    record = stamp.Record.of(request, range(sink.first, sink.last + 1))
    sink.annotate({stamp.LOOK: text} if fits else {}, record)


def _fill(
    job: Job,
    asked: Asked,
    source: media.Source,
    existing: Existing,
    kept: list[int],
    sink: media.Sink,
    report: OnProgress,
    lost: dict[int, int],
) -> str | None:
    """Write the frames that are not kept; returns the sentence that says where a truncated source ends, or None.
    `lost` gets the pixels that are not finite, by frame."""
    numbers = sorted(set(range(sink.first, sink.last + 1)) - set(kept))
    sheet = None
    if job.contact_sheet is not None:
        title = Path(job.target).name
        frames, encoding = (sink.first, sink.last), job.read_as.encoding(asked.shot)
        sheet = Sheet(
            job.contact_sheet, title, asked.client, asked.shot, asked.analysis, source, frames, encoding
        )
        for number in sheet.shown.intersection(kept):
            sheet.see(existing.read(number))
    problem = None
    if numbers:
        look = job.look.to_data()
        pictures = asked.client.render(
            asked.shot, look, numbers, analysis=asked.analysis, progress=report, scale=job.scale
        )
        problem = carry(noting(pictures, lost), sink, sheet.see if sheet else lambda frame: None)
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
