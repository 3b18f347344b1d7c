"""The back ends whose things a network finds: it looks every few frames, the tracker follows between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stylebridge_models.installed import Card
from stylebridge_server.segment import prompts as prompting
from stylebridge_server.segment.detections import THING, Finder, pointed_at, settled
from stylebridge_server.segment.follow import BACKWARD, Run
from stylebridge_server.segment.interface import FORGETFUL, Flow, FrameReader, MatteStore, Parts, Progress
from stylebridge_server.segment.nets import checksum
from stylebridge_server.segment.scout import Scout
from stylebridge_server.segment.spans import Marker, prompted
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8


class Network:
    """See `Segmenter`.

    Args:
        kind: the back end's name.
        card: the installed network's.
        open: makes the network ready for use; called when it is first needed.
        memory: bytes that it takes at its peak.
    """

    METHOD = "2"  # raised when the same network would give other mattes

    def __init__(self, kind: str, card: Card, open: Callable[[], Finder], memory: int) -> None:
        self.name = kind
        self.checksum = f"{kind}-{self.METHOD}-{card.name}-{card.version}-{checksum()}"
        self.memory = memory
        self._open = open

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
        """See `Segmenter.track`; without prompts, everything that the network knows."""
        if not scenes:
            return []
        run = Run(frames, flow, store, progress, parts, self.checksum)
        if not prompts:
            return found_in(run, self.finder(), scenes)
        prompting.check(prompts, scenes, frames.size)
        return prompted(run, scenes, prompts, self.marker(run))

    def finder(self) -> Finder:
        """The network, which finds everything that it knows."""
        return self._open()

    def marker(self, run: Run) -> Marker:
        """What marks a thing that is pointed at: what the network finds there, else what stands out there."""
        finder = self.finder()

        def mark(
            number: int, rgb: Rgb8, given: Sequence[Prompt], around: Survey | None
        ) -> tuple[Plane, str | None]:
            small = run.small(rgb)
            if all(prompt.matte is None for prompt in given):
                meant = pointed_at(settled(finder.find(rgb, run.size), small), given)
                if meant is not None:
                    return meant.mask, None if meant.label == THING else meant.label
            return prompting.label(small, given, around), None

        return mark


def found_in(run: Run, finder: Finder, scenes: Sequence[tuple[int, int]]) -> list[Instance]:
    """Everything that a network finds in the scenes of a shot, followed."""
    run.total = 3 * sum(last - first + 1 for first, last in scenes)
    labels: dict[int, str] = {}
    for first, last in scenes:
        with Spool(*run.size) as spool:
            scout = Scout(run, finder, first, last, spool)
            scout.go()
            lasting = scout.lasting()
            keys = {number: [i for i in given if i in lasting] for number, given in scout.keys.items()}
            keys = {number: given for number, given in keys.items() if given}
            if not keys:
                run.tick(2 * (last - first + 1))
                continue
            spans = {i: span for i, span in scout.spans().items() if i in lasting}
            run.sweep(BACKWARD, range(last, first - 1, -1), keys, spool, spans)
            ids = {i: len(labels) + k + 1 for k, i in enumerate(lasting)}
            labels |= {ids[i]: scout.tracks[i].label for i in lasting}
            run.finish(first, last, keys, ids, spool, spans)
    counts: dict[str, int] = {}
    out = []
    for i, label in labels.items():
        if run.seen(i):
            counts[label] = counts.get(label, 0) + 1
            out.append(run.instance(i, f"{label}:{counts[label]}", None if label == THING else label))
    return out
