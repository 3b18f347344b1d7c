"""What is refused before it takes memory, and what happens where memory runs out all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shot.test_render import Bench, analysis  # noqa: F401 (a fixture)

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.shot.analysis import Analysis
from stylebridge_server.shot.cache import Cache
from stylebridge_server.values import SourceInfo
from stylebridge_server.worker.admission import MEBIBYTE, RESERVE, Memory, available

INFO = SourceInfo("movie", 4000, 2000, 0, 99)


def hundred_bytes_a_pixel(info: SourceInfo) -> int:
    return 100 * info.width * info.height


def filled(limit: int, count: int) -> Cache:
    """A cache that holds so many values of a MiB."""
    cache = Cache(limit)
    for number in range(count):
        cache.get(number, lambda: b"", lambda value: MEBIBYTE)
    return cache


def memory(free: int | None, *caches: Cache, most: int | None = None, held: int = 0) -> Memory:
    return Memory(caches, most, lambda: free, lambda: held)


def test_what_fits_is_let_in() -> None:
    memory(800_000_000 + RESERVE).admit("Styling", INFO, hundred_bytes_a_pixel)
    memory(None).admit("Styling", INFO, hundred_bytes_a_pixel)


def test_what_does_not_fit_is_refused_in_a_sentence_that_helps() -> None:
    with pytest.raises(StylebridgeError) as caught:
        memory(200_000_000 + RESERVE).admit("Styling", INFO, hundred_bytes_a_pixel)
    assert caught.value.code == Code.TOO_LARGE
    assert "takes about 800 MB of memory, and 200 MB can be had" in caught.value.message
    assert "close other programs" in caught.value.message
    width, height = caught.value.details["fits"]  # type: ignore[misc]
    assert width == 2 * height == 2000, "a quarter of the pixels"
    assert hundred_bytes_a_pixel(replace(INFO, width=width, height=height)) <= 200_000_000
    with pytest.raises(StylebridgeError, match="not even a small picture would fit"):
        memory(0).admit("Styling", INFO, hundred_bytes_a_pixel)


def test_a_limit_of_its_own_counts_what_the_process_holds() -> None:
    limited = memory(10**12, most=10**9, held=5 * 10**8)
    with pytest.raises(StylebridgeError, match="raise STYLEBRIDGE_MEMORY_MB") as caught:
        limited.admit("Analysing", INFO, hundred_bytes_a_pixel)
    assert caught.value.details["room"] == 5 * 10**8
    memory(10**12, most=10**9, held=10**8).admit("Analysing", INFO, hundred_bytes_a_pixel)


def test_caches_give_way_and_grow_again() -> None:
    first, second = filled(300 * MEBIBYTE, 200), filled(900 * MEBIBYTE, 500)
    free = RESERVE + 400_000_000
    memory_ = memory(free, first, second)
    memory_.admit("Styling", INFO, hundred_bytes_a_pixel)
    spare = 400_000_000 + 700 * MEBIBYTE - 800_000_000
    assert first.limit == 300 * MEBIBYTE and second.limit == spare - first.limit
    assert first.bytes == 200 * MEBIBYTE and second.bytes <= second.limit
    memory_._available = lambda: 10**12
    memory_.admit("Styling", INFO, hundred_bytes_a_pixel)
    assert (first.limit, second.limit) == (300 * MEBIBYTE, 900 * MEBIBYTE)


def test_the_system_is_asked_and_control_groups_too(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    assert available(proc, groups) is None
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:   8000 kB\n")
    assert available(proc, groups) == 8000 * 1024
    inner = groups / "farm" / "job"
    inner.mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/farm/job\n")
    for place, most in ((inner, "max"), (groups / "farm", str(6_000_000))):
        (place / "memory.max").write_text(most + "\n")
        (place / "memory.current").write_text("2000000\n")
        (place / "memory.stat").write_text("anon 1500000\ninactive_file 400000\n")
    assert available(proc, groups) == 4_400_000
    old = groups / "memory" / "docker"
    old.mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("4:memory:/docker\n3:cpu:/\n")
    (old / "memory.limit_in_bytes").write_text("3000000\n")
    (old / "memory.usage_in_bytes").write_text("1000000\n")
    (old / "memory.stat").write_text("total_inactive_file 5\n")
    assert available(proc, groups) == 2_000_005


class FullDevice:
    """Stands in for a GPU: its memory is full when the caches hold more than so much."""

    def __init__(self, bench: Bench, room: int) -> None:
        self.failures = 0
        self._bench, self._room = bench, room
        self._decode = bench.paint.decode
        bench.paint.decode = self.decode  # type: ignore[method-assign]

    def decode(self, *given: object) -> np.ndarray:
        if self._bench.streams._workshop.intermediates.bytes > self._room:
            self.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self._decode(*given)  # type: ignore[arg-type]


LOOK = {"background": {"style": "ink"}, "instance": [{"select": "ball", "style": "gold"}]}


def test_a_full_device_costs_time_and_no_pixel(analysis: Analysis) -> None:  # noqa: F811
    whole = Bench(analysis).frames(LOOK, [3, 9])
    bench = Bench(analysis)
    look = bench.look(LOOK)
    bench.frame(look, 3)
    device = FullDevice(bench, room=2 * bench.streams._workshop.intermediates.bytes)
    workshop = bench.streams._workshop
    workshop.intermediates.get("ballast", lambda: b"", lambda value: 3 * workshop.intermediates.bytes)
    workshop.results.clear()
    keeper = Memory([workshop.intermediates, workshop.results], None, lambda: None, lambda: 0)
    made = {
        number: keeper.relieved(
            "Styling",
            bench.shot.info,
            lambda number=number: bench.frame(look, number),  # type: ignore[misc]
        ).tobytes()
        for number in (3, 9)
    }
    assert device.failures == 1
    assert made == whole


def test_what_does_not_fit_into_an_empty_device_is_refused(analysis: Analysis) -> None:  # noqa: F811
    bench = Bench(analysis)
    look = bench.look(LOOK)
    device = FullDevice(bench, room=-1)
    with pytest.raises(StylebridgeError, match="more memory than the device has") as caught:
        memory(None).relieved("Styling", bench.shot.info, lambda: bench.frame(look, 3))
    assert caught.value.code == Code.TOO_LARGE
    assert device.failures == 2
