"""Repeated frames of a shot: what shows again is styled once, and its repeats are the same bit for bit.

A stream sees a run of repeats as one frame, its first. So the window reaches over frames that differ, all of a run have
the same window, and the second of them costs nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class Repeats:
    """Runs of frames that show the same.

    Args:
        numbers: of the frames that show what the frame before them shows.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._runs: list[list[int]] = []  # first and last frame, ascending
        for number in sorted(numbers):
            if self._runs and self._runs[-1][1] == number - 1:
                self._runs[-1][1] = number
            else:
                self._runs.append([number - 1, number])

    def first(self, number: int) -> int:
        """The frame that stands for this one: the first of its run, or itself."""
        run = self._run(number)
        return number if run is None else run[0]

    def last(self, number: int) -> int:
        """The last frame that shows the same."""
        run = self._run(number)
        return number if run is None else run[1]

    def __repr__(self) -> str:
        return f"Repeats({self._runs})"

    def _run(self, number: int) -> list[int] | None:
        place = bisect_right(self._runs, number, key=lambda run: run[0]) - 1
        run = self._runs[place] if place >= 0 else None
        return run if run is not None and number <= run[1] else None
