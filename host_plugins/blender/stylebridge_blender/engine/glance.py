"""One frame for the eye: small, soon, and not steadied over time. In a worker thread."""

from __future__ import annotations

import array
import math
import struct
from dataclasses import dataclass
from typing import Any

from .._bridge.stylebridge.client import Analysis, Client, Shot
from .._bridge.stylebridge.pixels import Picture
from ..request import Order
from .job import Job
from .render import analysis_of

#: The size that a preview has at most.
WIDTH, HEIGHT = 640, 360
#: Shots that stay known, so that the next frame of them is asked for at once.
KEPT = 4

_known: dict[str, tuple[Shot, Analysis]] = {}


@dataclass
class Glance:
    """A styled frame as a texture wants it.

    Attributes:
        width, height: in pixels.
        samples: RGBA, floats from 0 to 1, rows from the bottom up, linear light: the window applies sRGB's curve.
    """

    width: int
    height: int
    samples: array.array[float]


def glance(order: Order, job: Job) -> Glance:
    """The first frame of an order. Raises `StylebridgeError`."""
    return job.asking(lambda client: _ask(order, client, job))


def _ask(order: Order, client: Client, job: Job) -> Glance:
    key = f"{order.plate.key} {order.plate.path} {order.analysis}"
    if key not in _known:
        shot = order.plate.open(client, job)
        while len(_known) >= KEPT:
            del _known[next(iter(_known))]
        _known[key] = (shot, analysis_of(order, shot, client, job))
    shot, analysis = _known[key]
    frame, index = order.instants[0]
    look = order.looks[index]
    number = min(dict(order.plate.frames)[frame], shot.info["last"])
    scale = max(math.ceil(shot.info["width"] / WIDTH), math.ceil(shot.info["height"] / HEIGHT), 1)
    (picture,) = client.preview(
        shot, look, [number], analysis=analysis, scale=min(scale, 16), scrub="preview"
    )
    return of(picture)


def of(picture: Picture) -> Glance:
    """A picture as a texture wants it: opaque, since it is laid over what it is made from."""
    layout = picture.layout
    values = _values(picture)
    samples = array.array("f", b"\0\0\x80\x3f" * (layout.width * layout.height * 4))  # ones
    colours = 1 if layout.channels < 3 else 3
    for place in range(3):
        samples[place::4] = values[min(place, colours - 1) :: layout.channels]
    row = layout.width * 4
    flipped = array.array("f")
    for top in range((layout.height - 1) * row, -1, -row):
        flipped.extend(samples[top : top + row])
    return Glance(layout.width, layout.height, flipped)


def _linear(value: float) -> float:
    """Linear light of a display-referred value."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


_BYTES = array.array("f", (_linear(value / 255) for value in range(256)))


def _values(picture: Picture) -> array.array[float]:
    """A picture's samples as linear light: integers are display-referred, floats are linear already."""
    data = memoryview(picture.data).cast("B")
    kind = picture.layout.dtype
    if kind == "uint8":
        return array.array("f", map(_BYTES.__getitem__, data))
    if kind == "uint16":
        return array.array("f", map(_BYTES.__getitem__, data[1::2]))
    floats: Any = (
        data.cast("f") if kind == "float32" else (half[0] for half in struct.iter_unpack("<e", data))
    )
    return array.array("f", (min(max(value, 0.0), 1.0) for value in floats))
