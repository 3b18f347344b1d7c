"""Turns, credit and cancelling, without processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import PART_BYTES
from stylebridge.protocol import PART_COST, Message
from stylebridge_server.shot.store import Store
from stylebridge_server.worker.baton import Baton
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.credit import Credit
from stylebridge_server.worker.ledger import Ledger, Pen
from stylebridge_server.worker.sharing import Sharing
from stylebridge_server.worker.turns import Claim

WRITER = """
import os, pathlib, signal, sys
from stylebridge_server.worker.ledger import Pen
pen = Pen(pathlib.Path(sys.argv[1]))
pen.note(2**40 + 3)
pen.step()
pen.beat()
os.kill(os.getpid(), signal.SIGKILL)
"""


class Sent:
    """Collects what a context sends."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any], int]] = []

    def __call__(self, op: str, job: int, fields: dict[str, Any], payload: bytes = b"") -> None:
        self.events.append((op, fields, len(payload)))

    def of(self, op: str) -> list[dict[str, Any]]:
        return [fields for name, fields, _ in self.events if name == op]


def job(
    number: int,
    tmp_path: Path,
    sent: Sent,
    baton: Baton | None = None,
    roots: tuple[Path, ...] = (),
    window: int = PART_BYTES,
    **said: bool,
) -> Context:
    ledger = Ledger(tmp_path)
    fields = {"fields": {"window": window}, "session": "s", "attempt": 1, "interactive": False}
    fields |= {"owner": True, "user": "u"}
    run = Message("run", number, {**fields, **said})
    store, sharing = Store(tmp_path / "store", 1 << 20), Sharing(lambda *_: None)
    return Context(run, sent, baton or Baton(), Pen(ledger.path), roots, store, sharing)


def start(run: Any, *args: Any) -> threading.Thread:
    thread = threading.Thread(target=run, args=args, daemon=True)
    thread.start()
    return thread


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_interactive_jobs_go_first_then_first_come() -> None:
    baton, order = Baton(clock=lambda: 0.0), []
    baton.take(Claim(0))
    waiting = []
    for number, interactive in ((1, False), (2, False), (3, True), (4, True)):

        def run(claim: Claim) -> None:
            baton.take(claim)
            order.append(claim.job)
            baton.give()

        waiting.append(start(run, Claim(number, interactive=interactive)))
    until(lambda: len(baton._waiting) == 4)
    baton.give()
    for thread in waiting:
        thread.join(5)
    assert order == [3, 4, 1, 2]


def test_a_claim_that_is_withdrawn_waits_no_more(tmp_path: Path) -> None:
    """A scrub that was cancelled is gone at once, and not when the long step of another is over."""
    baton, sent = Baton(), Sent()
    baton.take(Claim(0))
    scrub, ended = job(1, tmp_path, sent, baton, interactive=True), []

    def run() -> None:
        with pytest.raises(StylebridgeError) as caught:
            scrub.run(lambda c, f: {}, {})
        ended.append(caught.value.code)

    thread = start(run)
    until(lambda: len(baton._waiting) == 1)
    scrub.cancel()
    thread.join(5)
    assert ended == [Code.CANCELLED]
    assert baton._holder == Claim(0), "who computes still does"
    late = job(2, tmp_path, sent, baton)
    late.cancel()
    with pytest.raises(StylebridgeError):
        late.run(lambda c, f: {}, {})
    baton.give()
    assert job(3, tmp_path, sent, baton).run(lambda c, f: {"did": 1}, {}) == {"did": 1}


def test_credit_never_grows_beyond_the_window() -> None:
    credit = Credit(100)
    assert credit.spend(60, lambda: False, wait=False)
    assert not credit.spend(60, lambda: False, wait=False)
    credit.add(1000)
    assert credit.spend(100, lambda: False, wait=False)
    assert not credit.spend(1, lambda: False, wait=False)
    credit.add(100)
    assert credit.spend(500, lambda: False, wait=True), "a part larger than the window goes alone"


