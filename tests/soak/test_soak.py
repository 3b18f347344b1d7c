"""Days of use in minutes: eight clients at once with requests of all kinds, many of them cancelled."""

from __future__ import annotations

import collections
import contextlib
import csv
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from end_to_end_tools import write_movie
from fault_tools import Server, left_behind, settings, until, worker_of

from stylebridge.client import Client

CLIENTS = 8
MEBIBYTE = 1 << 20
#: Small caches and stores, so that they are soon full.
SMALL = {"RESULTS_MB": "1", "WORK_MB": "16", "CACHE_MB": "1", "STORE_MB": "4"}


class Soaker:
    """One client, in a process of its own (see soaking.py).

    Attributes:
        count: requests that it has made.
        report: what it said at its end.
        failure: what it said in place of that.
    """

    def __init__(self, server: Server, seed: int, plates: list[Path]) -> None:
        self.count = 0
        self.report: dict[str, Any] = {}
        self.failure = ""
        script = Path(__file__).with_name("soaking.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), server.url, str(seed), *map(str, plates)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=settings(server.home),
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)

    def go(self) -> None:
        """Waits until it is connected, and lets it begin."""
        assert self._process.stdout is not None and self._process.stdin is not None
        first = self._process.stdout.readline()
        assert first == "ready\n", first + self._process.stdout.read()
        self._thread.start()
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def end(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._thread.join(60)
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                if line.strip().isdigit():
                    self.count += int(line)
                elif line.startswith("{"):
                    self.report = json.loads(line)
                else:
                    self.failure = line + said.read()


@dataclass
class Watched:
    """What is watched of one process.

    Attributes:
        memory: resident bytes at each look.
        files: open file descriptors at each look.
    """

    process: psutil.Process
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def look(self) -> None:
        self.memory.append(self.process.memory_info().rss)
        self.files.append(self.process.num_fds())

    def growth(self) -> float:
        """MiB by which it grew over the second half, by a straight line through all looks of that half."""
        half = self.memory[len(self.memory) // 2 :]
        middle, mean = (len(half) - 1) / 2, sum(half) / len(half)
        rise = sum((place - middle) * (memory - mean) for place, memory in enumerate(half))
        return rise / sum((place - middle) ** 2 for place in range(len(half))) * (len(half) - 1) / MEBIBYTE


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("amount", [pytest.param(20_000, marks=pytest.mark.long), 300])
def test_soak(
    amount: int,
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = amount >= 20_000
    monkeypatch.delenv("STYLEBRIDGE_PYTHON", raising=False)
    for name, value in settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    plates = [write_movie(tmp_path / f"{n}.mp4", 8, 48 + 16 * n, 32, sound=False) for n in range(3)]
    small = {f"STYLEBRIDGE_{name}": size for name, size in SMALL.items()}
    cache = str(tmp_path / "cache")
    with Server(tmp_path, **small, STYLEBRIDGE_CACHE=cache) as server, Client.connect(server.url) as watcher:
        watched = {"broker": server.process.pid, "worker": worker_of(watcher)}
        processes = {name: Watched(psutil.Process(pid)) for name, pid in watched.items()}
        soakers = [Soaker(server, seed, plates) for seed in range(CLIENTS)]
        try:
            for one in soakers:
                one.go()
            idle = [one.process.num_fds() for one in processes.values()]
            begun, at = time.monotonic(), [0]
            while at[-1] < amount:
                enough = at[-1] + max(amount // 100, 10)
                until(partial(_further, soakers, enough), "requests are answered", 120)
                assert [one.failure for one in soakers if one.failure] == []
                counts = [one.count for one in soakers]
                at.append(sum(counts))
                for process in processes.values():
                    process.look()
                if long and len(at) % 10 == 0:
                    with capsys.disabled():
                        _say(at[-1], time.monotonic() - begun, processes)
            seconds = time.monotonic() - begun
        finally:
            for one in soakers:
                one.end()
        until(lambda: watcher.status()["clients"] == 1, "all clients are forgotten")
        status = watcher.status()
        left = [one.process.num_fds() for one in processes.values()]
    done: collections.Counter[str] = collections.Counter()
    results: dict[str, str] = {}
    for one in soakers:
        assert one.report, one.failure
        done.update(one.report["done"])
        for name, seen in one.report["results"].items():
            assert results.setdefault(name, seen) == seen, f"two clients got other pixels for {name}"
    fairness = max(counts) / min(counts)
    if long:
        with capsys.disabled():
            growth = {name: f"{process.growth():+.2f} MiB" for name, process in processes.items()}
            print(f"\n  {at[-1]:,} requests in {seconds:.0f} s: {dict(done)}")
            print(
                f"  slowest answer {max(one.report['slowest'] for one in soakers):.2f} s; fairness {fairness:.2f}"
            )
            print(f"  memory over the second half: {growth}; files open before and after: {idle}, {left}")
            print(f"  drawn in {_draw(repository / 'out' / 'soak', at[1:], processes)}")
    assert status["workers"][0]["restarts"] == 0 and status["running"] == status["waiting"] == 0
    assert done["cancelled"] > amount / 200
    assert left_behind(tmp_path) == []
    if long:
        assert fairness <= 1.5
        assert processes["broker"].growth() < 1 and processes["worker"].growth() < 8
        assert all(after <= before for before, after in zip(idle, left, strict=True))


def _further(soakers: list[Soaker], enough: int) -> bool:
    """Whether so many requests were made, or something went wrong."""
    return any(one.failure for one in soakers) or sum(one.count for one in soakers) >= enough


def _say(count: int, seconds: float, processes: dict[str, Watched]) -> None:
    shown = "; ".join(
        f"{name} {one.memory[-1] / MEBIBYTE:.1f} MiB, {one.files[-1]} files"
        for name, one in processes.items()
    )
    print(f"\n  {count:,} requests, {count / seconds:.0f} a second; {shown}", end="", flush=True)


def _draw(folder: Path, at: list[int], processes: dict[str, Watched]) -> Path:
    """Memory over requests: a table, and a picture of it where matplotlib is installed. Returns the last written."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "memory.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["requests", *processes])
        table.writerows(zip(at, *(one.memory for one in processes.values()), strict=True))
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return folder / "memory.csv"
    figure = Figure(figsize=(9, 5), layout="constrained")
    for place, (name, process) in enumerate(processes.items()):
        axes = figure.add_subplot(len(processes), 1, place + 1)
        axes.plot(at, [memory / MEBIBYTE for memory in process.memory])
        axes.set(title=name, ylabel="MiB resident")
    axes.set_xlabel("requests answered")
    figure.savefig(folder / "memory.png", dpi=120)
    return folder / "memory.png"
