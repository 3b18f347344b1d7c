"""A real server, and the command line against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end_tools import Command, environment, write_movie

from stylebridge.launch import start_server


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings and caches of the tests' user."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def server(home: Path) -> Iterator[str]:
    """The address of a server that all tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(home).items():
            patch.setenv(name, value)
        started = start_server(timeout=180)
        yield started.address.url
        started.stop()


@pytest.fixture
def stylebridge(home: Path, server: str, tmp_path: Path) -> Command:
    """The command, run in the test's own folder against the shared server."""
    return Command(home, server, tmp_path)


@pytest.fixture(scope="session")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small movie with sound."""
    return write_movie(tmp_path_factory.mktemp("movies") / "plate.mp4")
