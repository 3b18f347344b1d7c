"""A parameter's value over time: a constant, or keys with one of three interpolations.

As plain data a curve is one value, or a list of keys `[frame, value]` or `[frame, value, interpolation]`:

    0.5
    [[1001, 0.0], [1024.5, 1.0, "smooth"], [1048, 0.25, "hold"]]

Frames are the source's own numbers and may be fractional. A key's interpolation says how the value goes *from
that key to the next*: "linear" (what an omitted one means), "smooth" (cubic, with zero slope at both ends) or
"hold". Before the first key and after the last the value stays. Values that cannot be mixed (switches, names,
whole numbers) know only "hold".
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import Code, StylebridgeError
from .wording import shown, suggestion

INTERPOLATIONS = ("linear", "smooth", "hold")
FRAME_LIMIT = 10**9  # beyond it, fractions of a frame would no longer be told apart well


@dataclass(frozen=True)
class Key:
    """One key of a curve.

    Attributes:
        frame: the source's own frame number, may be fractional.
        value: the value exactly at that frame.
        interpolation: one of `INTERPOLATIONS`; None where it was not written: "linear", or "hold" in a curve
            whose values cannot be mixed.
    """

    frame: float
    value: Any
    interpolation: str | None = None


@dataclass(frozen=True)
class Curve:
    """A value over time. Immutable; equal curves were written alike.

    Attributes:
        keys: in the order in which they were written; empty for a constant.
        constant: the value of a curve without keys.
        hold: the values cannot be mixed, each stays until the next key.
    """

    keys: tuple[Key, ...] = ()
    constant: Any = None
    hold: bool = False
    _ordered: tuple[Key, ...] = field(init=False, repr=False, compare=False)
    _frames: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.keys, key=lambda key: key.frame))
        object.__setattr__(self, "_ordered", ordered)
        object.__setattr__(self, "_frames", tuple(key.frame for key in ordered))

    @classmethod
    def from_data(
        cls,
        data: object,
        *,
        name: str = "value",
        check: Callable[[object, str], object] | None = None,
        hold: bool = False,
    ) -> Curve:
        """Reads a curve from plain data.

        Args:
            data: a value, or a list of keys in any order.
            name: what sentences call the curve.
            check: called as check(value, how a sentence calls it) for each value; raises on a bad one.
                Without it, values must be numbers (of a curve that holds, anything).
            hold: the values cannot be mixed.

        Raises:
            StylebridgeError: `BAD_VALUE`; its detail `path` leads from `data` to what is wrong.
        """
        if check is None:
            check = _anything if hold else finite
        if not isinstance(data, (list, tuple)):
            check(data, name)
            return cls(constant=data, hold=hold)
        if not data:
            raise StylebridgeError(Code.BAD_VALUE, f"{name} has an empty list of keys.", path=[])
        keys: list[Key] = []
        seen: dict[float, int] = {}
        for index, entry in enumerate(data):
            key = _key(entry, index, name, check, hold)
            if key.frame in seen:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"{name} has two keys at frame {shown(key.frame)}, its keys {seen[key.frame] + 1} and "
                    f"{index + 1}; keep one of them.",
                    path=[index],
                )
            seen[key.frame] = index
            keys.append(key)
        return cls(tuple(keys), hold=hold)

    def to_data(self) -> Any:
        """The plain data that this curve was read from, number for number and key for key."""
        if not self.keys:
            return self.constant
        return [
            [key.frame, key.value] + ([] if key.interpolation is None else [key.interpolation])
            for key in self.keys
        ]

    def evaluate(self, frame: float) -> Any:
        """The value at a frame: a float where values mix, else the value as it was written. Exact at keys."""
        if not math.isfinite(frame):
            raise StylebridgeError(Code.BAD_VALUE, "The frame to evaluate at is not a finite number.")
        if not self.keys:
            return self._whole(self.constant)
        index = bisect_right(self._frames, frame) - 1
        key = self._ordered[max(index, 0)]
        if index < 0 or index + 1 == len(self._ordered) or key.frame == frame:
            return self._whole(key.value)
        how = key.interpolation or ("hold" if self.hold else "linear")
        if how == "hold":
            return self._whole(key.value)
        after = self._ordered[index + 1]
        part = (frame - key.frame) / (after.frame - key.frame)
        if how == "smooth":
            part = part * part * (3.0 - 2.0 * part)
        low, high = float(key.value), float(after.value)
        value = low + (high - low) * part
        return min(max(value, min(low, high)), max(low, high))  # rounding must not overshoot a key

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same at all times."""
        return all(key.value == self.keys[0].value for key in self.keys)

    @property
    def values(self) -> tuple[Any, ...]:
        """The value of each key in order of time, or the constant alone."""
        return tuple(key.value for key in self._ordered) if self.keys else (self.constant,)

    def is_zero(self, first: float, last: float) -> bool:
        """Whether the value is 0 (or false) at every time from `first` to `last`, both included."""
        # Between neighbouring points every interpolation is monotonic, so zero at the points is zero between.
        inside = (key.value for key in self._ordered if first < key.frame < last)
        return not (self.evaluate(first) or self.evaluate(last) or any(inside))

    def _whole(self, value: Any) -> Any:
        return value if self.hold else float(value)


def bake(function: Callable[[float], Any], first: int, last: int, *, hold: bool = False) -> Curve:
    """A curve with a key on each whole frame from `first` to `last`, for host curves of other shapes.

    Between frames it is linear, or stays where `hold` says so. A function that never changes makes a
    constant.
    """
    if last < first:
        raise StylebridgeError(Code.BAD_VALUE, f"The last frame ({last}) lies before the first ({first}).")
    values = [function(float(frame)) for frame in range(first, last + 1)]
    if not hold:
        for value in values:
            finite(value, "a value to bake")
    if all(value == values[0] for value in values):
        return Curve(constant=values[0], hold=hold)
    return Curve(tuple(Key(first + step, value) for step, value in enumerate(values)), hold=hold)


def finite(value: object, what: str) -> None:
    """Refuses what is not a finite number. True and false are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        raise StylebridgeError(Code.BAD_VALUE, f"{what} is {shown(value)}; it must be a number.", path=[])


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False


def _anything(value: object, what: str) -> None:
    """Accepts every value of a curve that holds."""


def _key(entry: object, index: int, name: str, check: Callable[[object, str], object], hold: bool) -> Key:
    what = f"{name}, key {index + 1},"
    if not isinstance(entry, (list, tuple)) or len(entry) not in (2, 3):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{what} is {shown(entry)}; a key is [frame, value] or [frame, value, interpolation].",
            path=[index],
        )
    frame, value = entry[0], entry[1]
    finite_frame = not isinstance(frame, bool) and isinstance(frame, (int, float)) and _is_finite(frame)
    if not finite_frame or abs(frame) > FRAME_LIMIT:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{what} is at frame {shown(frame)}; a frame is a number no further than {FRAME_LIMIT} from 0.",
            path=[index, 0],
        )
    try:
        check(value, what)
    except StylebridgeError as error:
        raise StylebridgeError(error.code, error.message, path=[index, 1]) from None
    interpolation = entry[2] if len(entry) == 3 else None
    if len(entry) == 3 and interpolation not in INTERPOLATIONS:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{what} goes on with {shown(interpolation)}; {suggestion(interpolation, INTERPOLATIONS)}",
            path=[index, 2],
        )
    if hold and interpolation not in (None, "hold"):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{what} goes on with {shown(interpolation)}; {name} can only hold between keys.",
            path=[index, 2],
        )
    return Key(frame, value, interpolation)
