"""The back end without weights: graph cut on the prompted frames, optical flow and colour between them."""

from __future__ import annotations

from collections.abc import Sequence

from stylebridge_server.segment import discover
from stylebridge_server.segment import prompts as prompting
from stylebridge_server.segment.follow import BACKWARD, FORWARD, Run
from stylebridge_server.segment.interface import Flow, FrameReader, MatteStore, Progress
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8


class Embedded:
    """See `Segmenter`."""

    name = "embedded"
    checksum = "embedded-1"
    memory = 0

    def track(
        self,
        frames: FrameReader,
        scenes: Sequence[tuple[int, int]],
        prompts: Sequence[Prompt],
        flow: Flow,
        store: MatteStore,
        progress: Progress,
    ) -> list[Instance]:
        """See `Segmenter.track`."""
        if not scenes:
            return []
        run = Run(frames, flow, store, progress)
        if not prompts:
            return _alone(run, scenes)
        prompting.check(prompts, scenes, frames.size)

        def mark(
            number: int, rgb: Rgb8, given: Sequence[Prompt], around: Survey | None
        ) -> tuple[Plane, str | None]:
            return prompting.label(run.small(rgb), given, around), None

        return run.prompted(scenes, prompts, mark)


def _alone(run: Run, scenes: Sequence[tuple[int, int]]) -> list[Instance]:
    """Find things scene by scene, and follow them."""
    run.total = sum(steps(first, last) for first, last in scenes)
    total = 0
    for first, last in scenes:
        with Spool(*run.size) as spool:
            found = discover.find(run, first, last, spool)
            if not found.keys:
                run.tick(steps(first, last) - (last - first + 1))
                continue
            run.sweep(FORWARD, range(first, last + 1), found.keys, {}, spool, found.spans)
            run.sweep(BACKWARD, range(last, first - 1, -1), found.keys, {}, spool, found.spans)
            run.finish(first, last, found.keys, {i: total + i for i in found.spans}, spool, found.spans)
            total += len(found.spans)
    return [run.instance(i, f"thing:{i}") for i in range(1, total + 1) if run.seen(i)]


def steps(first: int, last: int) -> int:
    """Steps that a scene takes: looking through, following both ways, writing."""
    return 4 * (last - first + 1)
