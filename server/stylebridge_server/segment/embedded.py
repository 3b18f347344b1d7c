"""The back end that needs no download: our own networks look where prompts point, and trace what is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylebridge_server.segment import discover
from stylebridge_server.segment import prompts as prompting
from stylebridge_server.segment.follow import BACKWARD, FORWARD, KEY, Keys, Run
from stylebridge_server.segment.interface import FORGETFUL, Flow, FrameReader, MatteStore, Parts, Progress
from stylebridge_server.segment.nets import checksum
from stylebridge_server.segment.pair import SMALLEST_FLOW
from stylebridge_server.segment.planes import plane
from stylebridge_server.segment.spans import prompted
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey, survey
from stylebridge_server.segment.sweep import Sweep
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8

LEAST_FRAMES = 5  # that a thing found without prompts must be seen on


class Embedded:
    """See `Segmenter`."""

    name = "embedded"
    memory = 0

    def __init__(self) -> None:
        self.checksum = f"embedded-2-{checksum()}"

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
    run.total = 3 * sum(last - first + 1 for first, last in scenes)
    found = 0
    for first, last in scenes:
        with Spool(*run.size) as spool:
            keys = _scout(run, first, last, spool)
            if not keys:
                run.tick(2 * (last - first + 1))
                continue
            within = {i: [(first, last)] for given in keys.values() for i in given}
            run.sweep(BACKWARD, range(last, first - 1, -1), keys, spool, within)
            # What was seen for a moment only is more likely an error than a thing.
            order = sorted({i for given in keys.values() for i in given})
            least = min(last - first + 1, LEAST_FRAMES)
            lasting = [i for i in order if spool.lasts(i) >= least]
            ids = {i: found + k + 1 for k, i in enumerate(lasting)}
            found += len(ids)
            run.finish(first, last, keys, ids, spool, within)
    return [run.instance(i, f"thing:{i}") for i in range(1, found + 1) if run.seen(i)]


def _scout(run: Run, first: int, last: int, spool: Spool) -> Keys:
    """Sweep a scene forward, looking for new things every few frames: key frames for the way back."""
    sweep, keys, count = Sweep(run.flow), Keys(), 0
    for number, rgb in run.read(range(first, last + 1)):
        small = run.small(rgb)
        here = sweep.step(small)
        due = (number - first) % discover.PROBE == min(discover.PROBE, last - first + 1) // 2
        if due and count < discover.MOST:
            around = survey(number, first, last, run.at, run.flow, SMALLEST_FLOW)
            known = plane(sum(here.values(), np.zeros(run.size, np.float32)))
            things = discover.moving(number, small, around, known, discover.MOST - count)
            if not things and not count and around is None:
                alone = discover.standing_out(number, small)
                things = [] if alone is None else [alone]
            for thing in things:
                count += 1
                here[count] = sweep.add(count, thing)
                spool.put(KEY, count, number, here[count])
                keys.setdefault(number, []).append(count)
        for i, label in here.items():
            spool.put(FORWARD, i, number, label)
        run.tick()
    return keys
