"""Draws docs/pictures/shaper.png, the curves of colour.md, with the product's own functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stylebridge_server.colour import shaper

PICTURE = Path(__file__).with_name("pictures") / "shaper.png"
WIDTH, HEIGHT, LEFT, TOP, PLOT_W, PLOT_H, GAP = 1160, 470, 70, 70, 470, 330, 80
PAPER, INK, FAINT, GRID = (255, 255, 255), (34, 34, 38), (118, 118, 124), (228, 228, 232)
ORANGE, BLUE = (200, 74, 32), (66, 110, 170)
FINE = 2  # drawn larger and shrunk, for smooth lines
STOPS = (-7, 7)  # of the plate, from white

Values = NDArray[np.float32]


class Plot:
    """One plot: stops across, anything up."""

    def __init__(self, pen: ImageDraw.ImageDraw, place: int, title: str, up: tuple[float, float]) -> None:
        self._pen, self._left, self._up = pen, LEFT + place * (PLOT_W + GAP), up
        self.text(self._left, TOP - 34, title, INK, 17)

    def grid(self, values: dict[float, str]) -> None:
        for value, name in values.items():
            y = self._y(value)
            self.line([(self._left, y), (self._left + PLOT_W, y)], GRID, 1)
            self.text(self._left - 8, y, name, FAINT, 13, "rm")
        for stop in range(-6, 7, 2):
            x = self._x(stop)
            self.line([(x, TOP), (x, TOP + PLOT_H)], GRID, 1)
            self.text(
                x, TOP + PLOT_H + 8, f"{2.0**stop:g}" if stop >= 0 else f"1/{2**-stop}", FAINT, 13, "ma"
            )
        self.text(
            self._left + PLOT_W, TOP + PLOT_H + 30, "greatest channel of the plate, linear", FAINT, 13, "ra"
        )

    def curve(self, function: Callable[[Values], Values], colour: tuple[int, int, int], width: int) -> None:
        stops = np.linspace(*STOPS, 800, dtype=np.float32)
        values = function(np.exp2(stops))
        points = [
            (self._x(x), self._y(y))
            for x, y in zip(stops, values, strict=True)
            if self._up[0] <= y <= self._up[1]
        ]
        self.line(points, colour, width)

    def note(self, stop: float, value: float, text: str, colour: tuple[int, int, int]) -> None:
        self.text(self._x(stop), self._y(value), text, colour, 15)

    def line(self, points: list[tuple[float, float]], colour: tuple[int, int, int], width: int) -> None:
        self._pen.line([(x * FINE, y * FINE) for x, y in points], colour, width * FINE, joint="curve")

    def text(
        self, x: float, y: float, text: str, colour: tuple[int, int, int], size: int, anchor: str = "la"
    ) -> None:
        self._pen.text((x * FINE, y * FINE), text, colour, ImageFont.load_default(size * FINE), anchor)

    def _x(self, stop: float) -> float:
        return self._left + PLOT_W * (stop - STOPS[0]) / (STOPS[1] - STOPS[0])

    def _y(self, value: float) -> float:
        return TOP + PLOT_H * (1 - (value - self._up[0]) / (self._up[1] - self._up[0]))


def grey(n: Values) -> Values:
    """What networks see of grey pixels."""
    return shaper.compress(np.repeat(n[None, :, None], 3, 2))[0, :, 0]


def clipped(n: Values) -> Values:
    """What a display shows of them."""
    return shaper.encode(np.repeat(np.minimum(n, 1)[None, :, None], 3, 2))[0, :, 0]


def darkest(n: Values) -> Values:
    """In stops from white: the darkest that a pixel can be painted."""
    return np.log2(np.maximum(shaper.floor(n), np.float32(2.0**-9)))


def main() -> None:
    page = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), PAPER)
    pen = ImageDraw.Draw(page)
    there = Plot(pen, 0, "There: what networks see of grey", (0, 1.02))
    there.grid({value / 5: f"{value / 5:g}" for value in range(6)})
    there.curve(clipped, FAINT, 1)
    there.curve(grey, ORANGE, 2)
    there.note(-2.7, 0.97, "a display", FAINT)
    there.note(1.0, 0.83, "networks", ORANGE)
    back = Plot(pen, 1, "Back: what a pixel is at least, however dark the paint", (-7, 7))
    back.grid({stop: f"{2.0**stop:g}" if stop >= 0 else f"1/{2**-stop}" for stop in range(-6, 7, 2)})
    back.curve(np.log2, FAINT, 1)
    back.curve(darkest, BLUE, 2)
    back.note(-4.9, -1.9, "the plate", FAINT)
    back.note(1.4, -1.2, "the least", BLUE)
    page.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
