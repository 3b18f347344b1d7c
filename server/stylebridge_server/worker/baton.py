"""Who computes: one job at a time, by the account that `turns` keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .turns import Claim, Turns

#: Seconds for which a job goes on before another of its kind gets a turn: between two that read different parts of
#: one movie, every change costs a search for the place.
QUANTUM = 0.25


class Baton:
    """Held by the one job that computes. A job gives it away only where it says so, never in mid-step.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._turns = Turns()
        self._holder: Claim | None = None
        self._taken = self._charged = 0.0  # when the holder took it, and up to when that is accounted for
        self._waiting: dict[Claim, threading.Event] = {}

    def take(self, claim: Claim) -> bool:
        """Waits for the baton. False where the claim was withdrawn meanwhile."""
        come = threading.Event()
        with self._lock:
            self._turns.enter(claim)
            self._waiting[claim] = come
            if self._holder is None:
                self._pass_on()
        come.wait()
        return self._holder == claim

    def give(self) -> None:
        """The holder lets the next one go on, and asks for nothing, for now."""
        with self._lock:
            self._turns.leave(self._charge())
            self._holder = None
            if self._waiting:
                self._pass_on()

    def lend(self) -> bool:
        """The holder lets the next one go on and waits for another turn. False where that was withdrawn."""
        come = threading.Event()
        with self._lock:
            claim = self._charge()
            self._waiting[claim] = come
            self._pass_on()
        come.wait()
        return self._holder == claim

    def withdraw(self, claim: Claim) -> None:
        """Lets a claim that waits for the baton wait no more; from any thread."""
        with self._lock:
            come = self._waiting.pop(claim, None)
            if come:
                self._turns.leave(claim)
                come.set()

    def due(self) -> bool:
        """At the end of a step: whether it is another's turn now."""
        with self._lock:
            claim = self._charge()
            if not self._waiting:
                return False
            following = self._turns.next([claim, *self._waiting])
            same_kind = following.interactive == claim.interactive
            return following != claim and not (same_kind and self._clock() - self._taken < QUANTUM)

    def _charge(self) -> Claim:
        """Accounts for what the holder has computed since this was done last."""
        assert self._holder is not None
        now = self._clock()
        self._turns.charge(self._holder, now - self._charged, self._waiting)
        self._charged = now
        return self._holder

    def _pass_on(self) -> None:
        self._holder = self._turns.next(self._waiting)
        self._waiting.pop(self._holder).set()
        self._turns.start(self._holder, self._waiting)
        self._taken = self._charged = self._clock()
