"""The curves of a run while it runs: a picture, and files for TensorBoard where that is installed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np


class Curves:
    """Draws `curve.png` from `log.csv`, and writes TensorBoard's event files beside it.

    Args:
        folder: of the run.
        step: the first step to come; what TensorBoard holds from there on, of a run that was killed, it drops.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder = folder
        self._first = step
        self._writer: Any = None
        self._wanted = True

    def _board(self) -> Any:
        """TensorBoard's writer, made at the first row: loading it takes a second. None where it is not installed."""
        if self._wanted and self._writer is None:
            try:
                from torch.utils.tensorboard.writer import SummaryWriter

                self._writer = SummaryWriter(str(self._folder / "tensorboard"), purge_step=self._first)
            except ImportError:
                self._wanted = False
        return self._writer

    def add(self, step: int, row: dict[str, float]) -> None:
        """The numbers of one step."""
        board = self._board()
        if board:
            for name, value in row.items():
                if name not in ("step", "seconds"):
                    board.add_scalar(name, value, step)

    def show(self, step: int, path: Path) -> None:
        """A sheet of samples, once it is written."""
        board = self._board()
        if board and path.is_file():
            board.add_image("samples", cv2.imread(str(path))[..., ::-1], step, dataformats="HWC")

    def draw(self) -> None:
        """Writes `curve.png`: every column of the log over the steps, smoothed, its first value being the height."""
        with (self._folder / "log.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        if rows:
            cv2.imwrite(str(self._folder / "curve.png"), drawn(rows))

    def close(self) -> None:
        if self._writer:
            self._writer.close()


_WIDTH, _HEIGHT, _EDGE, _LEGEND = 960, 480, 48, 190
_COLOURS = (
    (40, 40, 40),
    (200, 90, 30),
    (40, 140, 40),
    (30, 30, 200),
    (170, 40, 150),
    (20, 150, 200),
    (150, 150, 0),
)


def drawn(rows: list[dict[str, str]]) -> np.ndarray:
    """A BGR picture of the log's losses, each on a logarithmic height of its own range's decades."""
    names = [name for name in rows[0] if name not in ("step", "seconds", "rate")]
    steps = np.array([int(row["step"]) for row in rows], float)
    series = {}
    for name in names:
        values = np.array([float(row[name]) if row.get(name) else np.nan for row in rows])
        if np.isfinite(values).any() and np.nanmax(values) > 0:
            series[name] = _smoothed(values)
    image = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    positive = np.concatenate([v[np.isfinite(v) & (v > 0)] for v in series.values()] or [np.ones(1)])
    low, high = np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()))
    high = max(high, low + 1)
    span = max(1.0, steps[-1] - steps[0])

    def at(step: float, value: float) -> tuple[int, int]:
        x = _EDGE + (step - steps[0]) / span * (_WIDTH - _EDGE - _LEGEND)
        y = _EDGE + (high - np.log10(value)) / (high - low) * (_HEIGHT - 2 * _EDGE)
        return round(x), round(y)

    def write(text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)

    for decade in np.arange(low, high + 1):
        left, right = at(steps[0], 10**decade), at(steps[-1], 10**decade)
        cv2.line(image, left, right, (225, 225, 225), 1)
        write(f"{10**decade:g}", (4, left[1] + 4), (90, 90, 90))
    write(f"step {steps[0]:.0f}", (_EDGE, _HEIGHT - 18), (90, 90, 90))
    write(f"{steps[-1]:.0f}", (_WIDTH - _LEGEND - 30, _HEIGHT - 18), (90, 90, 90))
    for i, (name, values) in enumerate(series.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        points = [at(s, v) for s, v in zip(steps, values, strict=True) if np.isfinite(v) and v > 0]
        cv2.polylines(image, [np.array(points, np.int32).reshape(-1, 1, 2)], False, colour, 1, cv2.LINE_AA)
        finite = values[np.isfinite(values)]
        write(f"{name} {finite[-1]:.4g}", (_WIDTH - _LEGEND + 12, _EDGE + 18 * i), colour)
    return image


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A running mean over a fiftieth of the steps."""
    length = max(1, len(values) // 50)
    known = np.isfinite(values)
    kernel = np.ones(length)
    total = np.convolve(np.where(known, values, 0.0), kernel, "same")
    count = np.convolve(known.astype(float), kernel, "same")
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
