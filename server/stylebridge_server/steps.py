"""Steps of long work: who runs it hears that it goes on, and may end it there.

Whatever loops for long (over tiles, bands, chunks of a file, frames) says `step()` in every round, in whatever room it
is. A step costs nothing to speak of; two should lie no further apart than a tile takes. In the worker each step
says that the request has not hung, and raises where nobody wants the result any more. Work that takes minutes for one
frame also says how far it is, with `say`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with (done, in all, what is done).
Listener = Callable[[int, int, str], None]

_heard: ContextVar[Callable[[], None]] = ContextVar("heard", default=lambda: None)
_followed: ContextVar[Listener] = ContextVar("followed", default=lambda done, total, what: None)


def step() -> None:
    """Says that the work of this thread goes on.

    Raises:
        StylebridgeError: `CANCELLED`, from whoever hears it. What is shared with others must be whole here.
    """
    _heard.get()()


@contextmanager
def heard(by: Callable[[], None]) -> Iterator[None]:
    """Within it each step of this thread calls `by`."""
    token = _heard.set(by)
    try:
        yield
    finally:
        _heard.reset(token)


def say(done: int, total: int, what: str) -> None:
    """Says how far the work of this thread is; raises as `step`."""
    _followed.get()(done, total, what)


@contextmanager
def followed(by: Listener) -> Iterator[None]:
    """Within it `by` is told what this thread says."""
    token = _followed.set(by)
    try:
        yield
    finally:
        _followed.reset(token)
