"""The work of a render, in a worker thread: what goes in is opened, what comes back is written to files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._bridge.stylebridge import stamp
from .._bridge.stylebridge.client import Analysis, Client, Shot
from .._bridge.stylebridge.look import Look
from .._bridge.stylebridge.pixels import Picture
from ..request import LAYERS, Order
from ..results import files, versions
from .job import Job


def render(order: Order, job: Job) -> files.Written:
    """Renders an order to files; frames that an earlier version has are taken over. Goes on where it was when a server
    that went away is back.

    Raises:
        StylebridgeError: a sentence.
    """
    job.progress(0, len(order.instants), "opening")
    shot = job.asking(lambda client: order.plate.open(client, job))
    if order.plate.transparent:
        order.flatten()
    job.progress(0, len(order.instants), "analysing")
    analysis = job.asking(lambda client: analysis_of(order, shot, client, job))
    return _Rendering(order, job, shot, analysis).run()


def analysis_of(order: Order, shot: Shot, client: Client, job: Job) -> Analysis:
    """The analysis that the order names, with what it was made of; else one that knows only the cuts."""
    if order.analysis is not None:
        return Analysis(order.analysis, [], [], dict(order.analysed))
    return client.analyse(shot, [], "none", job.report)


class _Rendering:
    def __init__(self, order: Order, job: Job, shot: Shot, analysis: Analysis) -> None:
        self._order, self._job, self._shot, self._analysis = order, job, shot, analysis
        self._written = files.new_version(order.folder, order.title)
        self._earlier = versions.earlier(self._written)
        self._list: dict[versions.Key, dict[int, str]] = {}  # of this version
        self._done = 0

    def run(self) -> files.Written:
        try:
            for look, shown in self._takes():
                self._take(look, shown)
        finally:
            versions.save(self._written, self._list)  # also of what was cancelled
        return self._written

    def _takes(self) -> Iterator[tuple[dict[str, Any], dict[int, list[int]]]]:
        """Each look, with the timeline frames on which each source frame is shown with it. A source frame that is shown
        for long is rendered once.
        """
        numbers = dict(self._order.plate.frames)  # which opening may have changed: a movie that ends early
        looks = self._order.looks
        if self._order.output == LAYERS:
            looks = [Look.from_data(look).full_strength().to_data() for look in looks]
        first = [looks.index(look) for look in looks]  # those that differ in strength alone are one
        for place in dict.fromkeys(first):
            shown: dict[int, list[int]] = {}
            for frame, index in self._order.instants:
                if first[index] == place:
                    shown.setdefault(numbers[frame], []).append(frame)
            yield looks[place], shown

    def _take(self, look: dict[str, Any], shown: dict[int, list[int]]) -> None:
        request = self._job.asking(
            lambda client: stamp.of(client, self._shot, self._analysis, look, self._order.output)
        )
        keys = {number: (number, request.stamp(number)) for number in shown}
        left = [number for number in shown if not self._taken_over(keys[number], shown[number])]
        made: dict[int, dict[int, str]] = {}  # pictures of frames, by layer

        def ask(client: Client) -> None:
            pictures = client.render(
                self._shot, look, list(left), analysis=self._analysis, output=self._order.output
            )
            for picture in pictures:
                number = picture.number
                names = made.setdefault(number, {})
                layer = picture.extra.get("layer", files.FLAT)
                names[layer] = self._write(picture, shown[number][0], layer)
                if not picture.more:
                    left.remove(number)
                    self._finished(keys[number], shown[number], names)

        if left:
            self._job.asking(ask)

    def _write(self, picture: Picture, frame: int, layer: int) -> str:
        self._job.step()
        return files.write(self._written, picture, frame - self._order.plate.start, layer)

    def _taken_over(self, key: versions.Key, frames: list[int]) -> bool:
        names = versions.take(self._earlier, key, self._written)
        if names is None:
            return False
        self._written.taken_over += len(frames)
        self._finished(key, frames, names)
        return True

    def _finished(self, key: versions.Key, frames: list[int], names: dict[int, str]) -> None:
        self._list[key] = names
        for layer, name in names.items():
            self._written.files.setdefault(layer, {}).update((frame, name) for frame in frames)
        self._done += len(frames)
        self._job.progress(self._done, len(self._order.instants), "frame")
