"""Progress on long work: a bar with frames a second and time left, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console
from rich.text import Text

from stylebridge.client import OnProgress
from stylebridge.requests import Progress

# Stages that are not counted in frames.
_UNITS = {
    "Fetching": "MB",
    "Optimising": "steps",
    "Training": "steps",
    "Sending": "MiB",
    "Checking files": "files",
}


class _Rate(rich_progress.ProgressColumn):
    """Frames, steps or what else is counted a second, over the last half minute."""

    def render(self, task: rich_progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        unit = _UNITS.get(task.description, "frames")
        return Text("" if speed is None else f"{speed:.1f} {unit}/s", style="progress.data.speed")


@contextmanager
def progress(quiet: bool = False) -> Iterator[OnProgress]:
    """A bar per stage, drawn on standard error; silent where `quiet` or where that is no terminal's business."""
    bars = rich_progress.Progress(
        rich_progress.TextColumn("{task.description:>9}"),
        rich_progress.BarColumn(bar_width=None),
        rich_progress.MofNCompleteColumn(),
        _Rate(),
        rich_progress.TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        disable=quiet,
        expand=True,
    )
    stages: dict[str, rich_progress.TaskID] = {}
    with bars:

        def report(now: Progress) -> None:
            if now.stage not in stages:
                stages[now.stage] = bars.add_task(now.stage.capitalize(), total=now.total)
            bars.update(stages[now.stage], completed=now.done, total=now.total)

        yield report
