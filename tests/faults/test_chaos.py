"""Faults of all kinds, one after another at random moments, while several clients render."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from fault_tools import FRAMES, LOOK, Proxy, Server, seen, until

from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError

from .conftest import Undisturbed

CLIENTS = 3
SECONDS = 60.0
#: What a client may be told when too much went wrong during one request: it asks again.
EXCUSES = (Code.UNREACHABLE, Code.POISONED, Code.NEED)


class Renderer:
    """A client in a thread that renders the plate again and again, and compares.

    Attributes:
        whole: renders of the whole plate.
        excused: requests that were given up and made again.
        wrong: what must not happen.
    """

    def __init__(self, url: str, plate: Path, expected: list[tuple[int, str]]) -> None:
        self.whole = self.excused = 0
        self.wrong: list[object] = []
        self._plate, self._expected = plate, expected
        self._client = Client.connect(url)
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Lets it finish what it is at, and ends it."""
        self._going = False
        self._thread.join(120)
        if self._thread.is_alive():
            self.wrong.append("it hangs")
        self._client.close()

    def _run(self) -> None:
        got: list[tuple[int, str]] = []
        while self._going or got:
            try:
                shot = self._client.open_shot(self._plate)
                analysis = self._client.analyse(shot, LOOK["prompt"])
                rest = range(len(got), FRAMES)
                for picture in self._client.render(shot, LOOK, rest, analysis=analysis, window=2 << 20):
                    got.append((picture.number, seen(picture)))
            except StylebridgeError as error:
                if error.code not in EXCUSES:
                    self.wrong.append(error)
                    return
                self.excused += 1
                continue
            if got != self._expected:
                self.wrong.append("other frames")
            self.whole += 1
            got = []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_one_fault_after_another(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    seed = time.time_ns() % 100_000
    dice = random.Random(seed)
    options = ("--stay", "--patience", "3", "60")
    server = Server(home, *options)
    bind = ("--bind", server.address.endpoint)
    happened: dict[str, int] = {}
    networks = [Proxy(server.address) for _ in range(CLIENTS)]
    renderers = [Renderer(network.url, plate, undisturbed.frames) for network in networks]

    def workers() -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return psutil.Process(server.process.pid).children()
        return []

    def signal_worker(number: int) -> None:
        for worker in workers():
            with contextlib.suppress(psutil.Error):
                worker.send_signal(number)

    def restart() -> None:
        nonlocal server
        server.process.kill()
        server.process.wait()
        server = Server(home, *options, *bind)

    def break_network() -> None:
        network = dice.choice(networks)
        network.cut()
        time.sleep(dice.random())
        network.mend()

    faults = {
        "killed worker": lambda: signal_worker(signal.SIGKILL),
        "stopped worker": lambda: signal_worker(signal.SIGSTOP),
        "killed server": restart,
        "broken network": break_network,
        "broken network again": break_network,
    }
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end and not any(one.wrong for one in renderers):
            time.sleep(dice.expovariate(0.4))  # chance is what is tested here
            name = dice.choice(list(faults))
            faults[name]()
            happened[name] = happened.get(name, 0) + 1
        for one in renderers:
            one.stop()
        print(f"\n  seed {seed}: {happened}; whole renders: {[one.whole for one in renderers]}, ", end="")
        print(f"asked again by the client's user: {[one.excused for one in renderers]}")
        assert [one.wrong for one in renderers] == [[]] * CLIENTS
        assert all(one.whole for one in renderers)
    finally:
        for network in networks:
            network.close()
        signal_worker(signal.SIGCONT)
        server.stop()
    until(lambda: not workers(), "the last worker ends")
