"""The same bits by the network itself in sequence, in reverse, at random without caches, and in chunks by processes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PLENTY = 1 << 28  # bytes that a cache may hold


def rendered(repository: Path, count: int, numbers: Sequence[int], limit: int = PLENTY) -> dict[int, str]:
    """Hashes of frames, rendered in this order by a process that has seen nothing; see ordered.py."""
    folders = [str(repository / name) for name in ("bridge", "server", "models")]
    path = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    words = [count, limit, *numbers]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("ordered.py")), *map(str, words)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {int(number): said for number, said in map(str.split, done.stdout.splitlines())}


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_order_chunks_and_processes_do_not_change_a_bit(repository: Path) -> None:
    count, processes = 100, 10
    numbers = list(range(count))
    straight = rendered(repository, count, numbers)
    # Of every seven frames one repeats that before it; all others differ. Hashes of nothing would agree too.
    assert len(set(straight.values())) == count - len(range(3, count, 7))
    assert rendered(repository, count, numbers[::-1]) == straight
    shuffled = random.Random(6).sample(numbers, count)
    assert rendered(repository, count, shuffled[:10], limit=0).items() <= straight.items()
    assert rendered(repository, count, shuffled) == straight
    chunk = -(-count // processes)
    apart: dict[int, str] = {}
    for first in range(0, count, chunk):
        apart |= rendered(repository, count, numbers[first : first + chunk])
    assert apart == straight