def test_a_batch_steps_aside_between_frames(tmp_path: Path) -> None:
    baton, sent = Baton(), Sent()
    batch = job(1, tmp_path, sent, baton, window=1 << 20)
    scrub = job(2, tmp_path, sent, baton, interactive=True)
    order: list[str] = []

    def many(context: Context, fields: dict[str, Any]) -> None:
        thread = start(scrub.run, lambda c, f: order.append("scrub"), {})
        until(lambda: len(baton._waiting) == 1)
        order.append("first")
        context.frame(1, np.zeros((2, 2, 3), np.uint8))
        thread.join(5)
        order.append("second")

    batch.run(many, {})
    assert order == ["first", "scrub", "second"]


def test_a_stalled_stream_lets_others_compute_and_can_be_cancelled(tmp_path: Path) -> None:
    baton, sent = Baton(), Sent()
    stalled = job(1, tmp_path, sent, baton, window=2 * PART_COST)
    ended: list[str] = []

    def endless(context: Context, fields: dict[str, Any]) -> None:
        for number in range(100):
            context.frame(number, np.zeros((2, 2), np.uint8))

    def run() -> None:
        try:
            stalled.run(endless, {})
        except StylebridgeError as error:
            ended.append(error.code)

    thread = start(run)
    job(2, tmp_path, sent, baton).run(lambda c, f: {}, {})  # waits until the first one stalls
    assert [fields["number"] for fields in sent.of("frame")] == [0, 1]
    stalled.credit.add(PART_COST)
    until(lambda: len(sent.of("frame")) == 3)
    stalled.cancel()
    thread.join(5)
    assert ended == [Code.CANCELLED]


def test_big_pictures_travel_in_parts(tmp_path: Path) -> None:
    sent = Sent()
    picture = np.zeros((1000, 1000, 3), np.uint16)
    job(1, tmp_path, sent, window=8 << 20).run(lambda c, f: c.frame(7, picture, {"instance": 2}), {})
    offsets = [fields["offset"] for fields in sent.of("frame")]
    assert offsets == [0, PART_BYTES, 2 * PART_BYTES]
    assert sum(size for _, _, size in sent.events) == picture.nbytes
    assert sent.of("frame")[0]["extra"] == {"instance": 2}


def test_progress_is_seldom_and_ends_whole(tmp_path: Path) -> None:
    sent = Sent()
    context = job(1, tmp_path, sent)

    def count(context: Context, fields: dict[str, Any]) -> None:
        for done in range(1001):
            context.progress(done, 1000, "counting")

    context.run(count, {})
    said = [fields["done"] for fields in sent.of("progress")]
    assert said[0] == 0 and said[-1] == 1000 and len(said) < 20
    context.cancel()
    with pytest.raises(StylebridgeError):
        context.progress(0, 1, "again")


def test_others_read_only_what_they_are_shown(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "link").symlink_to(tmp_path)
    guest = job(1, tmp_path, Sent(), roots=(shown,), owner=False)
    assert guest.readable(shown / "plate.mp4") == shown / "plate.mp4"
    for path in (tmp_path / "secret", shown / ".." / "secret", shown / "link" / "secret"):
        with pytest.raises(StylebridgeError, match="lies outside the folders") as caught:
            guest.readable(path)
        assert caught.value.code == Code.DENIED
    assert job(2, tmp_path, Sent()).readable(tmp_path / "secret") == tmp_path / "secret"


def test_the_ledger_outlives_its_writer(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{repository / 'bridge'}:{repository / 'server'}")
    ledger = Ledger(tmp_path)
    assert ledger.read() == (0, 0, 0)
    writer = [sys.executable, "-c", WRITER, str(ledger.path)]
    assert list(tmp_path.iterdir()) == [], "whoever is killed now leaves nothing behind"
    done = subprocess.run(writer, check=False, pass_fds=ledger.inherited)
    assert done.returncode == -signal.SIGKILL
    assert ledger.read() == (2**40 + 3, 1, 2)
    ledger.close()
