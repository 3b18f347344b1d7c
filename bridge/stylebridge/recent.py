"""What is remembered to spare work, in processes that run for months."""

from __future__ import annotations

import threading
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(dict[Key, Value]):
    """A dictionary that forgets what was put there first when it is full. Any thread may use it; whoever wants a value
    that another may push out takes it with `get`.

    Args:
        limit: entries to hold.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._lock = threading.Lock()

    def __setitem__(self, key: Key, value: Value) -> None:
        with self._lock:
            super().__setitem__(key, value)
            while len(self) > self._limit:
                del self[next(iter(self))]
