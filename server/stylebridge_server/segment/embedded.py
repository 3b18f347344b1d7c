"""The back end that needs no download: our own networks look where prompts point or what moves, and trace it."""

from __future__ import annotations

from collections.abc import Sequence

from stylebridge_server.segment import discover
from stylebridge_server.segment import prompts as prompting
from stylebridge_server.segment.follow import BACKWARD, FORWARD, Run
from stylebridge_server.segment.independent import checksum as motion
from stylebridge_server.segment.interface import FORGETFUL, Flow, FrameReader, MatteStore, Parts, Progress
from stylebridge_server.segment.nets import checksum
from stylebridge_server.segment.spans import prompted
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8


class Embedded:
    """See `Segmenter`."""

    name = "embedded"
    memory = 0

    def __init__(self) -> None:
        self.checksum = f"embedded-2-{checksum()}-{motion()}"

    def track(
        self,
        frames: FrameReader,
        scenes: Sequence[tuple[int, int]],
        prompts: Sequence[Prompt],
        flow: Flow,
        store: MatteStore,
        progress: Progress,
        parts: Parts = FORGETFUL,
    ) -> list[Instance]:
        """See `Segmenter.track`."""
        if not scenes:
            return []
        run = Run(frames, flow, store, progress, parts, self.checksum)
        if not prompts:
            return _alone(run, scenes)
        prompting.check(prompts, scenes, frames.size)

        def mark(
            number: int, rgb: Rgb8, given: Sequence[Prompt], around: Survey | None
        ) -> tuple[Plane, str | None]:
            return prompting.label(run.small(rgb), given, around), None

        return prompted(run, scenes, prompts, mark)


def _alone(run: Run, scenes: Sequence[tuple[int, int]]) -> list[Instance]:
    """Find things scene by scene, and follow them."""
    run.total = 4 * sum(last - first + 1 for first, last in scenes)
    total = 0
    for first, last in scenes:
        ahead = range(first, last + 1)
        with Spool(*run.size) as spool:
            found = discover.find(run, first, last, spool)
            if not found.keys:
                run.tick(3 * len(ahead))
                continue
            run.sweep(FORWARD, ahead, found.keys, spool, found.spans)
            run.sweep(BACKWARD, ahead[::-1], found.keys, spool, found.spans)
            run.finish(first, last, found.keys, {i: total + i for i in found.spans}, spool, found.spans)
            total += len(found.spans)
    return [run.instance(i, f"thing:{i}") for i in range(1, total + 1) if run.seen(i)]
