"""How a server ends: kindly, at once, and leaving nothing."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from stylebridge import launch
from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge.launch import StartedServer

from .conftest import TOY, alive, until


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StartedServer:
    """A staying server in a home of its own, which each test stops."""
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path))
    return launch.start_server(stay=True)


def test_what_runs_is_finished_and_what_is_new_is_refused(server: StartedServer, tmp_path: Path) -> None:
    with Client.connect(start=False) as client:
        worker = client.status()["workers"][0]["pid"]
        shot = client.open_shot("/plates/plate.mp4")
        stream = client.render(shot, {"seconds": 0.05}, range(20))
        frames = [next(stream)]
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: not (tmp_path / "run" / "server.json").exists())
        with pytest.raises(StylebridgeError, match=r"stopping \(SIGTERM\): start it and ask again") as caught:
            client.describe()
        assert caught.value.code == Code.UNREACHABLE and caught.value.details["stopping"]
        with pytest.raises(StylebridgeError, match="stopping"):
            Client.connect(server.address.url)
        frames += stream
        assert [frame.number for frame in frames] == list(range(20))
    until(lambda: not alive(server.pid) and not alive(worker))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["server.lock", "server.log"]
    log = (tmp_path / "run" / "server.log").read_text()
    assert "op=render outcome=ok" in log and "stopped why=SIGTERM" in log and " ERROR " not in log


def test_a_second_signal_stops_at_once_and_clients_are_told(server: StartedServer) -> None:
    with Client.connect(start=False) as client:
        shot = client.open_shot("/plates/plate.mp4")
        stream = client.render(shot, {"seconds": 0.05}, range(100_000))
        next(stream)
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: launch.find_server() is None)
        os.kill(server.pid, signal.SIGINT)
        with pytest.raises(StylebridgeError, match="stopping") as caught:
            list(stream)
        assert caught.value.code == Code.UNREACHABLE
    until(lambda: not alive(server.pid))


def test_the_grace_ends() -> None:
    server = launch.start_server(extra=(*TOY, "--grace", "0.3"))
    with Client.connect(server.address.url) as client:
        shot = client.open_shot("/plates/plate.mp4")
        stream = client.render(shot, {"seconds": 0.05}, range(100_000))
        next(stream)
        os.kill(server.pid, signal.SIGTERM)
        with pytest.raises(StylebridgeError, match="stopping"):
            list(stream)
    until(lambda: not alive(server.pid))
    server.stop()


def test_clients_that_start_one_at_once_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path))
    pids: list[int] = []

    def connect() -> None:
        with Client.connect(stay=True) as client:
            pids.append(client.server["pid"])

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 4 and len(set(pids)) == 1
    with Client.connect(start=False) as client:
        client.shutdown()
    until(lambda: not alive(pids[0]))


def test_what_a_killed_server_left_is_not_believed(server: StartedServer, tmp_path: Path) -> None:
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not alive(server.pid))
    stale = (tmp_path / "run" / "server.json").read_text()
    until(lambda: launch.find_server() is None)  # its last threads may hold the lock a moment longer
    again = launch.start_server(stay=True)
    assert launch.find_server() and again.pid != server.pid
    # As if the new one had the lock but not yet taken away what the old one left.
    good = (tmp_path / "run" / "server.json").read_text()
    (tmp_path / "run" / "server.json").write_text(stale)
    timer = threading.Timer(0.2, lambda: (tmp_path / "run" / "server.json").write_text(good))
    timer.start()
    found = launch.find_server()
    timer.join()
    assert found and found.pid == again.pid
    os.kill(again.pid, signal.SIGTERM)
    until(lambda: not alive(again.pid))
