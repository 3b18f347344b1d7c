"""Names of numbered files: `plate.####.exr`, `plate.%04d.exr`, `plate.@@@@.exr`, `plate.$F4.exr`; of views: `%V`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import Code, StylebridgeError

# A single @ is part of many names.
_PLACE = re.compile(r"#+|%0?(\d*)d|@{2,}|\$F(\d?)(?![A-Za-z0-9_])")
_VIEW = re.compile(r"%[Vv]")
#: Views that stand for themselves where a folder holds others too, in the order in which they are styled.
_EYES = ("left", "right")


@dataclass(frozen=True)
class Pattern:
    """A folder and file names with a number in them.

    Attributes:
        folder: where the files lie.
        before, after: the name around the number.
        digits: the least number of digits, filled up with zeros; a minus sign is not counted.
    """

    folder: Path
    before: str
    after: str
    digits: int

    def path(self, number: int) -> Path:
        """The file of that frame number, as it is written."""
        sign = "-" if number < 0 else ""
        return self.folder / f"{self.before}{sign}{abs(number):0{self.digits}}{self.after}"

    def number(self, file_name: str) -> int | None:
        """The frame number of a file name; None where neither `path` nor C's printf would make that name.

        They differ where numbers are negative: -7 in four digits is -0007, or -007 where the sign is counted.
        """
        if not (file_name.startswith(self.before) and file_name.endswith(self.after)):
            return None
        text = file_name[len(self.before) : len(file_name) - len(self.after)]
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            return None
        number = int(text)
        counted = f"{number:0{self.digits}d}"
        return number if self.path(number).name == file_name or (number < 0 and text == counted) else None

    def files(self) -> dict[int, Path]:
        """The files that are there, by ascending frame number."""
        if not self.folder.is_dir():
            return {}
        found: dict[int, Path] = {}
        for entry in os.scandir(self.folder):
            number = self.number(entry.name)
            if number is not None and (number not in found or entry.name == self.path(number).name):
                found[number] = self.folder / entry.name
        return dict(sorted(found.items()))

    def numbers(self) -> list[int]:
        """The frame numbers of the files that are there, ascending."""
        return list(self.files())

    def __str__(self) -> str:
        return str(self.folder / f"{self.before}{'#' * self.digits}{self.after}")


def parse_pattern(path: str | Path) -> Pattern | None:
    """The pattern that a path is; None where its file name holds none.

    Raises:
        StylebridgeError: BAD_VALUE where the name holds several places for a number.
    """
    path = Path(path)
    places = list(_PLACE.finditer(path.name))
    if not places:
        return None
    if len(places) > 1:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} has {len(places)} places for a frame number; give it one, such as ####.",
        )
    place = places[0]
    text = place.group()
    digits = len(text) if text[0] in "#@" else int(place.group(1) or place.group(2) or 1)
    if digits > 18:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path.name} asks for {digits} digits; at most 18 are possible."
        )
    return Pattern(path.parent, path.name[: place.start()], path.name[place.end() :], max(digits, 1))


def names_views(path: str | Path) -> bool:
    """Whether a path has a place for a view: `%V` (its name) or `%v` (its first letter)."""
    return _VIEW.search(str(path)) is not None


def of_view(path: str | Path, view: str) -> str:
    """The path with the view in its places."""
    return _VIEW.sub(lambda place: view if place.group() == "%V" else view[:1], str(path))


def views_there(path: str | Path) -> list[str]:
    """The views whose files are there, left and right first.

    `%V` is any word of letters and digits; `%v` alone is the first letter of left or right.
    """
    named = str(path)
    if "%V" not in named:
        candidates = set(_EYES)
    else:
        at = named.index("%V")
        start = max(named.rfind("/", 0, at), named.rfind(os.sep, 0, at)) + 1
        ends = [end for end in (named.find("/", at), named.find(os.sep, at)) if end >= 0]
        piece = named[start : min(ends, default=len(named))]
        candidates = _words(Path(named[:start] or "."), piece)
    there = [view for view in candidates if _is_there(of_view(path, view))]
    return sorted(there, key=lambda view: (_EYES.index(view) if view in _EYES else len(_EYES), view))


def _words(folder: Path, piece: str) -> set[str]:
    """What stands for `%V` in the names of a folder that are like `piece`."""
    text, at, named = "", 0, False
    for place in re.finditer(rf"{_VIEW.pattern}|{_PLACE.pattern}", piece):
        text += re.escape(piece[at : place.start()])
        if place.group() == "%V":
            text += "(?P=view)" if named else "(?P<view>[A-Za-z0-9]+)"
            named = True
        else:
            text += "[A-Za-z]" if place.group() == "%v" else "-?[0-9]+"
        at = place.end()
    name = re.compile(text + re.escape(piece[at:]))
    if not folder.is_dir():
        return set()
    found = (name.fullmatch(entry.name) for entry in os.scandir(folder))
    return {match.group("view") for match in found if match}


def _is_there(path: str) -> bool:
    if Path(path).is_file():
        return True
    pattern = parse_pattern(path)
    return pattern is not None and bool(pattern.files())
