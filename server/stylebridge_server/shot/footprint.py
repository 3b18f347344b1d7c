"""How much memory a request takes at its peak, from sizes alone: known before any is taken.

Bytes beyond what the process holds before, and beyond what its caches may keep. The terms follow what the code of the
rooms holds at one time; `tests/shot/test_footprint.py` measures the peaks of real requests beside them (Linux, VmHWM,
the high-water mark reset before each), and holds that no estimate lies under what was measured, nor far above it. All
in all they are an upper bound for a bad case: every instance covers much of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np

from stylebridge_server import style
from stylebridge_server.colour import DISPLAY
from stylebridge_server.shot.render import Resolved
from stylebridge_server.values import SourceInfo

Bytes = int

_KEPT_FRAMES = 5  # source frames at one time: three that the shot keeps, the one that is read, the result
_AHEAD = 2  # of a sequence, read before they are asked for
_DECODED = 192 << 20  # pictures that a movie's decoder keeps
_NETWORK = 128 << 20  # a band being encoded, or a piece decoded
_FOLLOWED = 192 << 20  # instances at working size
_FLOAT_RGB, _FLOAT = 12, 4  # bytes a pixel

Estimate = Callable[[SourceInfo], Bytes]


def of_render(
    info: SourceInfo,
    layers: int,
    strokes: Collection[float],
    window: int,
    whole: bool,
    scale: int = 1,
    flow: Callable[[int], Bytes] = lambda pixels: 0,
) -> Bytes:
    """A render of any number of frames of a shot.

    Args:
        info: of the shot.
        layers: instances that are styled, and the background.
        strokes: their stroke sizes.
        window: frames blended.
        whole: whether a network paints whole frames.
        scale: of a proxy.
        flow: what its method takes, by the shot's number of pixels.
    """
    source = _source(info) + (flow(info.width * info.height) if layers and window > 1 else 0)
    if scale > 1:
        # A frame, and a matte, on the way down: as read, as floats, weighed by alpha.
        source += info.width * info.height * (3 * 4 * info.channels + 2 * _FLOAT)
        info = replace(info, width=-(-info.width // scale), height=-(-info.height // scale))
    if not layers:
        return source
    full = info.width * info.height
    # The plate in the working space, its detail and what is made of it; for each layer its matte, its share and its
    # styled picture; then those of the layer at hand.
    pixels = full * (_FLOAT_RGB * 2 + layers * (_FLOAT_RGB + 2 * _FLOAT + 1) + 2 * _FLOAT_RGB)
    if info.colour != DISPLAY or info.alpha != "none" or info.dtype.startswith("float"):
        # What is seen of the frame at hand and of another, kept, and of one that is being read: itself, what is known
        # of it, and the pyramid that fills it.
        pixels += full * (2 * _FLOAT_RGB + 6 * _FLOAT_RGB)
    networks = [math.prod(style.network_size(info.height, info.width, stroke)) for stroke in strokes]
    # For each frame of the window its plate, flow both ways with validity, path, weight and styled picture.
    followed = max(networks) * (_FLOAT_RGB * 2 + 24 + 12) * window + sum(networks) * 8 * _FLOAT_RGB
    painting = max(networks) * 700 if whole else 0
    return source + pixels + followed + painting + _NETWORK


def of_mattes(info: SourceInfo, instances: int, scale: int = 1) -> Bytes:
    """The mattes of any number of frames of a shot.

    Args:
        info: of the shot.
        instances: that the analysis has.
        scale: of a proxy.
    """
    full = info.width * info.height
    # Of each its matte and its share; then one matte as it is unpacked, shaped, and as it goes out.
    planes = (full // scale**2 + info.width + info.height) * (2 * instances + 6) * _FLOAT
    return _source(info) + planes + full * (2 * _FLOAT + 2)


def of_analysis(info: SourceInfo, instances: bool, network: Bytes = 0) -> Bytes:
    """An analysis of a shot.

    Args:
        info: of the shot.
        instances: whether it looks for instances, or for cuts alone.
        network: what the network that finds them takes, its weights included.
    """
    full = info.width * info.height
    eight_bit = full * (3 if info.dtype == "uint8" else 3 + 3 * _FLOAT_RGB)
    if info.kind == "movie":
        eight_bit += full * (3 + _FLOAT)  # two lumas and their difference, in which repeats are seen
    if info.alpha != "none":
        eight_bit += full * 4 * _FLOAT_RGB  # filled where it covers nothing
    if not instances:
        return _source(info) + eight_bit
    held = max(48 << 20, 3 * full)
    # The soft matte of an instance: what the guided filter found, enlarged, and the picture that it is read with.
    edges = full * 90
    # At working size, whatever the shot's: the networks' layers, on every thread, and what followers know.
    return _source(info) + eight_bit + held + edges + network + _FOLLOWED


def extent(look: Resolved, info: SourceInfo) -> dict[str, Any]:
    """What of a look a render's memory depends on: the arguments of `of_render` after the first."""
    active = [one for one in look.layers.values() if not one.is_idle(info.first, info.last)]
    return {
        "layers": len(active),
        "strokes": {float(value) for one in active for value in one.curve("stroke_size").values},
        "window": int(look.shot["window"]),
        "flow": look.flow.memory,
        "whole": any(not isinstance(one, style.CodeStyle) for one in look.styles.values()),
    }


def that_fits(info: SourceInfo, estimate: Estimate, most: Bytes) -> tuple[int, int] | None:
    """The largest picture (width, height) of the same aspect whose estimate is at most `most`, None for none."""
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        size = max(1, int(info.width * middle)), max(1, int(info.height * middle))
        fits = estimate(replace(info, width=size[0], height=size[1])) <= most
        low, high = (middle, high) if fits else (low, middle)
    return (
        (int(info.width * low), int(info.height * low)) if low * min(info.width, info.height) >= 16 else None
    )


def _source(info: SourceInfo) -> Bytes:
    frame = info.width * info.height * info.channels * np.dtype(info.dtype).itemsize
    decoded = (
        max(_DECODED, 2 * frame) if info.kind == "movie" else 2 * frame
    )  # a picture file, and what it unpacks to
    ahead = _AHEAD if info.kind == "sequence" else 0
    return frame * (_KEPT_FRAMES + ahead) + decoded
