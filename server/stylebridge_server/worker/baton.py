"""Who computes: one job at a time, interactive ones first, then first come, first served."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Baton:
    """Held by the one job that computes. A job gives it away only where it says so, never in mid-step."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._holder: int | None = None
        self._waiting: dict[int, tuple[bool, int]] = {}  # job -> what it is sorted by

    def take(self, job: int, interactive: bool) -> None:
        """Waits for the baton."""
        with self._condition:
            self._waiting[job] = (not interactive, job)
            self._condition.wait_for(lambda: self._holder is None and self._next() == job)
            del self._waiting[job]
            self._holder = job

    def give(self) -> None:
        """Lets the next job go on."""
        with self._condition:
            self._holder = None
            self._condition.notify_all()

    def wanted(self) -> bool:
        """Whether an interactive job waits."""
        with self._condition:
            return any(not key[0] for key in self._waiting.values())

    def _next(self) -> int:
        return min(self._waiting, key=self._waiting.__getitem__)


class Credit:
    """How many bytes a job may still send."""

    def __init__(self, window: int) -> None:
        self._condition = threading.Condition()
        self._window = self._left = window

    def add(self, size: int) -> None:
        """The receiver took so many bytes; never more is left than the window."""
        with self._condition:
            self._left = min(self._left + size, self._window)
            self._condition.notify_all()

    def wake(self) -> None:
        """Lets `spend` look again whether to give up."""
        with self._condition:
            self._condition.notify_all()

    def spend(self, size: int, give_up: Callable[[], bool], wait: bool) -> bool:
        """Takes `size` from what is left, waiting for it where told to. False where it was not taken."""

        def enough() -> bool:
            return self._left >= min(size, self._window)

        with self._condition:
            if wait:
                self._condition.wait_for(lambda: enough() or give_up())
            if give_up() or not enough():
                return False
            self._left -= size
            return True
