"""The worker's life where the system itself runs short."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zmq

from stylebridge.protocol import Message
from stylebridge_server.broker import supervisor
from stylebridge_server.broker import work as module
from stylebridge_server.broker.books import Books
from stylebridge_server.broker.sessions import Session
from stylebridge_server.broker.watch import Patience
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


def test_a_server_that_gave_up_on_its_worker_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY", 60.0)
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    false = [worker(dead=True) for _ in range(module.FALSE_STARTS)]
    for one in false:
        one.ready = False
    starts = iter([*false, worker(dead=True), worker(dead=False)])
    changes: list[bool] = []

    def on_change(work: Work) -> None:
        changes.append(work.failure is not None)

    work = Work(lambda: next(starts), lambda *words: None, on_change, lambda *words: None, Books(), "cpu")
    for _ in range(module.FALSE_STARTS):
        work.tick()
    assert work.failure and work.worker is None and changes == [True]
    now += 59
    work.tick()
    assert work.failure and work.worker is None
    now += 2
    work.tick()
    assert work.failure is None and work.worker is not None
    work.tick()  # it dies, but it had been ready
    assert work.failure is None and work.worker is not None


class Upload:
    """A blob that a client began to send through a worker that stands still."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str, dict[str, Any]]] = []
        self.sent: list[tuple[str, int]] = []
        self.said: list[Message] = []
        one = worker(dead=False)
        one.send = lambda op, job, *words: self.sent.append((op, job))
        one.messages = self._messages
        self.work = Work(
            lambda: one,
            lambda session, op, number, fields, payload: self.told.append((number, op, fields)),
            lambda work: None,
            lambda *words: None,
            Books(),
            "cpu",
            upload_patience=60.0,
        )
        self.session = Session(b"r", "user", "test", owner=False)

    def _messages(self) -> list[Message]:
        said, self.said = self.said, []
        return said

    def send(self, offset: int, size: int = 10) -> None:
        fields = {"hash": None, "size": size, "offset": offset, "place": None}
        self.work.accept(self.session, Message("put", 5, fields, b"ab"))

    def take(self) -> None:
        """The worker takes what was sent."""
        [job] = self.session.jobs.values()
        self.said.append(Message("credit", job.number, {"attempt": 0, "bytes": 2}))
        self.work.hear()


def test_an_upload_of_which_nothing_more_comes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    upload = Upload()
    upload.send(0)
    now += 600
    upload.work.tick()  # it is the worker's turn
    upload.take()
    upload.work.tick()
    now += 59
    upload.send(2)
    upload.take()
    now += 59
    upload.work.tick()
    assert upload.work.busy and "error" not in [op for _, op, _ in upload.told]
    now += 2
    upload.work.tick()
    number, op, fields = upload.told[-1]
    assert (number, op, fields["code"]) == (5, "error", "bad_request")
    assert "came for 60 seconds: send it again" in fields["message"]
    assert not upload.work.busy and not upload.session.jobs and upload.sent[-1][0] == "cancel"


@pytest.mark.parametrize("lacking", ["process", "room"])
def test_a_worker_that_cannot_be_started_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """It is tried again every few seconds, for as long as it takes."""

    def refuse(*words: Any, **more: Any) -> Any:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(*((subprocess, "Popen") if lacking == "process" else (os, "write")), refuse)
    context: zmq.Context[Any] = zmq.Context()
    with pytest.raises(OSError, match="temporarily"):
        supervisor.WorkerProcess(context, "cpu", "toy_jobs", (), Patience())
    assert list((home / "run").glob("ledger-*")) == []
    context.term()  # which waits for every socket to be closed


def test_a_client_that_is_gone_when_its_worker_dies_costs_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both were killed: the first that is heard of the client's end is that it cannot be told of the worker's."""
    starts = iter([worker(dead=True), worker(dead=False)])
    told: list[tuple[str, str]] = []

    def emit(session: Session, op: str, *words: Any) -> None:
        told.append((session.name, op))
        if session is gone and op == "unshare":
            work.drop(session)

    work = Work(lambda: next(starts), emit, lambda work: None, lambda *words: None, Books(), "cpu")
    gone, there = (Session(name.encode(), "user", name, owner=True, name=name) for name in ("gone", "there"))
    for session in (gone, there):
        offer = {"path": "/x", "nonce": "", "upward": 1, "downward": 1}
        work.sharing.ask(session, Message("share", 1, offer))
        work.sharing.heard(Message("shared", 0, {"session": session.name, "nonce": "00"}))
    told.clear()
    work.tick()
    assert told == [("gone", "unshare"), ("there", "unshare")]
    assert work.restarts == 1 and work.sharing.state["clients"] == 0
