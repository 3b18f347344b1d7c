"""What the window costs in sequence, beside the least that its flow and its readings could cost.

    python -m benchmarks.run window

In sequence each frame adds one pair of flow, with its validity; its window is followed, weighed and blended anew. The
baseline in the same run is one forward and backward pair by DIS's medium preset, and for each frame of the window but
the first one cubic and one linear reading of three channels and two linear ones of two by cv2.remap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

import cv2
import numpy as np

from stylebridge import reach
from stylebridge_server import temporal
from stylebridge_server.values import FlowPair, Rgb, Tile
from stylebridge_server.worker.fingerprint import settle_threads

WINDOW = 8
SPAN = sum(reach.handles(WINDOW)) + 1  # frames that it reaches
ROUNDS = 15


def cost(plates: Sequence[Rgb]) -> list[str]:
    """A table, of `SPAN` plates (h, w, 3) float32, display-referred."""
    threads = settle_threads()
    middle = reach.handles(WINDOW)[0]
    whole = Tile(0, 0, plates[0].shape[1], plates[0].shape[0])
    size = plates[0].shape[0], plates[0].shape[1]
    numbers, sides = links(*halved(plates), middle, WINDOW)
    found = temporal.taps(temporal.shown(plates[middle]), size, *sides)
    sources = [plates[k] for k in numbers]
    steps: dict[str, Callable[[], object]] = {
        "flow pair with validity": lambda: half_flow(plates[middle], plates[middle - 1]),
        "following and weighing": lambda: temporal.taps(temporal.shown(plates[middle]), size, *sides),
        "blending": lambda: temporal.blend(found, whole, sources),
        "baseline": least(plates[middle], plates[middle - 1], found.maps[1]),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    # In turn, so that whatever else the machine does falls on all of them.
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(1000 * (time.perf_counter() - start))
    taken = {name: median(all_) for name, all_ in times.items()}
    base = taken.pop("baseline")
    return [
        f"### Window {WINDOW} in sequence, {whole.x1}x{whole.y1}, {threads} threads",
        "",
        "| step | ms | of the baseline |",
        "|---|---|---|",
        *(f"| {name} | {ms:.1f} | {ms / base:.2f} |" for name, ms in taken.items()),
        f"| **together** | {sum(taken.values()):.1f} | **{sum(taken.values()) / base:.2f}** |",
        f"| baseline | {base:.1f} | 1 |",
    ]


def half_flow(a: Rgb, b: Rgb) -> FlowPair:
    """As a window reads it."""
    return temporal.for_window(temporal.DIS.pair((1, 0), (a, b)))


def halved(plates: Sequence[Rgb]) -> tuple[list[FlowPair], list[Rgb]]:
    """What windows follow and compare: the flow from each frame to the one before, and every frame."""
    return [half_flow(b, a) for a, b in pairwise(plates)], [temporal.shown(plate) for plate in plates]


def links(
    flows: Sequence[FlowPair], halves: Sequence[Rgb], t: int, window: int
) -> tuple[list[int], list[list[temporal.Link]]]:
    """The frames of a window, t first, and the links of its two sides, as `shot.streams` makes them.

    Args:
        flows: from each frame but the first to the one before, as `half_flow` gives it.
        halves: every frame, as `temporal.shown` gives it.
        t: the frame at hand, counted from the first.
        window: how many frames are blended, where there are as many.
    """
    numbers, sides = [t], []
    for way, count in zip((-1, 1), reach.sides(window), strict=True):
        away = [d for d in reach.distances(count) if 0 <= t + way * d < len(halves)]
        weights = dict(zip(away, temporal.fade(away, reach.distances(len(away) + 1)[-1]), strict=True))
        numbers += [t + way * d for d in away]
        sides.append(
            [
                temporal.Link(
                    flows[t - d] if way < 0 else flows[t + d - 1].reversed,
                    halves[t + way * d] if d in weights else None,
                    weights.get(d, 0.0),
                )
                for d in range(1, max(away, default=0) + 1)
            ]
        )
    return numbers, sides


def least(a: Rgb, b: Rgb, positions: np.ndarray) -> Callable[[], None]:
    """The baseline."""
    grey = [cv2.cvtColor(np.rint(one * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for one in (a, b)]
    two = np.ascontiguousarray(positions)

    def run() -> None:
        for first, second in (grey, grey[::-1]):
            cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)
        for _ in range(WINDOW - 1):
            cv2.remap(a, two, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            cv2.remap(a, two, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            cv2.remap(two, two, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            cv2.remap(two, two, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    return run
