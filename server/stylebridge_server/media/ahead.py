"""Reading ahead and writing behind: files are read and written while others compute, a few frames at a time."""

from __future__ import annotations

from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TypeVar

from stylebridge.errors import StylebridgeError
from stylebridge_server.media.base import Sink, Source
from stylebridge_server.steps import step
from stylebridge_server.values import Frame

AHEAD = 2
"""Frames that are read before they are asked for."""

BEHIND = 2
"""Frames that wait to be written."""

_Made = TypeVar("_Made")
_WAITED = 0.2  # seconds between two steps of who waits


def read_ahead(source: Source) -> Source:
    """A source of many files that reads on while its frames are asked for in order; others as they are.

    Movies read on by themselves.
    """
    return ReadAhead(source) if source.info.kind == "sequence" else source


class ReadAhead(Source):
    """Reads the next frames of a source in a thread, as soon as two are asked for in order. The frames are the same.

    All reading is done in that one thread, one frame at a time.

    Args:
        source: is closed with this.
    """

    def __init__(self, source: Source) -> None:
        self.name, self.info, self.readable_last = source.name, source.info, source.readable_last
        self.views, self.gaps, self.damage = source.views, source.gaps, source.damage
        self._source = source
        self._thread = ThreadPoolExecutor(1, "read ahead")
        self._coming: OrderedDict[int, Future[Frame]] = OrderedDict()
        self._last: int | None = None

    def read(self, number: int) -> Frame:
        if number not in self._coming:
            self._forget()
        future = self._coming.pop(number, None) or self._thread.submit(self._source.read, number)
        if self._last == number - 1:
            reach = min(number + AHEAD, self.info.last, self.readable_last)
            for following in range(number + 1, reach + 1):
                if following not in self._coming:
                    self._coming[following] = self._thread.submit(self._source.read, following)
        self._last = number
        return _waited(future)

    def content_hash(self) -> str:
        return self._source.content_hash()

    def changed(self, number: int | None = None) -> bool:
        return self._source.changed(number)

    def close(self) -> None:
        self._forget()
        self._thread.shutdown()
        self._source.close()

    def _forget(self) -> None:
        for future in self._coming.values():
            future.cancel()
        self._coming.clear()


class WriteBehind:
    """Gives frames to a sink in a thread, in order, while the next ones are made. What is written is the same.

    A context manager: leaving it waits for what was put. Finishing the sink is the caller's, and so is aborting it.

    Args:
        sink: takes them.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._thread = ThreadPoolExecutor(1, "write behind")
        self._waiting: deque[Future[None]] = deque()

    def put(self, frame: Frame) -> None:
        """Take the next frame; waits where too many are waiting. Raises what writing an earlier one did."""
        self._settle(BEHIND - 1)
        self._waiting.append(self._thread.submit(self._sink.write, frame))

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # What was put before a source turned out to end early is part of the result.
            if kind is None or issubclass(kind, StylebridgeError):
                self._settle(0)
        finally:
            self._thread.shutdown(cancel_futures=True)

    def _settle(self, most: int) -> None:
        """Waits until at most so many frames wait to be written."""
        try:
            while len(self._waiting) > most:
                _waited(self._waiting.popleft())
        except BaseException:
            for future in self._waiting:
                future.cancel()
            self._waiting.clear()  # what follows a frame that was refused is refused for that alone
            raise


def _waited(future: Future[_Made]) -> _Made:
    """What a thread makes; meanwhile the request goes on, and may be cancelled."""
    while not wait((future,), _WAITED).done:
        step()
    return future.result()
