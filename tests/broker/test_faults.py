"""Processes that die in mid-request, and processes that must not outlive others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stylebridge import launch
from stylebridge.client import Client, Progress
from stylebridge.errors import Code, StylebridgeError

from .conftest import TOY, alive, until


def test_a_killed_worker_costs_no_frame(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    seen: list[Progress] = []
    look = {"size": [500, 500], "seconds": 0.01}
    stream = client.render(shot, look, range(40), window=2 << 20, progress=seen.append)
    frames = [next(stream)]
    os.kill(frames[0].extra["pid"], signal.SIGKILL)
    frames += stream
    assert [frame.number for frame in frames] == list(range(40))
    assert all(set(frame.data) == {frame.number} for frame in frames)
    assert len({frame.extra["pid"] for frame in frames}) == 2
    assert client.status()["workers"][0]["restarts"] == 1
    assert {p.total for p in seen} == {40} and [p.done for p in seen] == sorted(p.done for p in seen)


def test_a_request_that_kills_two_workers_is_poisoned_and_others_are_not(
    client: Client, tmp_path: Path
) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    waiting = client.render(shot, {"size": [1000, 1000]}, range(20), window=2 << 20)
    next(waiting)
    with pytest.raises(StylebridgeError, match="ended two worker processes") as caught:
        list(client.render(shot, {"die_at": 3}, range(6)))
    assert caught.value.code == Code.POISONED
    assert [frame.number for frame in waiting] == list(range(1, 20))
    once = client.render(shot, {"die_at": 3, "die_once": str(tmp_path / "died")}, range(6))
    assert [frame.number for frame in once] == list(range(6))


def test_no_layer_is_lost_or_doubled_where_a_worker_dies_between_them(client: Client, tmp_path: Path) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    look = {"layers": 3, "size": [900, 900], "die_after": 2, "die_once": str(tmp_path / "died")}
    pictures = list(client.render(shot, look, range(4)))
    assert [(one.number, one.extra.get("layer")) for one in pictures] == [
        (number, layer) for number in range(4) for layer in (0, 1, 2, None)
    ]
    assert client.status()["workers"][0]["restarts"] == 1
    assert all(bytes(one.data[:1]) == bytes([one.number + (one.extra.get("layer") or 0)]) for one in pictures)


@pytest.mark.parametrize("words", ["deep", "odd"])
def test_what_a_worker_says_and_nobody_can_read_is_answered(client: Client, words: str) -> None:
    with pytest.raises(StylebridgeError, match='answered "analyse" with what cannot be read') as caught:
        client.analyse(client.open_shot("/plates/plate.mp4"), [{"name": words, "frame": 0}])
    assert caught.value.code == Code.INTERNAL
    assert client.analyse(client.open_shot("/plates/plate.mp4")).cuts == [3]
    until(lambda: client.status()["running"] == 0)
    assert client.status()["workers"][0]["restarts"] == 0


def test_a_worker_that_says_what_belongs_to_no_request_is_replaced(client: Client) -> None:
    with pytest.raises(StylebridgeError, match="ended two worker processes"):
        client.analyse(client.open_shot("/plates/plate.mp4"), [{"name": "noise", "frame": 0}])
    assert client.status()["workers"][0]["restarts"] == 2


def test_a_killed_server_is_started_again(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    stream = client.render(shot, {"seconds": 0.01}, range(30))
    frames = [next(stream)]
    worker = frames[0].extra["pid"]
    os.kill(client.server["pid"], signal.SIGKILL)
    frames += stream
    assert [frame.number for frame in frames] == list(range(30))
    until(lambda: not alive(worker))


def test_a_named_server_that_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylebridge.connection.RECONNECT_LIMIT", 0.5)
    server = launch.start_server()
    with Client.connect(server.address.url) as client:
        shot = client.open_shot("/plates/plate.mp4")
        stream = client.render(shot, {"seconds": 0.01}, range(300))
        next(stream)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(StylebridgeError, match="does not answer: start it") as caught:
            list(stream)
    assert caught.value.code == Code.UNREACHABLE
    server.stop()


def test_nothing_outlives_a_killed_client(repository: Path) -> None:
    script = (
        "from stylebridge.client import Client\nimport time\n"
        "from stylebridge import launch; start = launch.start_server\n"
        f"launch.start_server = lambda **k: start(extra={TOY!r}, **k)\n"
        "c = Client.connect(); print(c.server['pid'], c.status()['workers'][0]['pid'], flush=True); time.sleep(60)"
    )
    path = os.pathsep.join([str(repository / "bridge"), str(repository / "server"), os.environ["PYTHONPATH"]])
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not any(map(alive, pids)))


def test_closing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path))
    with Client.connect() as client:
        worker = client.status()["workers"][0]["pid"]
    assert not alive(client.server["pid"]) and not alive(worker)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["server.lock"]


def test_a_worker_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    start = launch.start_server
    monkeypatch.setattr(launch, "start_server", lambda **k: start(**{**k, "extra": ("--jobs", "no_such")}))
    with pytest.raises(StylebridgeError, match='lacks the package "no_such"') as caught:
        Client.connect(timeout=30)
    assert caught.value.code == Code.MISSING_EXTRA


def test_a_server_that_cannot_start_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    start = launch.start_server
    monkeypatch.setattr(
        launch, "start_server", lambda **k: start(**{**k, "extra": ("--bind", "tcp://8.8.8.8:1")})
    )
    with pytest.raises(StylebridgeError, match="cannot listen at") as caught:
        Client.connect(timeout=30)
    assert caught.value.code == Code.UNREACHABLE
