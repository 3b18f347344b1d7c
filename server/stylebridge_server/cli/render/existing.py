"""What lies already where a render is to be written: kept where it is this request's, else not touched unasked."""

from __future__ import annotations

from pathlib import Path

from stylebridge.client import OnProgress
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import Pattern, parse_pattern
from stylebridge.requests import Progress
from stylebridge.stamp import Record, spans
from stylebridge.versions import following
from stylebridge_server import media
from stylebridge_server.values import Frame


class Existing:
    """The files of a target that are there already.

    Args:
        target: a path or a pattern.
        first, last: the frames that it is about.

    Attributes:
        there: the frames that have a file; all of them where the target is one file that is there.
        in_one_file: whether the target is one file for all frames.
    """

    def __init__(self, target: str, first: int, last: int) -> None:
        self._target = Path(target)
        self._pattern: Pattern | None = parse_pattern(target)
        self._frames = range(first, last + 1)
        self.in_one_file = self._pattern is None
        if self._pattern is None:
            self._whole_record = media.read_record(target)
            self.there = list(self._frames) if self._target.exists() else []
        else:
            self.there = [number for number in self._frames if self._pattern.path(number).exists()]
        self._records: dict[int, Record] = {}

    def path(self, number: int) -> Path:
        """The file of a frame."""
        return self._target if self._pattern is None else self._pattern.path(number)

    def read(self, number: int) -> Frame:
        """A frame that is there in a file of its own."""
        with media.open_source(self.path(number)) as source:
            return Frame(number, source.read(source.info.first).pixels)

    def matching(self, wanted: Record) -> list[int]:
        """The frames that are there and say that this request made them."""
        return [number for number in self.there if self._record(number).at(number) == wanted.at(number)]

    def whole(self, numbers: list[int], report: OnProgress) -> list[int]:
        """Those of the frames whose files can be read to their ends."""
        if self._pattern is None:
            first, last = self._extent()
            is_movie = self._target.suffix.lower() in media.MOVIES
            return numbers if media.is_whole(self._target, last - first + 1 if is_movie else 1) else []
        found = []
        for done, number in enumerate(numbers):
            report(Progress(done, len(numbers), "checking files", 0.0))
            if media.is_whole(self.path(number), 1):
                found.append(number)
        if numbers:
            report(Progress(len(numbers), len(numbers), "checking files", 0.0))
        return found

    def others(self, wanted: Record) -> list[int]:
        """The frames that are there, and in a file that is not this request's."""
        if self.in_one_file and self._extent() != (self._frames[0], self._frames[-1]):
            return self.there  # perhaps of this request, but of more frames or fewer
        return sorted(set(self.there) - set(self.matching(wanted)))

    def settle(self, wanted: Record, overwrite: bool, report: OnProgress) -> list[int]:
        """The frames that need not be made: they are there, whole, as the request would make them. Of one file for
        several frames that is all or none.

        Args:
            wanted: the stamps that the request gives its frames, all of them.
            overwrite: results of other requests may be replaced.

        Raises:
            StylebridgeError: NOT_WRITABLE where something of another request is there and may not be replaced.
        """
        others = self.others(wanted)
        if others and not overwrite:
            raise self._refusal(others)
        if self.in_one_file and others:
            return []
        return self.whole(sorted(set(self.there) - set(others)), report)

    def refuse_strangers(self) -> None:
        """Refuses what no request made, before any work: raises as `settle`."""
        if self._pattern is None:
            strangers = self.there if not self._whole_record.ranges else []
        else:
            strangers = [number for number in self.there if not self._record(number).ranges]
        if strangers:
            raise self._refusal(strangers)

    def _extent(self) -> tuple[int, int]:
        """The first and last frame of one file for all of them; (0, -1) where it says nothing."""
        ranges = self._whole_record.ranges
        return (ranges[0][0], ranges[-1][1]) if ranges else (0, -1)

    def _record(self, number: int) -> Record:
        if self._pattern is None:
            return self._whole_record
        if number not in self._records:
            self._records[number] = media.read_record(self.path(number))
        return self._records[number]

    def _refusal(self, others: list[int]) -> StylebridgeError:
        if self._pattern is None:
            what = f"{self._target} is there already, and is not what this request makes"
        else:
            plural = "frame" if len(others) == 1 else "frames"
            what = (
                f"{plural.capitalize()} {spans(others)} of {self._target.name} {'is' if len(others) == 1 else 'are'} "
                "there already, not as this request makes them"
            )
        return StylebridgeError(
            Code.NOT_WRITABLE,
            f"{what}: give --overwrite to replace {'it' if self._pattern is None else 'those'}, --next-version to "
            f"write {following(self._target).name}, or another name.",
            frames=others,
        )
