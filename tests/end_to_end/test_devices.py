"""A worker for each device, with the real work."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from end_to_end_tools import environment

from stylebridge.client import Client
from stylebridge.launch import start_server


def test_two_workers_make_the_same_pixels(
    home: Path, movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one movie under two names, so that each of the workers gets one."""
    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STYLEBRIDGE_DEVICE", "cpu,cpu")
    again = tmp_path / f"again{movie.suffix}"
    shutil.copy(movie, again)
    look = {"schema": "look.1", "background": {"style": "great-wave"}}
    server = start_server(timeout=180)
    frames = []
    with Client.connect(server.address.url) as one, Client.connect(server.address.url) as other:
        while any(worker["state"] == "starting" for worker in one.status()["workers"]):
            time.sleep(0.1)
        for client, path in ((one, movie), (other, again)):
            shot = client.open_shot(path)
            analysis = client.analyse(shot, segmenter="none")
            frames.append(
                [bytes(made.data) for made in client.render(shot, look, range(3), analysis=analysis)]
            )
        workers = one.status()["workers"]
    server.stop()
    assert frames[0] == frames[1]
    assert [worker["device"] for worker in workers] == ["cpu", "cpu"]
    assert all(worker["counters"]["frames"] == 3 for worker in workers)
    assert workers[0]["fingerprint"] == workers[1]["fingerprint"] == one.server["fingerprint"]
