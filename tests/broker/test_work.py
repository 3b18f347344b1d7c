"""The worker's life where the system itself runs short."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from stylebridge_server.broker import work as module
from stylebridge_server.broker.books import Books
from stylebridge_server.broker.work import Work


def worker(dead: bool) -> Any:
    """As much of a worker process as the end of one needs."""
    return SimpleNamespace(
        dead=dead,
        pid=1,
        ready=True,
        status=-9,
        messages=lambda: (),
        computing=lambda: 0,
        hung=lambda: "",
        stop=lambda: None,
        send=lambda *words: None,
    )


def test_a_worker_that_cannot_be_started_now_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLACE_EVERY", 0.0)
    full = OSError(errno.EMFILE, "Too many open files")
    starts: Iterator[Any] = iter([worker(dead=True), full, full, worker(dead=False)])

    def start() -> Any:
        started = next(starts)
        if isinstance(started, OSError):
            raise started
        return started

    work = Work(start, lambda *words: None, lambda work: None, lambda *words: None, Books(), "cpu")
    work.tick()
    assert work.worker is None and work.failure is None and work.restarts == 0
    work.tick()
    assert work.worker is None
    work.tick()
    assert work.worker is not None and work.restarts == 1
