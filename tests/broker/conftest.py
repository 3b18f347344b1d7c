"""Servers under test: real processes on loopback, with toy work, in a home of their own."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylebridge import launch
from stylebridge.client import Client

TOY = ("--jobs", "toy_jobs")


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh home for keys and servers, and toy work for every server that is started."""
    folder = tmp_path_factory.mktemp("home") / "stylebridge"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLEBRIDGE_HOME", str(folder))
        patch.setenv("STYLEBRIDGE_STORE", str(folder.parent / "store"))
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        patch.delenv("STYLEBRIDGE_PYTHON", raising=False)
        patch.setattr(launch, "start_server", functools.partial(launch.start_server, extra=TOY))
        yield folder


@pytest.fixture
def client() -> Iterator[Client]:
    """A client with a server of its own."""
    with Client.connect(timeout=30) as client:
        yield client


def until(met: Callable[[], object], seconds: float = 10.0) -> None:
    """Waits until something holds; fails where it never does."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and nobody collected does not."""
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False
