"""Names of numbered files: `plate.####.png` and `plate.%04d.png`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import Code, StylebridgeError

_PLACE = re.compile(r"#+|%0?(\d*)d")


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
        """The file of that frame number."""
        sign = "-" if number < 0 else ""
        return self.folder / f"{self.before}{sign}{abs(number):0{self.digits}}{self.after}"

    def number(self, file_name: str) -> int | None:
        """The frame number of a file name; None where `path` would never make that name."""
        if not (file_name.startswith(self.before) and file_name.endswith(self.after)):
            return None
        text = file_name[len(self.before) : len(file_name) - len(self.after)]
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            return None
        number = int(text)
        return number if self.path(number).name == file_name else None

    def numbers(self) -> list[int]:
        """The frame numbers of the files that are there, ascending."""
        if not self.folder.is_dir():
            return []
        found = (self.number(entry.name) for entry in self.folder.iterdir())
        return sorted(number for number in found if number is not None)

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
    digits = len(place.group()) if place.group().startswith("#") else int(place.group(1) or 1)
    if digits > 18:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path.name} asks for {digits} digits; at most 18 are possible."
        )
    return Pattern(path.parent, path.name[: place.start()], path.name[place.end() :], max(digits, 1))
