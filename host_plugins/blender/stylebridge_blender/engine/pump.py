"""What workers want done in Blender's main thread: a timer does it, a little at a time.

Nothing of ours holds up the interface: functions that were posted run in order until the budget of a tick is used up,
long ones are generators that are taken up again at the next tick. How long each took is measured. The timer stands
still while Blender renders. In background mode there are no timers: whoever waits there calls `drain`.
"""

from __future__ import annotations

import contextlib
import queue
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any

import bpy

from .. import compat

#: Seconds between ticks, and seconds of one tick after which the rest waits for the next.
INTERVAL, BUDGET = 0.1, 0.015

#: The longest time in seconds that each of our callbacks kept the main thread, by its name; and the most processor time
#: that it took in it, which says more where the machine is busy with other things.
longest: dict[str, float] = {}
busiest: dict[str, float] = {}

_posted: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()
_under_way: deque[Generator[None, None, None]] = deque()
_END = object()
_listeners: list[Callable[[], None]] = []


def post(function: Callable[..., Any], *arguments: Any) -> None:
    """Runs a function in the main thread, soon. From any thread.

    Where it returns a generator, the generator is run in steps: each `yield` is a place where Blender may go on.
    """
    _posted.put((function, arguments))


def on_tick(listener: Callable[[], None]) -> None:
    """Has a function called in the main thread at every tick; it must be quick."""
    _listeners.append(listener)


def drain(budget: float = BUDGET) -> bool:
    """Does what was posted, for about so many seconds; whether anything is left. In the main thread."""
    until = time.perf_counter() + budget
    while _under_way or not _posted.empty():
        if _under_way:
            with measured(_under_way[0].__name__):
                ended = _step(_under_way[0])
            if ended:
                _under_way.popleft()
        else:
            function, arguments = _posted.get()
            with measured(function.__name__), _survived():
                result = function(*arguments)
                if isinstance(result, Generator):
                    _under_way.append(result)
        if time.perf_counter() > until:
            break
    return bool(_under_way) or not _posted.empty()


@contextlib.contextmanager
def measured(name: str) -> Iterator[None]:
    """Notes how long something of ours keeps the main thread."""
    began, worked = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        busiest[name] = max(busiest.get(name, 0.0), time.thread_time() - worked)
        longest[name] = max(longest.get(name, 0.0), time.perf_counter() - began)


@contextlib.contextmanager
def _survived() -> Iterator[None]:
    """A defect in one callback must not stop the others: Blender drops a timer that raises."""
    try:
        yield
    except Exception:
        traceback.print_exc()


def _step(steps: Generator[None, None, None]) -> bool:
    """Runs a generator to its next `yield`; whether it came to its end, or failed."""
    with _survived():
        return next(steps, _END) is _END
    return True


def _tick() -> float:
    if compat.is_busy():
        return INTERVAL
    with measured("tick"):
        drain()
        for listener in _listeners:
            with measured(f"{listener.__module__.rpartition('.')[2]}.{listener.__name__}"), _survived():
                listener()
    return INTERVAL


def start() -> None:
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=INTERVAL, persistent=True)


def stop() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _listeners.clear()
    _under_way.clear()
    while not _posted.empty():
        _posted.get()
