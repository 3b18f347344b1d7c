"""SMPTE timecode (ST 12-1): moved on by a number of frames, so that a cut piece keeps its place."""

from __future__ import annotations

import re
from fractions import Fraction

_PATTERN = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2,3})")


def shifted_timecode(timecode: str, frames: int, rate: Fraction) -> str:
    """The timecode `frames` later; unchanged where it is not written hh:mm:ss:ff.

    Args:
        timecode: with ";" or "." before the frames where frame numbers are dropped (29.97 and 59.94).
        rate: frames a second.
    """
    match = _PATTERN.fullmatch(timecode)
    if match is None or frames == 0:
        return timecode
    hours, minutes, seconds, separator, count = match.groups()
    base = round(rate)
    dropped = base // 15 if separator in ";." and base % 30 == 0 else 0
    total_minutes = int(hours) * 60 + int(minutes)
    number = (total_minutes * 60 + int(seconds)) * base + int(count)
    number += frames - dropped * (total_minutes - total_minutes // 10)
    # Back again: numbers are dropped at the start of every minute but each tenth.
    in_ten, in_minute = base * 600 - 9 * dropped, base * 60 - dropped
    number %= in_ten * 144
    tens, rest = divmod(number, in_ten)
    skipped = 0 if rest < base * 60 else 1 + (rest - base * 60) // in_minute
    number += dropped * (9 * tens + skipped)
    seconds_in_all, count_now = divmod(number, base)
    minutes_in_all, seconds_now = divmod(seconds_in_all, 60)
    hours_now, minutes_now = divmod(minutes_in_all, 60)
    return f"{hours_now:02}:{minutes_now:02}:{seconds_now:02}{separator}{count_now:02}"
