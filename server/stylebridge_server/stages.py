"""Progress within one frame, for methods that take minutes for one: said where the work is, heard by who runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with (done, in all, what is done).
Listener = Callable[[int, int, str], None]


def _nobody(done: int, total: int, what: str) -> None:
    pass


_listener: ContextVar[Listener] = ContextVar("listener", default=_nobody)


def say(done: int, total: int, what: str) -> None:
    """Says how far the work of this thread is.

    Raises:
        StylebridgeError: `CANCELLED`, from whoever hears it. What is shared with others must be whole here.
    """
    _listener.get()(done, total, what)


@contextmanager
def heard(by: Listener) -> Iterator[None]:
    """Within it `by` hears what this thread says."""
    token = _listener.set(by)
    try:
        yield
    finally:
        _listener.reset(token)
