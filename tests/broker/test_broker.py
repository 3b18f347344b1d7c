"""What the broker makes of single messages, without processes and sockets."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from stylebridge.protocol import EVENTS, PROTOCOL, Message, decode, encode
from stylebridge_server.broker import limits
from stylebridge_server.broker.broker import Broker

from .test_work import worker

ANNA, BERT = "aa" * 32, "bb" * 32
HELLO = {"version": "0.1.0", "protocol": PROTOCOL, "client": "test"}


class Part:
    """As much of a ZeroMQ frame as the broker looks at."""

    def __init__(self, content: Any, user: str) -> None:
        self.bytes = self.buffer = bytes(content)
        self._user = user

    def get(self, name: str) -> str:
        return self._user


class Front:
    """The clients' socket: keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Message]] = []

    def send_multipart(self, parts: list[Any], *flags: Any, **more: Any) -> None:
        self.sent.append((parts[0], decode(parts[1:], EVENTS)))


class Desk:
    """A broker whose worker is ready and does nothing."""

    def __init__(self, on_ready: Callable[[str], None] = lambda fingerprint: None) -> None:
        self.front: Any = Front()
        keys = {bytes.fromhex(ANNA), bytes.fromhex(BERT)}
        self.asked: list[tuple[str, int]] = []
        self.worker = worker(dead=False)
        self.worker.fingerprint = "f"
        self.worker.send = lambda op, job, *more: self.asked.append((op, job))
        self.broker = Broker(self.front, ANNA, ["cpu"], lambda device: self.worker, on_ready, lambda: keys)

    def say(
        self, routing: bytes, user: str, op: str, number: int, payload: Any = None, **fields: Any
    ) -> list[Message]:
        """What everybody is answered."""
        self.front.sent.clear()
        parts = [routing, *encode(op, number, fields, payload)]
        self.broker.from_client([Part(part, user) for part in parts])  # type: ignore[arg-type]
        return [message for _, message in self.front.sent]


def test_a_connection_of_the_same_name_inherits_nothing() -> None:
    """Clients may name their connections. Who takes the name of one that broke is no heir of its requests."""
    desk = Desk()
    desk.say(b"edit suite", ANNA, "hello", 1, **HELLO)
    desk.say(b"edit suite", ANNA, "render", 2, shot="s", look={}, frames=[1, 2])
    assert [op for op, _ in desk.asked] == ["run"]
    desk.say(b"edit suite", BERT, "hello", 1, **HELLO)
    assert ("cancel", desk.asked[0][1]) in desk.asked
    [session] = desk.broker._sessions.values()
    assert session.user == BERT and not session.jobs
    assert not any(job.wanted for job in desk.broker.crew.first.running.values())


def test_a_full_disk_when_a_worker_is_ready_ends_nothing() -> None:
    """Where the server announces itself; the one before may have died of the same."""

    def full(fingerprint: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    desk = Desk(full)
    desk.worker.messages = lambda: [Message("ready", 0, {"fingerprint": "f"})]
    desk.worker.begun = 0.0
    desk.broker.crew.first.hear()
    assert [one.op for one in desk.say(b"one", ANNA, "hello", 1, **HELLO)] == ["result"]


def test_a_refused_upload_gives_its_region_back(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.say(b"one", ANNA, "hello", 1, **HELLO)
    desk.say(b"one", ANNA, "share", 2, path="/x", nonce="00", upward=2, downward=2)
    [session] = desk.broker._sessions.values()
    desk.broker.crew.first.sharing.heard(Message("shared", 0, {"session": session.name, "nonce": "00"}))
    monkeypatch.setattr(limits, "ASKED_LIMIT", 0)
    said = desk.say(b"one", ANNA, "put", 3, size=5, offset=0, place=[1, 5])
    assert [(one.op, one.id) for one in said] == [("free", 0), ("error", 3)]
    assert said[0].fields["regions"] == [1]
