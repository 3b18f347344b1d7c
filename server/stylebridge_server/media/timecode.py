"""SMPTE timecode (ST 12-1): moved on by a number of frames, so that a cut piece keeps its place."""

from __future__ import annotations

import re
import struct
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


def exr_timecode(timecode: str) -> bytes | None:
    """What OpenEXR's attribute of type timecode holds; None where it is not written hh:mm:ss:ff."""
    match = _PATTERN.fullmatch(timecode)
    if match is None:
        return None
    hours, minutes, seconds, separator, count = match.groups()
    packed = 0
    for value in (hours, minutes, seconds, count[-2:]):  # each decimal digit in four bits
        packed = packed << 8 | int(value[0]) << 4 | int(value[1])
    return struct.pack("<II", packed | (separator in ";.") << 6, 0)


def timecode_of_exr(packed: bytes) -> str | None:
    """The timecode, hh:mm:ss:ff, of such an attribute; None where it holds none."""
    if len(packed) != 8:
        return None
    (bits,) = struct.unpack_from("<I", packed)
    values = [
        (bits >> shift & mask, bits >> (shift - 4) & 15)
        for shift, mask in ((28, 3), (20, 7), (12, 7), (4, 3))
    ]
    if any(units > 9 for _, units in values):
        return None
    hours, minutes, seconds, count = (f"{tens}{units}" for tens, units in values)
    return f"{hours}:{minutes}:{seconds}{';' if bits & 0x40 else ':'}{count}"
