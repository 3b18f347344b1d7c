"""Several devices: a worker for each, which share the load and know nothing of one another."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stylebridge import launch
from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.broker.crew import devices_of

from .conftest import TOY, until

Value = dict[str, Any]


class Several:
    """A server of several devices, and clients of it."""

    def __init__(self, stack: ExitStack, devices: str) -> None:
        self._stack = stack
        self._server = launch.start_server(extra=(*TOY, "--device", devices))
        stack.callback(self._server.stop)
        self.log = self._server.log

    def client(self) -> Client:
        return self._stack.enter_context(Client.connect(self._server.address.url))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def two(stack: ExitStack) -> Several:
    """A server of two equal devices, both ready."""
    server = Several(stack, "cpu,cpu")
    client = server.client()
    until(lambda: [one["state"] for one in workers(client)] == ["ready", "ready"])
    return server


def workers(client: Client) -> list[Value]:
    return list(client.status()["workers"])


def worker_of(client: Client) -> int:
    """The place in the list of the worker that a client's session has."""
    sessions = {one["name"]: one["worker"] for one in client.status()["sessions"]}
    return int(sessions[client.server["session"]])


def rendered(client: Client, path: str, look: Value | None = None, frames: range = range(3)) -> set[int]:
    """The processes that made the frames."""
    shot = client.open_shot(path)
    pictures = list(client.render(shot, look or {}, frames))
    assert [picture.number for picture in pictures] == list(frames)
    return {picture.extra["pid"] for picture in pictures}


def test_names_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices_of(["cuda:0, cuda:1", "cpu"]) == ("cuda:0", "cuda:1", "cpu")
    monkeypatch.setenv("STYLEBRIDGE_DEVICE", "cuda:0,cuda:1,")
    assert devices_of([]) == ("cuda:0", "cuda:1") and devices_of(["cpu"]) == ("cpu",)
    for nothing in ("", " , "):
        monkeypatch.setenv("STYLEBRIDGE_DEVICE", nothing)
        assert devices_of([]) == ("cpu",)


def test_status_tells_of_each(two: Several) -> None:
    client = two.client()
    status = client.status()
    assert [one["device"] for one in status["workers"]] == ["cpu", "cpu"]
    assert len({one["pid"] for one in status["workers"]}) == 2
    assert all(one["pid"] == one["counters"]["pid"] for one in status["workers"])
    assert {one["fingerprint"] for one in status["workers"]} == {client.server["fingerprint"]}
    assert two.log.read_text().count("device=cpu") == 4, "each started and was ready"


def test_the_environment_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_DEVICE", "cpu,cpu")
    with Client.connect(timeout=30) as client:
        assert len(workers(client)) == 2


def test_two_share_the_load_and_each_keeps_its_sessions(two: Several) -> None:
    one, other = two.client(), two.client()
    first, second = rendered(one, "/plates/a.mp4"), rendered(other, "/plates/b.mp4")
    assert len(first) == len(second) == 1 and first != second
    for number in range(3):
        assert rendered(one, f"/plates/{number}.mp4") == first
        assert rendered(other, "/plates/b.mp4") == second
    assert {worker_of(one), worker_of(other)} == {0, 1}


def test_sessions_of_one_shot_have_one_worker(two: Several) -> None:
    """So they find what was made of it, and equal requests are made once."""
    first, second = rendered(two.client(), "/plates/a.mp4"), rendered(two.client(), "/plates/b.mp4")
    for _ in range(2):
        assert rendered(two.client(), "/plates/a.mp4") == first
        assert rendered(two.client(), "/plates/a.mp4") == first
        assert rendered(two.client(), "/plates/b.mp4") == second


def test_a_busy_worker_gets_no_more_while_another_is_idle(two: Several, tmp_path: Path) -> None:
    busy, go = two.client(), tmp_path / "go"
    [own] = rendered(busy, "/plates/long.mp4")
    prompts = [{"name": str(go), "frame": 0, "points": [[0, 0]]}]
    with ThreadPoolExecutor() as beside:
        analysis = beside.submit(busy.analyse, busy.open_shot("/plates/long.mp4"), prompts)
        try:
            until(go.with_suffix(".begun").exists)
            for number in range(3):
                assert own not in rendered(two.client(), f"/plates/{number}.mp4")
        finally:
            go.touch()
        assert analysis.result(30).cuts == [3]


