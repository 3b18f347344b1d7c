"""The threads that jobs run in. Jobs of one lane run one after another.

"work" is for renders and analyses, "preview" for single frames that somebody waits for, "server" for starting,
stopping and looking at the server. All are daemons: none of them can hold Blender up when it quits.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Generator
from typing import Any

import bpy

from .._bridge.stylebridge.errors import Code, StylebridgeError
from . import pump
from .console import Console
from .job import CANCELLED, DONE, ENDED, FAILED, RUNNING, Job

#: Ended jobs that are kept beside the last one of each strip, which the panel shows.
KEPT = 20
#: Seconds in which the threads are to end when Blender quits; they are daemons, it does so anyway.
STOP_LIMIT = 2.0

jobs: list[Job] = []  # changed in the main thread alone

#: Whether `submit` waits for the job: without a window there is no timer, and nobody to wait for.
blocking: bool = bpy.app.background

_lanes: dict[str, Lane] = {}


class Lane:
    """A thread with a queue of jobs, which begins with the first one."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name=f"stylebridge-{name}", daemon=True)
        self.thread.start()

    def put(self, job: Job | None) -> None:
        self._jobs.put(job)

    def _run(self) -> None:
        for job in iter(self._jobs.get, None):
            run(job)


def run(job: Job) -> None:
    """Does a job's work in the thread that calls; its finish is posted to the main thread."""
    if job.ended.is_set():
        return
    job.state = RUNNING
    try:
        job.step()
        result = job.work(job)
    except StylebridgeError as error:
        state = CANCELLED if error.code in (Code.CANCELLED, Code.SUPERSEDED) else FAILED
        job.end(state, error.message, error.code)
    except Exception as error:
        traceback.print_exc()
        job.end(
            FAILED, f"{job.title} failed: {error}. That is a defect of Stylebridge; the console says more."
        )
    else:
        pump.post(_finish, job, result)


def _finish(job: Job, result: Any) -> Generator[None, None, None]:
    """In the main thread."""
    try:
        outcome = job.finish(result)
        if isinstance(outcome, Generator):
            outcome = yield from outcome
    except StylebridgeError as error:
        job.end(FAILED, error.message, error.code)
    except Exception as error:
        job.end(FAILED, f"{job.title} failed at its end: {error}. That is a defect of Stylebridge.")
        raise
    else:
        job.end(DONE, outcome or f"{job.title}: done")


def _begin(job: Job, lane: str) -> Generator[None, None, None]:
    """In the main thread: prepares a job, and hands it to its lane."""
    try:
        if job.prepare is not None:
            job.order = yield from job.prepare()
    except StylebridgeError as error:
        job.end(FAILED, error.message, error.code)
    except Exception as error:
        job.end(FAILED, f"{job.title} failed at its beginning: {error}. That is a defect of Stylebridge.")
        raise
    if not job.ended.is_set():
        if lane not in _lanes or not _lanes[lane].thread.is_alive():
            _lanes[lane] = Lane(lane)
        _lanes[lane].put(job)


def submit(job: Job, lane: str = "work") -> Job:
    """Queues a job. In the main thread; in background mode it is run to its end first."""
    jobs.append(job)
    ended = [old for old in jobs if old.state in ENDED and last(old.uid) is not old]
    for old in ended[:-KEPT]:
        jobs.remove(old)
    pump.post(_begin, job, lane)
    if blocking:
        wait(job, Console())
    return job


def wait(job: Job, watch: Callable[[Job], None] = lambda job: None, every: float = 0.02) -> None:
    """Blocks until a job has ended, doing the main thread's part of it: for background mode and tests.

    Args:
        watch: called again and again meanwhile.
        every: seconds between looks.
    """
    while not job.ended.is_set():
        pump.drain(1.0)
        watch(job)
        job.ended.wait(every)
    watch(job)


def running(uid: str | None = None) -> list[Job]:
    """The jobs that have not ended; of one strip."""
    return [job for job in jobs if job.state not in ENDED and (uid is None or job.uid == uid)]


def last(uid: str) -> Job | None:
    """The newest job of a strip."""
    return next((job for job in reversed(jobs) if job.uid == uid), None)


def signature() -> tuple[object, ...]:
    """Something else than before where what a panel shows of the jobs has changed."""
    return tuple((job.state, job.stage, job.done, job.message) for job in jobs)


def stop_all() -> None:
    """Cancels everything and lets the threads end."""
    for job in running():
        job.cancel()
    until = time.monotonic() + STOP_LIMIT
    for lane in _lanes.values():
        lane.put(None)
    for lane in _lanes.values():
        lane.thread.join(max(until - time.monotonic(), 0.0))
    _lanes.clear()
    jobs.clear()
