"""Steps of long work: who runs it hears that it goes on, and may end it there.

Whatever loops for long (over tiles, bands, chunks of a file, frames) says `step()` in every round, in whatever room it
is. A step costs nothing to speak of; two should lie no further apart than a tile takes. In the worker each step
says that the request has not hung, and raises where nobody wants the result any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_heard: ContextVar[Callable[[], None]] = ContextVar("heard", default=lambda: None)


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
