"""What a job says where there is no window: lines on standard output, for farms and their logs."""

from __future__ import annotations

import time

from .job import ENDED, Job

#: Seconds between two lines of the same stage.
EVERY = 2.0


class Console:
    """Prints how far a job is, when there is something new to say.

    Args:
        begin: what each line begins with, for whoever looks for our lines in a long log.
    """

    def __init__(self, begin: str = "Stylebridge | ") -> None:
        self._begin = begin
        self._said, self._when = "", 0.0
        self._state: tuple[str, str] = ("", "")

    def __call__(self, job: Job) -> None:
        state = (job.state, job.stage)
        if state == self._state and (time.monotonic() - self._when < EVERY or job.state in ENDED):
            return
        sentence = job.sentence()
        if sentence and sentence != self._said:
            print(f"{self._begin}{sentence}", flush=True)
            self._said = sentence
        self._state, self._when = state, time.monotonic()
