"""A clock that jumps while a render runs: nothing may be reckoned by the time of day."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fault_tools import Rendering, Server, worker_of

from stylebridge.client import Client

from .conftest import Undisturbed, clock_of

YEAR = 365.25 * 86_400


@pytest.mark.parametrize("jump", [10 * YEAR, -10 * YEAR])
def test_a_clock_that_jumps(
    served: Server, plate: Path, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    true = time.time
    with Client.connect(served.url) as client:
        before, worker = client.server["session"], worker_of(client)
        rendering = Rendering(client, plate, times=5).take(1)
        clock_of(served).write_text(str(jump))
        monkeypatch.setattr(time, "time", lambda: true() + jump)
        rendering.take(200)
        clock_of(served).unlink()
        monkeypatch.setattr(time, "time", true)
        assert rendering.take().hashes == undisturbed.frames * 5
        assert worker_of(client) == worker and client.server["session"] == before
        assert 0 < client.status()["uptime"] < YEAR


def test_the_clock_of_the_server_does_jump(served: Server) -> None:
    """Else the test above would show nothing: its log is dated by the day."""
    clock_of(served).write_text(str(10 * YEAR))
    Client.connect(served.url).close()
    clock_of(served).unlink()
    dates = {line[:4] for line in served.log.read_text().splitlines()}
    assert str(time.localtime().tm_year + 10) in dates
