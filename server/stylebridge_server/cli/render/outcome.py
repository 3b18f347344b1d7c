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
        problem: why frames are missing at the end, or None.
        idle: nothing was styled on any frame.
        contact_sheet: where one was to be written, or None.
        lost: pixels of the source that are not finite, by frame.
    """
    made = sink.written
    lines = [] if problem is None else [problem]
    count = "1 frame" if made == 1 else f"{made} frames"
    lines.append(f"{target}: {count} in {seconds:.0f} s ({made / seconds:.1f} frames/s), {sink.description}.")
    if not sink.lossless and idle:
        lines.append(
            "Nothing was styled, but the pictures were encoded again, which is not lossless: write a sequence of PNG "
            "to get them bit for bit."
        )
    if lost:
        lines.append(told(lost))
    if contact_sheet is not None and made:
        lines.append(f"{contact_sheet}: contact sheet.")
    return Outcome(0 if problem is None else 3, "\n".join(lines))
