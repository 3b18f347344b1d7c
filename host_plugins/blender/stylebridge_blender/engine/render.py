"""The work of a render, in a worker thread: what goes in is opened, what comes back is written to files."""

from __future__ import annotations

from typing import Any

from .._bridge.stylebridge.client import Analysis, Client, Shot
from .._bridge.stylebridge.pixels import Picture
from ..request import Order
from ..results import files
from .job import Job


def render(order: Order, job: Job) -> files.Written:
    """Renders an order to files. Goes on where it was when the server comes back from the dead.

    Raises:
        StylebridgeError: a sentence.
    """
    job.progress(0, len(order.instants), "opening")
    shot = job.asking(lambda client: order.plate.open(client, job))
    job.progress(0, len(order.instants), "analysing")
    analysis = job.asking(lambda client: analysis_of(order, shot, client, job))
    numbers = dict(
        order.plate.frames
    )  # which opening may have changed: a movie that ends early holds its last frame
    written = files.new_version(order.folder, order.title)
    done = 0
    for index, look in enumerate(order.looks):
        shown: dict[int, list[int]] = {}  # a source frame that is shown for long is rendered once
        for frame in (frame for frame, which in order.instants if which == index):
            shown.setdefault(numbers[frame], []).append(frame)
        done = _render_look(order, job, shot, analysis, look, shown, written, done)
    return written


def _render_look(
    order: Order,
    job: Job,
    shot: Shot,
    analysis: Analysis,
    look: dict[str, Any],
    shown: dict[int, list[int]],
    written: files.Written,
    done: int,
) -> int:
    """Renders the frames of one look; how many frames are done after them.

    Args:
        shown: the timeline frames on which each source frame is shown.
        done: how many frames are done before them.
    """
    left = list(shown)

    def ask(client: Client) -> None:
        nonlocal done
        for picture in client.render(shot, look, list(left), analysis=analysis):
            done = _write(order, job, picture, shown[picture.number], written, done)
            left.remove(picture.number)

    job.asking(ask)
    return done


def _write(
    order: Order, job: Job, picture: Picture, frames: list[int], written: files.Written, done: int
) -> int:
    """Writes a picture once, for all timeline frames that show it."""
    name = files.write(written, picture, frames[0] - order.plate.start)
    written.files.update((frame, name) for frame in frames)
    done += len(frames)
    job.progress(done, len(order.instants), "frame")
    return done


def analysis_of(order: Order, shot: Shot, client: Client, job: Job) -> Analysis:
    """The analysis that the order names, with what it was made of; else one that knows only the cuts."""
    if order.analysis is not None:
        return Analysis(order.analysis, [], [], dict(order.analysed))
    return client.analyse(shot, [], "none", job.report)
