"""A clock that jumps while a render runs: nothing may be reckoned by the time of day."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from fault_tools import Rendering, Server

from stylebridge.client import Client

from .conftest import Undisturbed

#: Runs in every Python process that finds it on its path, as a computer whose clock is set anew would.
SITE = """
import os, time
_time, _at = time.time, os.environ["FAULTY_CLOCK"]

def jumped():
    try:
        return float(open(_at).read() or 0)
    except (OSError, ValueError):
        return 0.0

time.time = lambda: _time() + jumped()
time.time_ns = lambda: int(time.time() * 1e9)
"""
YEAR = 365.25 * 86_400


@pytest.mark.parametrize("jump", [10 * YEAR, pytest.param(-10 * YEAR, marks=pytest.mark.long)])
def test_a_clock_that_jumps(
    home: Path, plate: Path, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    site, clock = home / "site", home / "clock"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(site), os.environ["PYTHONPATH"]])
    true = time.time
    with (
        Server(home, "--idle-exit", "60", PYTHONPATH=path, FAULTY_CLOCK=str(clock)) as server,
        Client.connect(server.url) as client,
    ):
        before = client.server["session"]
        rendering = Rendering(client, plate).take(1)
        clock.write_text(str(jump))
        monkeypatch.setattr(time, "time", lambda: true() + jump)
        rendering.take(20)
        clock.write_text("0")
        monkeypatch.setattr(time, "time", true)
        assert rendering.take().hashes == undisturbed.frames
        status = client.status()
        assert (status["worker"]["restarts"], status["clients"]) == (0, 1)
        assert client.server["session"] == before
        assert 0 < status["uptime"] < 600
        said = server.log.read_text().splitlines()
        years = {line[:4] for line in said if line[:2] in ("19", "20")}
        assert len(years) >= 1
