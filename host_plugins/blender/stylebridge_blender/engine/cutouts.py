"""The instances of one frame as one small picture in their colours, and where their names go. In a worker thread."""

from __future__ import annotations

import array
import math
from dataclasses import dataclass, field
from typing import Any

from .._bridge.stylebridge.client import Analysis, Client
from .._bridge.stylebridge.pixels import Picture
from .job import Job

#: The width that the picture has at most: Python adds it up, pixel by pixel.
WIDTH = 320
#: How opaque an instance is drawn.
OPACITY = 0.55

Colour = tuple[float, float, float]


@dataclass
class Cutouts:
    """What is drawn over a frame.

    Attributes:
        width, height: in pixels.
        samples: RGBA, floats, alpha straight, rows from the bottom up, linear light.
        places: the middle of each instance, normalised, origin top left; those that are not in the frame are absent.
    """

    width: int = 0
    height: int = 0
    samples: array.array[float] = field(default_factory=lambda: array.array("f"))
    places: dict[int, tuple[float, float]] = field(default_factory=dict)


def cutouts(
    plate: Any, frame: int, analysis: str, analysed: dict[str, Any], colours: dict[int, Colour], job: Job
) -> Cutouts:
    """The instances that a timeline frame shows.

    Args:
        analysis, analysed: its id, and what it was made of.
        colours: of the instances, by id, linear.

    Raises:
        StylebridgeError: as `Client.mattes`.
    """

    def ask(client: Client) -> Cutouts:
        shot = plate.open(client, job)
        number = dict(plate.frames)[frame]
        known = Analysis(analysis, [], [], dict(analysed))
        made = Cutouts()
        for instance, colour in colours.items():
            (matte,) = client.mattes(shot, known, instance, [number])
            add(made, instance, colour, matte)
        return made

    return job.asking(ask)


def add(made: Cutouts, instance: int, colour: Colour, matte: Picture) -> None:
    """Adds an instance by its matte (uint8, one channel) to the picture."""
    step = math.ceil(matte.layout.width / WIDTH)
    row = matte.layout.width
    data = memoryview(matte.data).cast("B")
    small = [bytes(data[top * row : (top + 1) * row : step]) for top in range(0, matte.layout.height, step)]
    if not made.samples:
        made.width, made.height = len(small[0]), len(small)
        made.samples = array.array("f", bytes(made.width * made.height * 16))
    total = across = down = 0
    for y, line in enumerate(small):
        if not any(line):
            continue
        place = (made.height - 1 - y) * made.width * 4
        for x, value in enumerate(line):
            if value:
                at = place + x * 4
                made.samples[at : at + 4] = array.array("f", (*colour, OPACITY * value / 255))
        weight = sum(line)
        total, down = total + weight, down + weight * y
        across += sum(x * value for x, value in enumerate(line) if value)
    if total:
        made.places[instance] = (across / total / made.width, down / total / made.height)
