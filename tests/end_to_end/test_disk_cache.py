"""A server that was started anew finds on disk what the one before it made."""

from __future__ import annotations

from pathlib import Path

import pytest
from end_to_end_tools import environment

from stylebridge.client import Client


def test_a_new_server_renders_from_the_disk_without_the_network(
    home: Path, movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STYLEBRIDGE_CACHE", str(tmp_path / "cache"))
    look = {"schema": "look.1", "background": {"style": "great-wave"}}
    frames, networks = [], []
    for _ in range(2):
        with Client.connect(timeout=180) as client:
            shot = client.open_shot(movie)
            analysis = client.analyse(shot, segmenter="none")
            frames.append([bytes(one.data) for one in client.render(shot, look, range(3), analysis=analysis)])
            counters = client.status()["workers"][0]["counters"]
            networks.append(counters["network"]["encode"] + counters["network"]["decode"])
    assert frames[0] == frames[1]
    assert networks[0] > 0 and networks[1] == 0
    assert counters["caches"]["disk"]["hits"] > 0 and counters["caches"]["disk"]["damaged"] == 0
