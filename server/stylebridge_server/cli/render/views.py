"""Stereo: every view of a source is styled and written, each to its own files or all into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import names_views, of_view, views_there
from stylebridge.wording import suggestion
from stylebridge_server.cli.render.job import Job
from stylebridge_server.cli.render.outcome import Outcome

_One = TypeVar("_One")


def jobs_of_views(job: Job) -> list[Job]:
    """A job for each view of a source that has `%V` in its name; the job itself where it has none.

    Raises:
        StylebridgeError: NOT_FOUND where there is no view; BAD_VALUE for one that is not there, or where several would
            be written to one name.
    """
    if not names_views(job.source) or Path(job.source).is_file():
        return [job]
    there = views_there(job.source)
    if not there:
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"There is no file that fits {job.source}, whatever the view; check its name and folder.",
        )
    wanted = job.read_as.view
    if wanted is not None and wanted not in there:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{job.source} has no view {wanted!r}: {suggestion(wanted, there)}"
        )
    chosen = there if wanted is None else [wanted]
    return [_of_view(job, view, len(chosen) > 1, named=True) for view in chosen]


def one_by_one(job: Job, views: Sequence[str]) -> list[Job]:
    """A job for each of several views of one file, for outputs that hold one view."""
    return [_of_view(job, view, True, named=False) for view in views]


def run_all(jobs: Iterable[Job], run: Callable[[Job], Outcome]) -> Outcome:
    """Runs one job after the other; one that is refused ends it."""
    made = [run(job) for job in jobs]
    return Outcome(max(one.status for one in made), "\n".join(one.message for one in made))


def in_turn(streams: Sequence[Iterable[_One]]) -> Iterator[_One]:
    """The first of each, the second of each, and so on."""
    for together in zip(*streams, strict=True):
        yield from together


def _of_view(job: Job, view: str, several: bool, named: bool) -> Job:
    """The job of one view.

    Args:
        several: whether there are others.
        named: whether the view stands in the source's name, else in the file.
    """
    if several and not names_views(job.target):
        path = Path(job.target)
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{job.source} has several views, and {path.name} holds one: write %V where the view's name is to stand, "
            f"as in %V.{path.name}, or choose one with --view.",
        )
    sheet = job.contact_sheet
    if sheet is not None and several:
        sheet = Path(of_view(sheet, view)) if names_views(sheet) else sheet.with_stem(f"{sheet.stem}.{view}")
    return replace(
        job,
        source=of_view(job.source, view) if named else job.source,
        target=of_view(job.target, view) if several or named else job.target,
        contact_sheet=sheet,
        read_as=replace(job.read_as, view=None if named else view),
    )
