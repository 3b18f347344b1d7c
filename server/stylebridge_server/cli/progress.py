"""Progress on long work: a bar with frames a second and time left, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Report(Protocol):
    """Called with frames done, frames in all and the stage."""

    def __call__(self, done: int, total: int, stage: str) -> None: ...


class _Rate(ProgressColumn):
    """Frames a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} frames/s", style="progress.data.speed")


@contextmanager
def progress(quiet: bool = False) -> Iterator[Report]:
    """A bar per stage, drawn on standard error; silent where `quiet` or where that is no terminal's business."""
    bars = Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        disable=quiet,
        expand=True,
    )
    stages: dict[str, int] = {}
    with bars:

        def report(done: int, total: int, stage: str) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage.capitalize(), total=total)
            bars.update(stages[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield report
