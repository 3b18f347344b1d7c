"""Two servers, or two clients that each want one, at the same moment."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fault_tools import Server, command, render

from stylebridge import launch
from stylebridge.client import Client

from .conftest import Undisturbed, pictures


def test_two_servers_started_at_once(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    started: list[Server] = []
    threads = [threading.Thread(target=lambda: started.append(Server(home, "--stay"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner, loser = sorted(started, key=lambda one: not one.listens)
    assert winner.listens and not loser.listens
    with winner:
        with Client.connect(start=False) as client:
            assert client.server["pid"] == winner.process.pid
            assert render(client, plate) == undisturbed.frames
        assert loser.stop() == 2
        [sentence] = [line for line in loser.log.read_text().splitlines() if " INFO " not in line]
        assert "runs already" in sentence
    assert launch.find_server() is None


@pytest.mark.long
def test_two_clients_that_start_a_server_each(
    home: Path, plate: Path, look: Path, undisturbed: Undisturbed
) -> None:
    """Both write the same keys and the same analysis."""
    targets = [home / "one.mp4", home / "two.mp4"]
    both = [command(home, "render", plate, target, "--look", look, "--quiet") for target in targets]
    for process in both:
        assert process.communicate()[1] == "" and process.returncode == 0
    assert [pictures(target) for target in targets] == [undisturbed.movie] * 2
