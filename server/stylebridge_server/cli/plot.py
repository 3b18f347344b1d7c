"""Plain line charts as PNG: a panel under another, all over the same frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylebridge.errors import Code, StylebridgeError

WIDTH, PANEL, TITLE, LEFT, RIGHT, FOOT = 1200, 300, 64, 96, 28, 56
PAPER, INK, FAINT, GRID = (255, 255, 255), (34, 34, 38), (118, 118, 124), (228, 228, 232)
COLOURS = ((200, 74, 32), (66, 110, 170), (70, 140, 70))
_FINE = 2  # drawn so many times larger and shrunk, for smooth lines


@dataclass(frozen=True)
class Line:
    """One curve: its name, and y at each x; x ascending, gaps where x jumps."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Curves that share a height, which begins at 0."""

    title: str
    lines: Sequence[Line]


def draw(path: Path, title: str, across: str, panels: Sequence[Panel]) -> None:
    """Write the chart.

    Args:
        path: a PNG.
        title: at the top.
        across: what x is.
        panels: one or more, each with at least one point.

    Raises:
        StylebridgeError: NOT_WRITABLE.
    """
    height = TITLE + PANEL * len(panels) + FOOT
    page = Image.new("RGB", (WIDTH * _FINE, height * _FINE), PAPER)
    pen = ImageDraw.Draw(page)
    _text(pen, (LEFT, 20), title, INK, 22)
    x = np.concatenate([np.asarray(line.x, float) for panel in panels for line in panel.lines])
    span = (float(x.min()), float(max(x.max(), x.min() + 1)))
    for place, panel in enumerate(panels):
        _panel(pen, TITLE + PANEL * place, panel, span)
    for value in _ticks(*span, 10, whole=True):
        _text(pen, (_across(value, span), height - FOOT + 6), f"{value:g}", FAINT, 13, "ma")
    _text(pen, (WIDTH - RIGHT, height - 8), across, FAINT, 14, "rs")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        page.resize((WIDTH, height), Image.Resampling.LANCZOS).save(path, "PNG")
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE, f"The plot cannot be written to {path}: {error.strerror or error}."
        ) from None


def _panel(pen: ImageDraw.ImageDraw, top: int, panel: Panel, span: tuple[float, float]) -> None:
    first, last = top + 34, top + PANEL - 14
    highest = max(max(line.y) for line in panel.lines) or 1.0
    ticks = _ticks(0.0, highest * 1.05, 5)

    def down(value: float) -> float:
        return last - (last - first) * value / (highest * 1.05)

    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0])))
    for value in ticks:
        _stroke(pen, [(LEFT, down(value)), (WIDTH - RIGHT, down(value))], GRID, 1)
        _text(pen, (LEFT - 10, down(value)), f"{value:.{digits}f}" if value else "0", FAINT, 13, "rm")
    _text(pen, (LEFT, top + 6), panel.title, INK, 16)
    at = WIDTH - RIGHT
    for line, colour in reversed(list(zip(panel.lines, COLOURS, strict=False))):
        mean = f"{line.name}, mean {np.mean(line.y):.3g}"
        font = ImageFont.load_default(14)
        at -= round(font.getlength(mean))
        _text(pen, (at, top + 8), mean, INK, 14)
        _stroke(pen, [(at - 30, top + 16), (at - 8, top + 16)], colour, 3)
        at -= 54
    for line, colour in zip(panel.lines, COLOURS, strict=False):
        for piece in _pieces(line):
            points = [(_across(x, span), down(y)) for x, y in piece]
            if len(points) == 1:
                points = [(points[0][0] - 2, points[0][1]), (points[0][0] + 2, points[0][1])]
            _stroke(pen, points, colour, 2)


def _pieces(line: Line) -> list[list[tuple[float, float]]]:
    """The curve cut where x jumps by more than its usual step: a line over a gap would claim values."""
    points = list(zip(line.x, line.y, strict=True))
    step = min((b[0] - a[0] for a, b in itertools.pairwise(points)), default=1)
    pieces = [points[:1]]
    for before, point in itertools.pairwise(points):
        if point[0] - before[0] > 1.5 * step:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Round values between low and high."""
    rough = (high - low) / most
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough)
    step = max(1.0, step) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [step * n for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _across(x: float, span: tuple[float, float]) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * (x - span[0]) / (span[1] - span[0])


def _stroke(
    pen: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: tuple[int, int, int], width: int
) -> None:
    pen.line([(x * _FINE, y * _FINE) for x, y in points], colour, width * _FINE, joint="curve")


def _text(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
    size: int,
    anchor: str = "la",
) -> None:
    pen.text((place[0] * _FINE, place[1] * _FINE), text, colour, ImageFont.load_default(size * _FINE), anchor)
