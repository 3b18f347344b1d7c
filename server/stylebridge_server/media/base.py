"""What every source and every sink can do, whatever kind of file is behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType

from stylebridge import stamp
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.gaps import Gaps
from stylebridge_server.values import Frame, SourceInfo


class Source(ABC):
    """Frames by number, with a declared range. For one thread at a time.

    Attributes:
        name: what sentences call it: the path or pattern it was opened with.
        info: what it declares about itself. `info.tags` is for the sink of this room only.
        readable_last: the last frame that can be read; before `info.last` where the file is cut off.
        views: the views that the files hold, the first one first; none where they do not speak of views.
        gaps: what stands for frames that are missing in the middle, a sentence; "" where none is.
        damage: of a sequence, what is wrong with the first file that cannot be read, a sentence; "" where all can be.
    """

    name: str
    info: SourceInfo
    readable_last: int
    views: tuple[str, ...] = ()
    gaps: str = ""
    damage: str = ""

    @abstractmethod
    def read(self, number: int) -> Frame:
        """The frame of that number, the same bits whatever was read before.

        Raises:
            StylebridgeError: NOT_FOUND outside the declared range; PARTIAL (details: `last`, the last frame
                that can be read) where the file is cut off or damaged.
        """

    @abstractmethod
    def content_hash(self) -> str:
        """BLAKE2b of the contents, hexadecimal: the same for the same contents under any name."""

    def changed(self, number: int | None = None) -> bool:
        """Whether the file of a frame, or any of the files, is another now than when its contents were hashed: it was
        written over, or is gone."""
        return False

    def frames(self, first: int | None = None, last: int | None = None) -> Iterator[Frame]:
        """The frames first to last, inclusive, in order; the whole declared range where not given."""
        start = self.info.first if first is None else first
        end = self.info.last if last is None else last
        for number in range(start, end + 1):
            yield self.read(number)

    @abstractmethod
    def close(self) -> None:
        """Give back decoder and file. Reading afterwards is an error."""

    def check_number(self, number: int) -> None:
        """Refuse a number outside the declared range, or beyond where a cut-off file ends."""
        if not self.info.first <= number <= self.info.last:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"{self.name} has no frame {number}; it holds {self.info.first} to {self.info.last}.",
                frame=number,
            )
        if number > self.readable_last:
            raise self.ends_early(number)

    def ends_early(self, number: int) -> StylebridgeError:
        """The error for a frame that is declared but cannot be had."""
        last = min(self.readable_last, number - 1)
        reach = f"frame {last}" if last >= self.info.first else "no frame at all"
        return StylebridgeError(
            Code.PARTIAL,
            f"{self.name} is cut off or damaged: it declares frames {self.info.first} to {self.info.last}, "
            f"but can be read only up to {reach}.",
            frame=number,
            last=last,
            declared_last=self.info.last,
        )

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sink(ABC):
    """Takes the frames first to last in order, and makes a file of them that appears whole or not at all.

    A context manager: leaving it finishes the file, an exception removes what was written.

    Attributes:
        name: what sentences call it.
        description: what is written, for people: "H.264, 4:2:0, 8 bit, 1 sound stream copied".
        lossless: whether the pixels written come back bit for bit.
        form: how the pictures are coded, in words that change where the coding does; part of their stamps.
        left_out: what the source has and the output cannot have or was not given, for people.
        next: the number of the frame that `write` expects.
    """

    name: str
    description: str
    lossless: bool
    form: str

    def __init__(self, like: SourceInfo, first: int, last: int) -> None:
        if first > last:
            raise StylebridgeError(Code.BAD_VALUE, f"The range {first}-{last} is empty.")
        self.like = like
        self.first = first
        self.last = last
        self.next = first
        self.left_out: list[str] = []
        self._kept: frozenset[int] = frozenset()
        gaps = like.tags.get("gaps")
        self._metadata: dict[str, str] = gaps.notes(first, last) if isinstance(gaps, Gaps) else {}
        self._record = stamp.Record()
        self._closed = False

    @property
    def written(self) -> int:
        """Number of frames taken so far."""
        return sum(number not in self._kept for number in range(self.first, self.next))

    def annotate(self, metadata: Mapping[str, str], record: stamp.Record) -> None:
        """What the output is to say of itself, beside what the source has. Before the first frame.

        Args:
            metadata: names and texts.
            record: the stamps of the frames.
        """
        self._metadata.update(metadata)
        self._record = record

    def keep(self, numbers: Iterable[int]) -> None:
        """Frames that are there already, as they would be written: they are passed over. Before the first frame.

        Only for outputs of a file for each frame.
        """
        self._kept = frozenset(numbers)
        self._pass_over()

    def notes(self, record: stamp.Record) -> dict[str, str]:
        """The metadata of ours that a file with these frames carries."""
        return {**self._metadata, **({stamp.REQUEST: str(record)} if record.ranges else {})}

    def _pass_over(self) -> None:
        while self.next in self._kept:
            self.next += 1

    def write(self, frame: Frame) -> None:
        """Take the next frame: same size, channels and dtype as declared, numbers without gap.

        Raises:
            StylebridgeError: BAD_VALUE for another frame than the next; NOT_WRITABLE where the disk refuses.
        """
        pixels = frame.pixels
        wanted = (self.like.height, self.like.width, self.like.channels)
        if frame.number != self.next or self.next > self.last:
            raise StylebridgeError(
                Code.BAD_VALUE, f"{self.name} was given frame {frame.number} where {self.next} comes next."
            )
        if pixels.shape != wanted or pixels.dtype != self.like.dtype:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{self.name} was given a frame {pixels.shape} of {pixels.dtype}, "
                f"not {wanted} of {self.like.dtype}.",
            )
        self._write(frame)
        self.next += 1
        self._pass_over()

    def finish(self, partial: bool = False) -> None:
        """Complete the output and move it into place.

        Args:
            partial: keep what was written although frames are missing at the end; nothing where nothing was.
        """
        if self._closed:
            return
        if self.next <= self.last and not partial:
            self.abort()
            raise StylebridgeError(
                Code.PARTIAL,
                f"{self.name} was given {self.written} of the frames {self.first} to {self.last}, "
                "and was not written.",
                last=self.next - 1,
            )
        if self.written == 0:
            self.abort()
            return
        self._closed = True
        self._finish()

    def abort(self) -> None:
        """Remove everything that is not whole. Does nothing once finished."""
        if not self._closed:
            self._closed = True
            self._abort()

    @abstractmethod
    def _write(self, frame: Frame) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...

    @abstractmethod
    def _abort(self) -> None: ...

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abort()
