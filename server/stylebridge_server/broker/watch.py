"""When a worker counts as hung: not when a request takes long, but when nothing goes on.

A worker gives two signs of life (see `worker.ledger`): its receiving thread takes the broker's beats, and the job
that computes notes its steps. Either may fall silent for a while on an honest machine, which loads libraries from
a cold disk, swaps, or is suspended; so the limits are generous, the clock is one that stands still while the machine
is suspended, and time in which the broker itself did not run is not held against a worker.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..worker.ledger import Signs

#: Seconds between two looks after which the broker itself was stopped or starved: nothing can be said of the worker.
STARVED = 2.0


@dataclass(frozen=True)
class Patience:
    """How long a worker may be silent, in seconds.

    Attributes:
        beats: without taking a beat, once it is ready: a process that is stopped or in a deadlock.
        steps: without a step of the job that computes, or before it is ready.
    """

    beats: float = 60.0
    steps: float = 600.0

    @property
    def beat_every(self) -> float:
        """Seconds between two beats: several fit into the limit."""
        return min(1.0, self.beats / 8)


class Watch:
    """Looks at one worker's signs, several times a second.

    Args:
        patience: the limits.
        now: seconds, of a clock that does not count suspension (`time.monotonic` on Linux and macOS).
    """

    def __init__(self, patience: Patience, now: float) -> None:
        self._patience = patience
        self._signs = Signs()
        self._beat = self._step = self._looked = now

    def look(self, signs: Signs, ready: bool, now: float) -> str:
        """Why the worker counts as hung, in words for the log; empty while it does not.

        Args:
            signs: what its ledger says.
            ready: whether it takes jobs.
            now: as for the class.
        """
        starved = now - self._looked > STARVED
        if starved or signs.beats != self._signs.beats:
            self._beat = now
        if (
            starved
            or (signs.job, signs.steps) != (self._signs.job, self._signs.steps)
            or (ready and not signs.job)
        ):
            self._step = now
        self._looked, self._signs = now, signs
        if not ready:
            self._beat = now
        if now - self._beat > self._patience.beats:
            return f"no sign of life for {now - self._beat:.0f} s"
        if now - self._step > self._patience.steps:
            return f"no step forward for {now - self._step:.0f} s"
        return ""
