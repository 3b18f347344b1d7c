"""A bounded memory for pure results, keyed by what they were made from.

A key is the hash of everything that a value depends on, so a value is never stale and dropping one costs time,
never a different picture.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


def key(*parts: object) -> str:
    """The hash of what a value depends on.

    Args:
        parts: strings, numbers, None, bytes, and tuples or lists of these. Types count: 1, 1.0 and "1" differ.

    Returns:
        32 hexadecimal digits (BLAKE2b, 128 bits).

    Raises:
        TypeError: for a part whose text is not its identity.
    """
    digest = hashlib.blake2b(digest_size=16)
    _feed(digest, parts)
    return digest.hexdigest()


def _feed(digest: Any, part: object) -> None:
    if isinstance(part, (tuple, list)):
        digest.update(b"(%d:" % len(part))
        for item in part:
            _feed(digest, item)
        return
    if not (part is None or isinstance(part, (str, bytes, bool, int, float))):
        raise TypeError(f"a cache key cannot hold a {type(part).__name__}")
    text = part if isinstance(part, bytes) else repr(part).encode()
    # The length in front keeps neighbours apart: ("ab", "c") and ("a", "bc") are two keys.
    digest.update(b"%s%d:" % (type(part).__name__.encode(), len(text)) + text)


class Cache:
    """Least recently used values within a number of bytes.

    Args:
        limit: bytes of values to hold. A single value above it is handed out and not kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: Hashable) -> bool:
        return name in self._values

    def get(self, name: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """The value of that name, made now if it is not here.

        Args:
            name: from `key`.
            make: computes the value; must be a pure function of what went into the name.
            size: bytes that the value holds.
        """
        found = self._values.get(name)
        if found is not None:
            self.hits += 1
            self._values.move_to_end(name)
            value: Value = found[0]
            return value
        self.misses += 1
        value = make()
        weight = size(value)
        # Making it may have made room for others' turns, and one of them the same value.
        if weight <= self.limit and name not in self._values:
            self._values[name] = (value, weight)
            self.bytes += weight
            self._drop()
        return value

    def keep(self, limit: int) -> None:
        """Holds at most so many bytes from now on."""
        self.limit = limit
        self._drop()

    def _drop(self) -> None:
        while self.bytes > self.limit:
            _, (_, dropped) = self._values.popitem(last=False)
            self.bytes -= dropped

    def clear(self) -> None:
        """Forget everything; counters stay."""
        self._values.clear()
        self.bytes = 0
