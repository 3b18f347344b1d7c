"""Workers that neither go on nor die."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylebridge import launch
from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError

from .conftest import TOY, alive, until

HASTY = ("--patience", "2.5", "2.5")


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a server that waits for two and a half seconds."""
    server = launch.start_server(extra=TOY + HASTY)
    with Client.connect(server.address.url) as client:
        yield client
    server.stop()


def test_a_stopped_worker_costs_no_frame(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    stream = client.render(shot, {"seconds": 0.01}, range(40))
    frames = [next(stream)]
    stopped = frames[0].extra["pid"]
    os.kill(stopped, signal.SIGSTOP)
    frames += stream
    assert [frame.number for frame in frames] == list(range(40))
    assert client.status()["workers"][0]["restarts"] == 1
    assert not alive(stopped)


def test_an_idle_worker_that_is_stopped_is_replaced(client: Client) -> None:
    worker = client.status()["workers"][0]["pid"]
    os.kill(worker, signal.SIGSTOP)
    assert client.describe()["session"] == client.server["session"]
    assert client.status()["workers"][0]["restarts"] == 1


def test_a_job_that_hangs_is_begun_again(client: Client, tmp_path: Path) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    look = {"hang_at": 3, "hang_once": str(tmp_path / "hung")}
    assert [frame.number for frame in client.render(shot, look, range(6))] == list(range(6))
    assert client.status()["workers"][0]["restarts"] == 1


def test_a_job_that_always_hangs_is_poisoned_and_others_are_not(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    waiting = client.render(shot, {"size": [1000, 1000]}, range(20), window=2 << 20)
    next(waiting)
    with pytest.raises(StylebridgeError, match="ended two worker processes") as caught:
        list(client.render(shot, {"hang_at": 0}, range(2)))
    assert caught.value.code == Code.POISONED
    assert [frame.number for frame in waiting] == list(range(1, 20))


def test_a_long_request_is_no_hang(client: Client) -> None:
    """One frame takes longer than the limit, and says that it goes on."""
    shot = client.open_shot("/plates/plate.mp4")
    [frame] = client.render(shot, {"steps": 30, "seconds": 0.1}, [1])
    assert frame.number == 1
    assert client.status()["workers"][0]["restarts"] == 0


def test_a_stopped_broker_does_not_blame_its_worker(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    stream = client.render(shot, {"seconds": 0.1}, range(60))
    worker = next(stream).extra["pid"]
    os.kill(worker, signal.SIGSTOP)
    os.kill(client.server["pid"], signal.SIGSTOP)
    time.sleep(3)  # longer than the limits: the machine was suspended
    os.kill(client.server["pid"], signal.SIGCONT)
    os.kill(worker, signal.SIGCONT)
    assert [frame.number for frame in stream] == list(range(1, 60))
    assert client.status()["workers"][0] == {**client.status()["workers"][0], "restarts": 0, "pid": worker}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_stopped_worker_ends_with_a_killed_broker(client: Client) -> None:
    worker = client.status()["workers"][0]["pid"]
    os.kill(worker, signal.SIGSTOP)
    os.kill(client.server["pid"], signal.SIGKILL)
    until(lambda: not alive(worker))
