"""How much of a stream may be on its way to a client that has not taken it."""

from __future__ import annotations

import threading
from collections.abc import Callable


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
