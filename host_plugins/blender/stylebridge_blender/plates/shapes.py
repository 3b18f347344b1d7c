"""Outlines drawn by hand, as Blender's masks have them, and the matte that they cover. Pure Python, without Blender.

A shape is plain data, so that it is saved with a prompt: a list of layers, the lowest first, each with "alpha" (0 to
1), "invert", "blend" (Blender's name of it), "holes" and "polygons". Those are lists of [x, y], normalised, origin top
left. With holes, polygons of a layer that lie over each other cut each other out (even-odd); else they add up.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from .._bridge.stylebridge.pixels import Layout, Picture
from .coordinates import Point

Shape = list[dict[str, Any]]

#: The widest and highest that a matte is drawn, in pixels: it says where a thing is, its edge is found by the server.
LARGEST = 512

#: How a layer is laid over those below it, as Blender's rasteriser does: below, the layer's value, its alpha.
_BLENDS: dict[str, Callable[[float, float, float], float]] = {
    "MERGE_ADD": lambda below, value, alpha: below + value * (1.0 - below),
    "MERGE_SUBTRACT": lambda below, value, alpha: below - value * below,
    "ADD": lambda below, value, alpha: below + value,
    "SUBTRACT": lambda below, value, alpha: below - value,
    "LIGHTEN": lambda below, value, alpha: max(below, value),
    "DARKEN": lambda below, value, alpha: min(below, value),
    "MUL": lambda below, value, alpha: below * value,
    "REPLACE": lambda below, value, alpha: below * (1.0 - alpha) + value * alpha,
    "DIFFERENCE": lambda below, value, alpha: abs(below - value),
}


def moved(shape: Shape, place: Callable[[Point], Point]) -> Shape:
    """A shape with every point where `place` brings it."""
    return [
        {
            **layer,
            "polygons": [
                [[round(part, 6) for part in place((x, y))] for x, y in polygon]
                for polygon in layer["polygons"]
            ],
        }
        for layer in shape
    ]


def matte(shape: Shape, size: tuple[int, int]) -> Picture:
    """What a shape covers: uint8, one channel, 255 where it covers fully, with hard edges.

    Args:
        size: width and height of the picture that it is of; the matte is as large, or smaller with the same aspect.
    """
    part = min(1.0, LARGEST / max(size))
    wide, high = (max(1, round(side * part)) for side in size)
    layers = [(layer, _rows(layer, wide, high)) for layer in shape]
    data = bytearray()
    for row in range(high):
        spans = [(layer, rows[row]) for layer, rows in layers]
        edges = sorted({0, wide, *(edge for _, pairs in spans for pair in pairs for edge in pair)})
        for left, right in itertools.pairwise(edges):
            data += bytes((round(255 * _value(spans, left)),)) * (right - left)
    return Picture(0, Layout("uint8", high, wide, 1), bytes(data))


def covers(picture: Picture) -> bool:
    """Whether a matte has anything in it, as the server sees it."""
    return any(value >= 128 for value in set(bytes(picture.data)))


def _value(spans: list[tuple[dict[str, Any], list[tuple[int, int]]]], x: int) -> float:
    total = 0.0
    for layer, pairs in spans:
        value = 1.0 if any(left <= x < right for left, right in pairs) else 0.0
        if layer["blend"] != "REPLACE":
            value *= layer["alpha"]
        if layer["invert"]:
            value = 1.0 - value
        total = min(max(_BLENDS[layer["blend"]](total, value, layer["alpha"]), 0.0), 1.0)
    return total


def _rows(layer: dict[str, Any], wide: int, high: int) -> list[list[tuple[int, int]]]:
    """For each row of pixels what a layer's polygons fill, as (first, behind the last)."""
    groups = [layer["polygons"]] if layer["holes"] else [[polygon] for polygon in layer["polygons"]]
    rows: list[list[tuple[int, int]]] = [[] for _ in range(high)]
    for group in groups:
        for row, crossings in enumerate(_crossings(group, high)):
            crossings.sort()
            # A pixel belongs to what its middle lies in.
            places = [min(max(math.ceil(x * wide - 0.5), 0), wide) for x in crossings]
            rows[row] += [pair for pair in zip(places[::2], places[1::2], strict=True) if pair[0] < pair[1]]
    return rows


def _crossings(polygons: list[list[list[float]]], high: int) -> list[list[float]]:
    """Where the middle of each row meets the polygons' sides."""
    rows: list[list[float]] = [[] for _ in range(high)]
    for polygon in polygons:
        for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            first, last = max(math.ceil(y0 * high - 0.5), 0), min(math.ceil(y1 * high - 0.5), high)
            for row in range(first, last):
                rows[row].append(x0 + ((row + 0.5) / high - y0) / (y1 - y0) * (x1 - x0))
    return rows
