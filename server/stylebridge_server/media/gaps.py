"""Frames that are missing in the middle of a sequence: refused, or stood for by choice, and always spoken of."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import Pattern
from stylebridge.wording import suggestion
from stylebridge_server.media.notes import OWN

POLICIES = ("error", "hold", "black")
"""Refuse; repeat the frame before the gap; a picture of zeros, alpha too."""

NOTE = f"{OWN}gaps"
_LISTED = 6
_MOST = 100_000


@dataclass(frozen=True)
class Gaps:
    """What stands for missing frames.

    Attributes:
        policy: one of `POLICIES`.
        there: the numbers of the files, ascending.
        missing: first and last number of each gap.
    """

    policy: str = "error"
    there: tuple[int, ...] = ()
    missing: tuple[tuple[int, int], ...] = ()

    def held(self, number: int) -> int | None:
        """The frame whose file stands for a frame: itself, or the one before the gap; None for a black one."""
        place = bisect_right(self.there, number) - 1
        if self.there[place] == number:
            return number
        return self.there[place] if self.policy == "hold" else None

    def within(self, first: int, last: int) -> str:
        """The missing numbers from first to last, "1003-1004, 1010"; "" where none is."""
        cut = [(max(a, first), min(b, last)) for a, b in self.missing if a <= last and b >= first]
        listed = [f"{a}" if a == b else f"{a}-{b}" for a, b in cut[:_LISTED]]
        return ", ".join(listed) + (f" and {len(cut) - _LISTED} more" if len(cut) > _LISTED else "")

    def notes(self, first: int, last: int) -> dict[str, str]:
        """What results say of it in their metadata, by name."""
        missing = self.within(first, last)
        return {NOTE: f"{self.policy} {missing}"} if missing else {}

    def sentence(self, first: int, last: int) -> str:
        """What stands for what from first to last, for people; "" where nothing is missing."""
        missing = self.within(first, last)
        if not missing:
            return ""
        stands = "the frame before each gap was held" if self.policy == "hold" else "black stands for them"
        return f"These frames are missing in the source, {stands}: {missing}."


def find_gaps(pattern: Pattern, files: Mapping[int, Path], policy: str) -> Gaps:
    """What stands for the numbers that have no file.

    Raises:
        StylebridgeError: NOT_FOUND where there is no file at all, or a gap and the policy is "error"; BAD_VALUE for
            another policy.
    """
    if policy not in POLICIES:
        raise StylebridgeError(
            Code.BAD_VALUE, f"Gaps cannot be treated as {policy!r}: {suggestion(policy, POLICIES)}"
        )
    if not files:
        raise StylebridgeError(
            Code.NOT_FOUND, f"There is no file that fits {pattern}; check its name and folder."
        )
    there = tuple(files)
    missing = tuple(
        (before + 1, after - 1) for before, after in itertools.pairwise(there) if after != before + 1
    )
    first, last = there[0], there[-1]
    if missing and policy != "error" and last - first >= _MOST:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{pattern} runs from {first} to {last} with gaps, and at most {_MOST} frames are made of such: move what "
            "does not belong to it.",
        )
    if missing and policy == "error":
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"{pattern} lacks frame {missing[0][0]} (it runs from {first} to {last}); "
            f"put {pattern.path(missing[0][0]).name} there, or say what stands for it: --gaps hold or --gaps black.",
            frame=missing[0][0],
            missing=last - first + 1 - len(there),
        )
    return Gaps(policy, there, missing)
