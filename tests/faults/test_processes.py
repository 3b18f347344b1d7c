"""Processes that are killed, or stop without dying, in the middle of a render."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import psutil
import pytest
from fault_tools import Proxy, Rendering, Server, command, until, with_site, worker_of

from stylebridge import launch, link
from stylebridge.client import Client

from .conftest import Undisturbed, pictures


def test_a_worker_killed_while_it_analyses_and_while_it_renders(
    home: Path, plate: Path, undisturbed: Undisturbed
) -> None:
    with Server(home) as server, Client.connect(server.url) as client:
        killed: list[int] = []

        def kill(*unused: object) -> None:
            if not killed:
                killed.append(worker_of(client))
                os.kill(killed[0], signal.SIGKILL)

        rendering = Rendering(client, plate, progress=kill).take(1)
        os.kill(worker_of(client), signal.SIGKILL)
        assert rendering.take().hashes == undisturbed.frames
        status = client.status()
        assert status["workers"][0]["restarts"] == 2
        assert status["workers"][0]["counters"]["frames"] > 0, "the last worker had nothing left to do"


def test_a_worker_that_stops_without_dying(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    with Server(home, "--patience", "2", "60") as server, Client.connect(server.url) as client:
        rendering = Rendering(client, plate).take(1)
        worker = psutil.Process(worker_of(client))
        worker.suspend()
        assert rendering.take().hashes == undisturbed.frames
        assert client.status()["workers"][0]["restarts"] == 1
        until(lambda: not worker.is_running(), "the hung worker is cleared away")


@pytest.mark.long
def test_a_server_that_stops_without_dying(
    home: Path, plate: Path, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than its client has patience: that finds it again when it goes on."""
    monkeypatch.setattr(link, "HEARTBEAT", 1)
    monkeypatch.setattr(link, "HEARTBEAT_LIMIT", 2)
    with Server(home) as server, Client.connect(server.url) as client:
        rendering = Rendering(client, plate).take(1)
        broker, before = psutil.Process(server.process.pid), client.server["session"]
        broker.suspend()
        threading.Timer(5.0, broker.resume).start()
        assert rendering.take().hashes == undisturbed.frames
        assert client.server["session"] != before
        assert client.status()["workers"][0]["restarts"] == 0


@pytest.mark.long
def test_a_killed_server_that_its_client_started(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    with Client.connect() as client:
        rendering = Rendering(client, plate).take(1)
        worker, server = psutil.Process(worker_of(client)), client.server["pid"]
        os.kill(server, signal.SIGKILL)
        assert rendering.take().hashes == undisturbed.frames
        assert client.server["pid"] != server
        until(lambda: not worker.is_running(), "the worker ends with its server")


def test_a_killed_server_that_is_started_again(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    """As a service manager does: at the same address, with the same key."""
    with Server(home, "--stay") as first, Client.connect(start=False) as client:
        rendering = Rendering(client, plate).take(1)
        worker = psutil.Process(worker_of(client))
        first.process.kill()
        first.process.wait()
        with Server(home, "--stay", "--bind", first.address.endpoint) as second:
            assert rendering.take().hashes == undisturbed.frames
            assert client.server["pid"] == second.process.pid
            until(lambda: not worker.is_running(), "the worker ends with its server")
            client.close()
    assert launch.find_server() is None


def test_a_killed_client_and_a_second_that_goes_on(
    served: Server, tmp_path: Path, plate: Path, look: Path, undisturbed: Undisturbed
) -> None:
    target = tmp_path / "styled.mp4"
    words = ("render", plate, target, "--look", look, "--quiet", "--server")
    by_messages = with_site(served.home, "tcp", "from stylebridge import memory; memory.POSSIBLE = False")
    with Proxy(served.address) as network:
        network.after(400_000, lambda: first.kill())
        first = command(served.home, *words, network.url, PYTHONPATH=by_messages)
        first.communicate()
    assert first.returncode == -signal.SIGKILL and not target.exists()
    second = command(served.home, *words, served.url)
    assert second.communicate()[1] == "" and second.returncode == 0
    assert pictures(target) == undisturbed.movie
    assert list(tmp_path.iterdir()) == [target]
