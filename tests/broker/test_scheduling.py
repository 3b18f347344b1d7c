"""Several clients at once: fair turns, scrubbing, shared jobs. Order is told by files and counters, not by clocks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stylebridge.client import Client, Progress, Shot
from stylebridge.errors import Code, StylebridgeError

from .conftest import until


@pytest.fixture
def other(client: Client) -> Iterator[Client]:
    """A second client of the same server."""
    assert client._connection._finder._started
    with Client.connect(client._connection._finder._started.address.url) as other:
        yield other


class Asked(threading.Thread):
    """A call that waits for its answer beside the test."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self.value: Any = None
        self.code = ""
        self.start()

    def run(self) -> None:
        try:
            self.value = self._call()
        except StylebridgeError as error:
            self.code = error.code

    def answer(self) -> Any:
        """What came back, or the code of the error."""
        self.join(30)
        assert not self.is_alive(), "no answer came"
        return self.code or self.value


def scrub(client: Client, shot: Shot, frame: int, look: dict[str, Any], name: str = "view") -> Asked:
    fields = {"shot": shot.id, "analysis": None, "look": look, "frames": [frame], "scrub": name}
    return Asked(lambda: [picture.number for picture in client._connection.stream("render", fields)])


def running(client: Client) -> int:
    status = client.status()
    return int(status["running"] + status["waiting"])


def test_a_small_render_beside_a_long_one_is_not_held_up(client: Client, other: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    long = client.render(shot, {"seconds": 0.005}, range(5000))
    next(long)
    assert len(list(other.render(shot, {}, range(10)))) == 10
    assert client.status()["workers"][0]["counters"]["rendered"] < 5000
    long.close()


def test_a_long_analysis_steps_aside_for_a_batch_of_another(
    client: Client, other: Client, tmp_path: Path
) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    go = tmp_path / "go"
    analysis = Asked(lambda: client.analyse(shot, [{"name": str(go), "frame": 0, "points": [[0, 0]]}]))
    until(go.with_suffix(".begun").exists)
    assert len(list(other.render(shot, {}, range(10)))) == 10
    go.touch()
    assert analysis.answer().cuts == [3]


def test_constant_scrubbing_does_not_stop_a_batch(client: Client, other: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    batch = Asked(lambda: [picture.number for picture in other.render(shot, {"seconds": 0.01}, range(20))])
    hands = [Asked(lambda: _scrub_until(client, shot, lambda: not batch.is_alive())) for _ in range(3)]
    assert batch.answer() == list(range(20))  # they go on scrubbing until it has ended
    for hand in hands:
        hand.answer()


def _scrub_until(client: Client, shot: Shot, done: Callable[[], bool]) -> None:
    while not done():
        assert len(list(client.render(shot, {"seconds": 0.01}, [3]))) == 1


def test_while_scrubbing_the_newest_wins(client: Client, tmp_path: Path) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    go = tmp_path / "go"
    first = scrub(client, shot, 1, {"hold": str(go)})
    until(go.with_suffix(".begun").exists)
    elsewhere = scrub(client, shot, 5, {}, name="another view")
    second = scrub(client, shot, 2, {"hold": str(go)})
    assert first.answer() == Code.SUPERSEDED
    third = scrub(client, shot, 3, {"hold": str(go)})
    assert second.answer() == Code.SUPERSEDED
    go.touch()
    assert third.answer() == [3]
    assert elsewhere.answer() == [5]
    until(lambda: running(client) == 0)


def test_scrubs_of_two_clients_do_not_meet(client: Client, other: Client, tmp_path: Path) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    go = tmp_path / "go"
    mine = scrub(client, shot, 1, {"hold": str(go)})
    until(go.with_suffix(".begun").exists)
    theirs = scrub(other, shot, 2, {})
    go.touch()
    assert (mine.answer(), theirs.answer()) == ([1], [2])


def held(client: Client, go: Path, seen: list[Progress] | None = None) -> Asked:
    """An analysis that waits for a file."""
    prompts = [{"name": str(go), "frame": 0, "points": [[0.5, 0.5]]}]
    shot = Shot("toy", {})
    return Asked(lambda: client.analyse(shot, prompts, progress=None if seen is None else seen.append))


def test_equal_requests_share_one_job(client: Client, other: Client, tmp_path: Path) -> None:
    go, seen = tmp_path / "go", ([], [])  # type: ignore[var-annotated]
    asked = [held(one, go, said) for one, said in zip((client, other), seen, strict=True)]
    until(lambda: seen[0] and seen[1])
    assert running(client) == 1
    go.touch()
    assert [one.answer().cuts for one in asked] == [[3], [3]]
    assert client.status()["workers"][0]["counters"]["analysed"] == 1
    assert all(said[-1].done == 50 for said in seen)
    again = client.analyse(Shot("toy", {}), [{"name": str(go), "frame": 0, "points": [[0.5, 0.5]]}])
    assert again.cuts == [3] and client.status()["workers"][0]["counters"]["analysed"] == 2, (
        "what is over is not shared"
    )


def test_who_cancels_leaves_a_shared_job_to_the_others(client: Client, other: Client, tmp_path: Path) -> None:
    go, seen = tmp_path / "go", []  # type: ignore[var-annotated]
    first = held(client, go)
    until(go.with_suffix(".begun").exists)
    second = held(other, go, seen)
    until(lambda: seen)
    client.cancel()
    assert first.answer() == Code.CANCELLED
    assert running(client) == 1
    go.touch()
    assert second.answer().cuts == [3]


def test_a_shared_job_ends_with_the_last_who_waits(client: Client, other: Client, tmp_path: Path) -> None:
    go, seen = tmp_path / "go", []  # type: ignore[var-annotated]
    first, second = held(client, go), held(other, go, seen)
    until(lambda: seen)
    client.cancel()
    other.cancel()
    assert first.answer() == second.answer() == Code.CANCELLED
    until(lambda: running(client) == 0)
    assert client.status()["workers"][0]["counters"]["analysed"] == 0


def test_a_shared_job_survives_its_worker_and_a_client_that_leaves(
    client: Client, other: Client, tmp_path: Path
) -> None:
    go, seen = tmp_path / "go", []  # type: ignore[var-annotated]
    held(other, go)
    until(go.with_suffix(".begun").exists)
    second = held(client, go, seen)
    until(lambda: seen)
    other.close()
    os.kill(client.status()["workers"][0]["pid"], signal.SIGKILL)
    go.touch()
    assert second.answer().cuts == [3]
