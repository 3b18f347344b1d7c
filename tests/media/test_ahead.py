"""Reading ahead and writing behind: the same frames, a few at a time, errors where they belong."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.ahead import AHEAD, BEHIND, ReadAhead, WriteBehind, read_ahead
from stylebridge_server.media.base import Sink, Source
from stylebridge_server.steps import heard
from stylebridge_server.values import Frame, SourceInfo

INFO = SourceInfo("sequence", 4, 3, 1, 20, 3)


class Numbers(Source):
    """Frames filled with their number; remembers what was read, and by which threads."""

    def __init__(self, kind: str = "sequence", broken: int = 99) -> None:
        self.name, self.readable_last, self._broken = "numbers", 20, broken
        self.info = SourceInfo(kind, 4, 3, 1, 20, 3)
        self.read_so_far: list[int] = []
        self.threads: set[int] = set()
        self.closed = False
        self.gate: threading.Semaphore | None = None

    def read(self, number: int) -> Frame:
        self.check_number(number)
        if self.gate:
            self.gate.acquire()
        self.read_so_far.append(number)
        self.threads.add(threading.get_ident())
        if number == self._broken:
            raise self.ends_early(number)
        return Frame(number, np.full((3, 4, 3), number, np.uint8))

    def content_hash(self) -> str:
        return "numbers"

    def close(self) -> None:
        self.closed = True


class Kept(Sink):
    """Keeps what it is given; may refuse one frame."""

    def __init__(self, refused: int = 99) -> None:
        super().__init__(INFO, 1, 20)
        self.name, self._refused = "kept", refused
        self.numbers: list[int] = []

    def _write(self, frame: Frame) -> None:
        if frame.number == self._refused:
            raise StylebridgeError(Code.NOT_WRITABLE, "The disk is full.")
        self.numbers.append(frame.number)

    def _finish(self) -> None: ...

    def _abort(self) -> None: ...


def test_frames_in_any_order_are_the_source_s_own() -> None:
    source = Numbers()
    with ReadAhead(source) as ahead:
        for number in [1, 2, 3, 4, 9, 10, 3, 3, 20, 19, 18, 1, 2]:
            assert (ahead.read(number).pixels == number).all()
        assert len(source.threads) == 1 and threading.get_ident() not in source.threads
    assert source.closed


def test_in_order_the_next_few_are_read_and_no_more() -> None:
    source = Numbers()
    source.gate = threading.Semaphore(0)
    ahead = ReadAhead(source)
    source.gate.release(2)
    ahead.read(1)
    ahead.read(2)
    source.gate.release(100)
    ahead._thread.submit(lambda: None).result()  # after everything that was asked for
    assert source.read_so_far == [1, 2, *range(3, 3 + AHEAD)]
    ahead.close()


def test_scrubbing_reads_nothing_in_advance() -> None:
    source = Numbers()
    with ReadAhead(source) as ahead:
        for number in (5, 9, 2, 14):
            ahead.read(number)
        ahead._thread.submit(lambda: None).result()
    assert source.read_so_far == [5, 9, 2, 14]


def test_movies_and_stills_are_left_as_they_are() -> None:
    for kind in ("movie", "still"):
        source = Numbers(kind)
        assert read_ahead(source) is source
    assert isinstance(read_ahead(Numbers()), ReadAhead)


def test_an_error_comes_with_its_own_frame() -> None:
    with ReadAhead(Numbers(broken=5)) as ahead:
        assert [ahead.read(number).number for number in (1, 2, 3, 4)] == [1, 2, 3, 4]
        with pytest.raises(StylebridgeError) as caught:
            ahead.read(5)
        assert caught.value.details["frame"] == 5
        assert ahead.read(4).number == 4


def test_who_waits_can_be_cancelled() -> None:
    source = Numbers()
    source.gate = threading.Semaphore(0)

    def cancelled() -> None:
        raise StylebridgeError(Code.CANCELLED, "The request was cancelled.")

    ahead = ReadAhead(source)
    with heard(cancelled), pytest.raises(StylebridgeError) as caught:
        ahead.read(1)
    assert caught.value.code == Code.CANCELLED
    source.gate.release(100)
    assert ahead.read(2).number == 2
    ahead.close()


def test_frames_are_written_in_order_and_all_of_them() -> None:
    sink = Kept()
    with WriteBehind(sink) as behind:
        for number in range(1, 21):
            behind.put(Frame(number, np.zeros((3, 4, 3), np.uint8)))
    assert sink.numbers == list(range(1, 21))


def test_at_most_a_few_frames_wait() -> None:
    gate, sink = threading.Semaphore(0), Kept()
    written = sink._write

    def slow(frame: Frame) -> None:
        gate.acquire()
        written(frame)

    sink._write = slow  # type: ignore[method-assign]
    behind = WriteBehind(sink)
    for number in range(1, BEHIND + 1):
        behind.put(Frame(number, np.zeros((3, 4, 3), np.uint8)))  # does not wait
    assert sink.numbers == []
    gate.release()
    behind.put(Frame(BEHIND + 1, np.zeros((3, 4, 3), np.uint8)))  # waits for the first
    assert sink.numbers[0] == 1
    gate.release(9)
    with behind:
        pass
    assert sink.numbers == list(range(1, BEHIND + 2))


def test_what_cannot_be_written_is_raised_and_ends_it() -> None:
    sink = Kept(refused=3)
    with pytest.raises(StylebridgeError) as caught, WriteBehind(sink) as behind:
        for number in range(1, 21):
            behind.put(Frame(number, np.zeros((3, 4, 3), np.uint8)))
    assert caught.value.code == Code.NOT_WRITABLE and sink.numbers == [1, 2]


def test_what_was_made_before_an_error_is_written_and_after_an_interrupt_is_not(tmp_path: Path) -> None:
    for error, expected in (
        (StylebridgeError(Code.PARTIAL, "It ends."), [1, 2]),
        (KeyboardInterrupt(), None),
    ):
        sink = Kept()
        with pytest.raises(type(error)), WriteBehind(sink) as behind:
            for number in (1, 2):
                behind.put(Frame(number, np.zeros((3, 4, 3), np.uint8)))
            raise error
        assert expected in (None, sink.numbers)
