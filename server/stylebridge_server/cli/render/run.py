"""A render from its source to its outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
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
from stylebridge_server.cli.render.views import in_turn, jobs_of_views, one_by_one, run_all
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
        beside: the same of the other views that go into the same file.
        record: the stamps of the frames asked for, by which results are told from others'.
    """

    client: Client
    shot: Shot
    analysis: Analysis
    beside: list[tuple[Shot, Analysis]]
    record: stamp.Record


def run(job: Job) -> Outcome:
    """Render a job, or check what was rendered before; every view of a source that has several.

    Raises:
        StylebridgeError: as `_run` and `views.jobs_of_views`.
    """
    return run_all(jobs_of_views(job), _run)


def _run(job: Job) -> Outcome:
    """Render a job of one source.

    A server that is started for the run keeps few finished tiles: nobody will ask for them again, and so memory does
    not grow with the clip.

    Raises:
        StylebridgeError: whatever went wrong before the first frame was written; afterwards only what leaves
            nothing behind.
    """
    started, lost = time.monotonic(), dict[int, int]()
    with job.read_as.open(job.source) as source:
        views = source.views if job.read_as.view is None and len(source.views) > 1 else ()
        if views and Path(job.target).suffix.lower() != ".exr":
            return run_all(one_by_one(job, views), _run)
        info = source.info
        first, last = chosen_frames(job, info)
        idle = _is_idle(job.look, info)
        like = _like(job, info, idle)
        if job.check:
            existing = Existing(job.target, first, last)
            with progress(job.quiet) as report, _connect(job) as client:
                asked = _ask(job, client, like, views[1:], range(first, last + 1), report)
                return check(job.target, existing, asked.record, first, last, report)
        if job.next_version:
            job = replace(job, target=str(versions.following(Path(job.target))))
        likes = [like, *(_like(job, _info_of(job, view), idle) for view in views[1:])]
        sink = _open_sink(job, likes, first, last)
        try:
            existing = Existing(job.target, first, last)
            if not job.overwrite:
                existing.refuse_strangers()
            with progress(job.quiet) as report, _connect(job) as client:
                asked = _ask(job, client, like, views[1:], range(first, last + 1), report)
                if job.next_version and (before := _same_before(job, asked.record, first, last)):
                    job, existing = replace(job, target=str(before)), Existing(str(before), first, last)
                    sink.abort()
                    sink = _open_sink(job, likes, first, last)
                kept = existing.settle(asked.record, job.overwrite, report)
                if job.contact_sheet is not None and existing.in_one_file:
                    kept = []  # its pictures are not as they were before they were coded
                sink.keep(kept)
                _annotate(sink, job.look, asked.record)
                problem = _fill(job, asked, source, existing, kept, sink, report, lost)
            # A truncated source gives what it has; everything else is all or nothing.
            sink.finish(partial=problem is not None)
        except BaseException:
            sink.abort()
            raise
    seconds = time.monotonic() - started
    made = outcome(job.target, sink, seconds, len(kept), problem, idle, job.contact_sheet, lost)
    more = [one for one in (source.damage if problem else "", source.gaps, source.fields) if one]
    return replace(made, message="\n".join([made.message, *more]))


def _connect(job: Job) -> Client:
    results = None if "STYLEBRIDGE_RESULTS_MB" in os.environ else RESULTS_MB
    return Client.connect(job.server, results_mb=results)


def _like(job: Job, info: SourceInfo, idle: bool) -> SourceInfo:
    """The source's declaration, as it is read, in colour where a grey source is styled."""
    like = shrunk_info(job.read_as.said(info), job.scale)
    return like if idle else replace(like, channels=composite.result_channels(like.channels))


def _info_of(job: Job, view: str) -> SourceInfo:
    with replace(job.read_as, view=view).open(job.source) as source:
        return source.info


def _open_sink(job: Job, likes: list[SourceInfo], first: int, last: int) -> media.Sink:
    like, movie = likes[0], Path(job.source) if likes[0].kind == "movie" else None
    views = likes if len(likes) > 1 else ()
    return media.open_sink(
        job.target, like, first, last, sound_from=movie, codec=job.codec, sound=job.sound, views=views
    )


def _ask(
    job: Job, client: Client, like: SourceInfo, beside: Sequence[str], frames: range, report: OnProgress
) -> Asked:
    shot, analysis = _analysed(job, client, None, report)
    others = [_analysed(job, client, view, report) for view in beside]
    form = media.form_of(job.target, like, job.codec)
    request = stamp.of(client, shot, analysis, job.look, scale=job.scale, form=form)
    for other, seen in others:  # a file of several views depends on all of them
        request = replace(
            request, shot=f"{request.shot} {other.id}", analysis=f"{request.analysis} {seen.id}"
        )
    return Asked(client, shot, analysis, others, stamp.Record.of(request, frames))


def _analysed(job: Job, client: Client, view: str | None, report: OnProgress) -> tuple[Shot, Analysis]:
    read_as = job.read_as if view is None else replace(job.read_as, view=view)
    shot = client.open_shot(job.source, progress=report, **read_as.options())
    look = job.look.to_data()
    segmenter = job.look.shot["segmenter"] if job.look.instances else "none"
    mattes = look.get("matte", []) if job.look.instances else []
    cuts = job.look.shot["cuts"]
    return shot, client.analyse(shot, look.get("prompt", []), segmenter, report, mattes, cuts)


def _same_before(job: Job, wanted: stamp.Record, first: int, last: int) -> Path | None:
    """The version before the next one, where it is this request's and was perhaps cut off: it is gone on with."""
    newest = versions.newest(Path(job.target))
    if newest is None:
        return None
    existing = Existing(str(newest), first, last)
    return newest if existing.there and not existing.others(wanted) else None


def _annotate(sink: media.Sink, look: Look, record: stamp.Record) -> None:
    """Let the result say what it was made from."""
    text = format_look(Look.from_data(stamp.portable(look)))
    fits = media.fits_note(text)
    if not fits:
        sink.left_out.append("the look, which is too long for a file's metadata")
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
        views = [(asked.shot, asked.analysis), *asked.beside]
        streams = [
            asked.client.render(shot, look, numbers, analysis=analysis, progress=report, scale=job.scale)
            for shot, analysis in views
        ]
        problem = carry(noting(in_turn(streams), lost), sink, sheet.see if sheet else lambda frame: None)
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
