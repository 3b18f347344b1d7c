"""Requests that run beside each other in one worker share what is computed, and end whole."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import Message
from stylebridge_server import media
from stylebridge_server.shot.analysis import AnalysisStore
from stylebridge_server.shot.store import Store
from stylebridge_server.worker import baton as batons
from stylebridge_server.worker.baton import Baton
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.jobs import Jobs
from stylebridge_server.worker.ledger import Ledger, Pen
from stylebridge_server.worker.sharing import Sharing

LOOK = {"schema": "look.1", "background": {"style": "great-wave"}, "shot": {"window": 3}}
FRAMES = [1, 2, 3, 4, 5]


class Desk:
    """A worker without its process: jobs, one baton, and contexts of any session."""

    def __init__(self, folder: Path, analyses: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        store = AnalysisStore(analyses or folder / "analyses", 1 << 30)
        self.jobs = Jobs("cpu", 64 << 20, 64 << 20, store)
        self._baton, self._pen = Baton(), Pen(Ledger(folder).path)
        self._store = Store(folder / "store", 1 << 20)
        self._count = 0

    def context(self, session: str, send: Any = lambda *_: None) -> Context:
        self._count += 1
        said = {"user": session, "session": session, "owner": True, "interactive": False, "attempt": 1}
        run = Message("run", self._count, {**said, "fields": {}})
        sharing = Sharing(lambda *_: None)
        return Context(run, send, self._baton, self._pen, (), self._store, sharing)

    def do(self, session: str, name: str, fields: dict[str, Any], send: Any = lambda *_: None) -> Any:
        return self.context(session, send).run(self.jobs.handlers()[name], fields)


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short sequence of noise."""
    folder = tmp_path_factory.mktemp("plates")
    noise = np.random.default_rng(3)
    for number in FRAMES:
        media.save_image(
            folder / f"plate.{number:04d}.png", noise.integers(0, 255, (90, 160, 3)).astype(np.uint8)
        )
    return folder / "plate.####.png"


def opened(desk: Desk, session: str, plates: Path) -> dict[str, Any]:
    shot = desk.do(session, "open_shot", {"path": str(plates)})["shot"]
    made = desk.do(session, "analyse", {"shot": shot, "prompts": [], "segmenter": "none"})
    return {"shot": shot, "analysis": made["analysis"], "look": LOOK, "frames": list(FRAMES)}


def test_equal_renders_in_flight_compute_no_tile_twice(
    tmp_path: Path, plates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batons, "QUANTUM", 0.0)  # a turn each, frame by frame
    alone = Desk(tmp_path / "alone")
    alone.do("ada", "render", opened(alone, "ada", plates))
    once = alone.jobs.status()["network"]
    assert once["encode"] == len(FRAMES)

    desk, order = Desk(tmp_path / "together"), []
    asked = {session: opened(desk, session, plates) for session in ("ada", "bob")}
    threads = []
    for session, fields in asked.items():

        def send(op: str, *_: object, session: str = session) -> None:
            if op == "frame":
                order.append(session)

        threads.append(threading.Thread(target=desk.do, args=(session, "render", fields, send)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(order) == ["ada"] * len(FRAMES) + ["bob"] * len(FRAMES)
    assert order != sorted(order) and order != sorted(order, reverse=True), "they took turns"
    assert desk.jobs.status()["network"] == once


def test_too_little_memory_is_said_before_anything_is_computed(
    tmp_path: Path, plates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    fields = opened(desk, "ada", plates)
    monkeypatch.setenv("STYLEBRIDGE_MEMORY_MB", "1")
    for name, request, analyses in (
        ("analyse", {"prompts": [], "segmenter": "none"}, tmp_path / "none"),
        ("render", fields, tmp_path / "analyses"),
    ):
        small = Desk(tmp_path / name, analyses)
        shot = small.do("ada", "open_shot", {"path": str(plates)})["shot"]
        with pytest.raises(StylebridgeError, match="raise STYLEBRIDGE_MEMORY_MB") as caught:
            small.do("ada", name, {**request, "shot": shot})
        assert caught.value.code == Code.TOO_LARGE
        assert small.jobs.status()["network"]["encode"] == 0
    assert desk.do("ada", "render", fields)["fingerprint"] == desk.jobs.fingerprint
