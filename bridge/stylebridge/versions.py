"""Versions in the names of results: `shot_v001.####.exr`, `out_v012.mp4`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_VERSION = re.compile(r"_v(\d{1,9})(?!\d)")
#: Where a name has the frame's number, or a view.
_PLACES = re.compile(r"#+|%0?\d*d|%[vV]")
DIGITS = 3


class Versioned(NamedTuple):
    """A name around its version.

    Attributes:
        before, after: the name with "_v" before and what follows the digits.
        number: 0 where the name has no version yet.
        digits: the least number of them.
    """

    before: str
    number: int
    after: str
    digits: int

    def name(self, number: int) -> str:
        """The name of that version."""
        return f"{self.before}{number:0{self.digits}}{self.after}"


def split(name: str) -> Versioned:
    """The last version in a file's name; where there is none, the place for one: before the first dot that is not the
    first letter.
    """
    found = list(_VERSION.finditer(name))
    if found:
        last = found[-1]
        return Versioned(name[: last.start(1)], int(last[1]), name[last.end() :], len(last[1]))
    dot = name.find(".", 1)
    dot = len(name) if dot < 0 else dot
    return Versioned(f"{name[:dot]}_v", 0, name[dot:], DIGITS)


def versions(path: Path) -> list[int]:
    """The versions of a result that are there, ascending; a sequence's is there if one of its files is."""
    own = split(path.name)
    after = "".join(
        "(?:-?[0-9]+|[^.]+)" if place % 2 else re.escape(part)
        for place, part in enumerate(re.split(f"({_PLACES.pattern})", own.after))
    )
    form = re.compile(f"{re.escape(own.before)}([0-9]{{1,9}}){after}")
    if not path.parent.is_dir():
        return []
    found = (form.fullmatch(entry.name) for entry in path.parent.iterdir())
    numbers = (one[1] for one in found if one)
    return sorted({int(digits) for digits in numbers if f"{int(digits):0{own.digits}}" == digits})


def newest(path: Path) -> Path | None:
    """The newest version that is there; None where there is none."""
    there = versions(path)
    return path.with_name(split(path.name).name(there[-1])) if there else None


def following(path: Path) -> Path:
    """The version after the newest that is there; the first is `_v001`, or the one that the name has."""
    own, there = split(path.name), versions(path)
    return path.with_name(own.name(there[-1] + 1 if there else max(own.number, 1)))
