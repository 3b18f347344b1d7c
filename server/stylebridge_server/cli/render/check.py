"""`stylebridge render --check`: which frames of a result are not as the request would make them now."""

from __future__ import annotations

from stylebridge.client import OnProgress
from stylebridge.stamp import Record, spans
from stylebridge_server.cli.render.existing import Existing
from stylebridge_server.cli.render.outcome import Outcome

#: Exit status of a check that finds anything to render.
STALE = 4


def check(
    target: str, existing: Existing, wanted: Record, first: int, last: int, report: OnProgress
) -> Outcome:
    """Compare a result with a request, frame by frame; nothing is written.

    Args:
        target: as it was named.
        existing: what is there of it.
        wanted: the stamps that the request gives these frames.
        first, last: the frames asked about.
    """
    same = existing.matching(wanted)
    fresh = existing.whole(same, report)
    findings = {
        "stale": set(existing.there) - set(same),
        "cut off or damaged": set(same) - set(fresh),
        "missing": set(range(first, last + 1)) - set(existing.there),
    }
    count = last - first + 1
    lines = [f"{target}: {len(fresh)} of {count} frames are as this request makes them."]
    lines += [f"{name}: {spans(numbers, most=count)}" for name, numbers in findings.items() if numbers]
    return Outcome(0 if len(fresh) == count else STALE, "\n".join(lines))
