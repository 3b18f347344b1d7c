"""What a render made, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylebridge_server import media
from stylebridge_server.cli.render.lost import told


@dataclass(frozen=True)
class Outcome:
    """What a render made.

    Attributes:
        status: exit status, 0 whole or 3 in part.
        message: the closing lines, for people.
    """

    status: int
    message: str


def outcome(
    target: str,
    sink: media.Sink,
    seconds: float,
    kept: int,
    problem: str | None,
    idle: bool,
    contact_sheet: Path | None,
    lost: dict[int, int],
) -> Outcome:
    """The outcome of a render that is over.

    Args:
        target: as it was named.
        sink: that was finished.
        seconds: that it took.
        kept: frames that were there already, and stayed.
        problem: why frames are missing at the end, or None.
        idle: nothing was styled on any frame.
        contact_sheet: where one was to be written, or None.
        lost: pixels of the source that are not finite, by frame.
    """
    made = sink.written
    lines = [] if problem is None else [problem]
    if kept and not made:
        lines.append(f"{target}: {_frames(kept)} there already, as this request makes them; nothing to do.")
    else:
        stayed = f"; {_frames(kept)} there already and kept" if kept else ""
        speed = f"{seconds:.0f} s ({made / seconds:.1f} frames/s)"
        lines.append(f"{target}: {_frames(made)} in {speed}, {sink.description}{stayed}.")
    if sink.left_out:
        lines.append(f"Not carried over: {'; '.join(sink.left_out)}.")
    if not sink.lossless and idle:
        lines.append(
            "Nothing was styled, but the pictures were encoded again, which is not lossless: write a sequence of PNG "
            "to get them bit for bit."
        )
    if lost:
        lines.append(told(lost))
    if contact_sheet is not None:
        lines.append(f"{contact_sheet}: contact sheet.")
    return Outcome(0 if problem is None else 3, "\n".join(lines))


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
