"""A real server, and the command line against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end_tools import Command, environment, write_movie

from stylebridge.keys import client_key
from stylebridge.launch import StartedServer, start_server


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


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedServer]:
    """Another user's server, which lets this process in and shows it no folder."""
    home, guest = tmp_path_factory.mktemp("foreign"), tmp_path_factory.mktemp("guest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLEBRIDGE_HOME", str(guest))
        key = client_key().public.hex()
        for name, value in environment(home).items():
            patch.setenv(name, value)
        server = start_server(timeout=180)
        allowed = home / "settings" / "allowed"
        allowed.mkdir(mode=0o700, exist_ok=True)
        (allowed / "guest.public").write_text(key)
        patch.setenv("STYLEBRIDGE_HOME", str(guest))
        yield server
        server.stop()