def test_one_that_is_killed_does_not_disturb_the_other(two: Several) -> None:
    one, other = two.client(), two.client()
    streams = [
        client.render(
            client.open_shot(path), {"size": [500, 500], "seconds": 0.005}, range(40), window=2 << 20
        )
        for client, path in ((one, "/plates/a.mp4"), (other, "/plates/b.mp4"))
    ]
    frames = [[next(stream)] for stream in streams]
    os.kill(frames[0][0].extra["pid"], signal.SIGKILL)
    for got, stream in zip(frames, streams, strict=True):
        got += stream
        assert [frame.number for frame in got] == list(range(40))
    assert [len({frame.extra["pid"] for frame in got}) for got in frames] == [2, 1]
    restarts = [worker["restarts"] for worker in workers(one)]
    assert restarts[worker_of(one)] == 1 and restarts[worker_of(other)] == 0


def test_a_request_that_kills_workers_leaves_the_others_alone(two: Several) -> None:
    one, other = two.client(), two.client()
    untouched = rendered(other, "/plates/b.mp4")
    with pytest.raises(StylebridgeError) as caught:
        rendered(one, "/plates/a.mp4", {"die_at": 1})
    assert caught.value.code == Code.POISONED
    assert rendered(other, "/plates/b.mp4") == untouched
    assert [worker["restarts"] for worker in workers(other)][worker_of(other)] == 0


def test_each_shares_memory_with_its_own_clients(two: Several) -> None:
    for path in ("/plates/a.mp4", "/plates/b.mp4"):
        rendered(two.client(), path, {"size": [700, 1000]})
    assert [worker["sharing"]["clients"] for worker in workers(two.client())] == [1, 1]


def test_a_device_that_does_not_start_costs_nobody_anything(stack: ExitStack) -> None:
    server = Several(stack, "broken,cpu,other")
    client = server.client()
    assert client.server["fingerprint"] == "toy-1" and rendered(client, "/plates/a.mp4")
    broken = workers(client)[0]
    assert broken["state"] == "failed" and "broken cannot be used" in broken["failure"]


def test_where_all_devices_fail_the_reason_is_told(stack: ExitStack) -> None:
    server = Several(stack, "broken,broken")
    with pytest.raises(StylebridgeError, match="broken cannot be used"):
        server.client()


def test_sessions_of_a_device_that_is_lost_go_to_another(stack: ExitStack, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    server = Several(stack, f"until:{lost},cpu")
    client = server.client()
    until(lambda: [one["state"] for one in workers(client)] == ["ready", "ready"])
    shot = client.open_shot("/plates/a.mp4")
    waiting = [client.render(shot, {"size": [500, 500]}, range(20), window=2 << 20) for _ in range(3)]
    frames = [[next(stream)] for stream in waiting]
    lost.touch()
    os.kill(frames[0][0].extra["pid"], signal.SIGKILL)
    for got, stream in zip(frames, waiting, strict=True):
        got += stream
        assert [frame.number for frame in got] == list(range(20))
    assert worker_of(client) == 1 and workers(client)[0]["state"] == "failed"
    assert rendered(client, "/plates/b.mp4") == {workers(client)[1]["pid"]}


def test_devices_that_make_other_pixels_only_step_in(stack: ExitStack, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    server = Several(stack, f"until:{lost},other")
    client = server.client()
    until(lambda: [one["state"] for one in workers(client)] == ["ready", "ready"])
    assert [one["fingerprint"] for one in workers(client)] == ["toy-1", "toy-2"]
    [first] = rendered(client, "/plates/a.mp4")
    assert rendered(server.client(), "/plates/b.mp4") == {first}, "their pixels must fit together"
    lost.touch()
    os.kill(first, signal.SIGKILL)
    until(lambda: workers(client)[0]["state"] == "failed")
    with pytest.raises(StylebridgeError, match="cannot be used"):
        rendered(client, "/plates/a.mp4")
    late = server.client()
    assert late.server["fingerprint"] == late.status()["fingerprint"] == "toy-2"
    assert rendered(late, "/plates/a.mp4") == {workers(late)[1]["pid"]}
