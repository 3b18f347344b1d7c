"""Memory that is shared with a worker: every region comes back, whatever becomes of what lies in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylebridge import memory
from stylebridge.arena import Arena
from stylebridge.protocol import Message
from stylebridge_server.shot.store import Incoming, Store
from stylebridge_server.worker.frames import Frames
from stylebridge_server.worker.sharing import BROKER, Sharing
from stylebridge_server.worker.uploads import Uploads

pytestmark = pytest.mark.skipif(not memory.POSSIBLE, reason="this system shares no memory by files")


class Desk:
    """The worker's side of memory with a few regions, and what it says."""

    def __init__(self, session: str, upward: int) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.sharing = Sharing(lambda op, job, fields: self.said.append((op, fields)))
        self.arena = Arena(upward, 1)
        offer = {"path": self.arena.path, "nonce": self.arena.nonce.hex(), "upward": upward, "downward": 1}
        self.sharing.receive(Message("share", 0, {"session": session, **offer}))
        assert self.said.pop()[0] == "shared"

    @property
    def free(self) -> list[int]:
        return [region for op, fields in self.said if op == "free" for region in fields["regions"]]


@pytest.fixture
def desks() -> Iterator[Any]:
    made: list[Desk] = []

    def make(session: str, upward: int) -> Desk:
        made.append(Desk(session, upward))
        return made[-1]

    yield make
    for desk in made:
        desk.arena.close()


@pytest.mark.parametrize("upward", [1, 2, 5])
def test_a_client_of_few_regions_gets_them_back_before_it_has_none_left(desks: Any, upward: int) -> None:
    desk = desks("client", upward)
    for region in range(upward):
        part = {"session": "client", "size": 1 << 20, "offset": region, "place": [region, 1]}
        desk.sharing.taken(Message("put", 1, part))
    assert desk.free


def test_a_part_that_belongs_nowhere_costs_the_broker_no_region(desks: Any) -> None:
    desk = desks(BROKER, 2)
    layout = {"number": 0, "dtype": "uint8", "height": 1, "width": 8, "channels": 1}
    frames = Frames(desk.sharing)
    for region in range(2):  # each is the second half of a frame without a first
        part = {"session": "client", **layout, "offset": 4, "lent": [region, 4]}
        frames.take(Message("part", 1 + region, part))
    assert desk.free == [0, 1]


def test_uploads_go_on_after_one_that_cannot_be_cleared_away(
    desks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def send(op: str, job: int, fields: dict[str, Any]) -> None:
        if (op, job) == ("result", 2):
            answered.set()

    uploads = Uploads(Store(tmp_path, 1 << 20), desks("client", 2).sharing, send)

    def put(job: int, size: int) -> None:
        uploads.take(Message("put", job, {"session": "client", "size": size, "offset": 0}, b"a"))

    def refuse(incoming: Incoming) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Incoming, "abandon", refuse)
    put(1, 2)
    uploads.cancel(1)
    put(2, 1)
    assert answered.wait(30)
