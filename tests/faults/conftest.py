"""The plate, what an undisturbed render of it gives, and a home for each test in which nothing may be left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end_tools import write_movie
from fault_tools import (
    FRAMES,
    HEIGHT,
    LOOK_TEXT,
    WIDTH,
    Server,
    command,
    left_behind,
    picture,
    render,
    settings,
    until,
    with_site,
)

from stylebridge.client import Client
from stylebridge_server import media


@pytest.fixture(scope="session")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small movie of 60 frames."""
    path = tmp_path_factory.mktemp("plate") / "plate.mp4"
    return write_movie(path, FRAMES, WIDTH, HEIGHT, sound=False, draw=picture)


@pytest.fixture(scope="session")
def look(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The look as a file, for the command line."""
    path = tmp_path_factory.mktemp("look") / "look.toml"
    path.write_text(LOOK_TEXT)
    return path


#: Runs in every Python process that finds it on its path: a clock that can be set anew, through a file.
CLOCK = """
import os, time
_time, _at = time.time, os.environ["FAULTY_CLOCK"]

def jumped():
    try:
        return float(open(_at).read() or 0)
    except (OSError, ValueError):
        return 0.0

time.time = lambda: _time() + jumped()
time.time_ns = lambda: int(time.time() * 1e9)
"""


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all the faults that should not even be noticed by the others that it serves."""
    home = tmp_path_factory.mktemp("patient")
    path = with_site(home, "clock", CLOCK)
    with Server(home, PYTHONPATH=path, FAULTY_CLOCK=str(home / "clock")) as server:
        yield server
    assert left_behind(server.home) == []


def clock_of(server: Server) -> Path:
    """The file that says by how many seconds the shared server's clock is wrong."""
    return server.home / "clock"


class Undisturbed:
    """What nothing went wrong with.

    Attributes:
        frames: numbers and hashes of the pictures that a client gets.
        movie: hashes of the pictures in the movie that the command line writes.
    """

    def __init__(self, server: Server, plate: Path, look: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings(server.home).items():
                patch.setenv(name, value)
            with Client.connect(server.url) as client:
                self.frames = render(client, plate)
        output = server.home / "styled.mp4"
        write = command(
            server.home, "render", plate, output, "--look", look, "--quiet", "--server", server.url
        )
        assert write.communicate()[1] == "" and write.returncode == 0
        self.movie = pictures(output)
        assert [number for number, _ in self.frames] == list(range(FRAMES))
        assert len({seen for _, seen in self.frames}) == FRAMES == len(self.movie)


def pictures(movie: Path) -> list[int]:
    """Hashes of a movie's frames."""
    with media.open_source(movie) as source:
        return [hash(frame.pixels.tobytes()) for frame in source.frames()]


@pytest.fixture(scope="session")
def undisturbed(patient: Server, plate: Path, look: Path) -> Undisturbed:
    """The render that all others are compared with, made once."""
    return Undisturbed(patient, plate, look)


@pytest.fixture
def home(tmp_path: Path, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh home, for this process too. Afterwards nothing may be left in it."""
    enter(tmp_path, monkeypatch)
    yield tmp_path
    check_clean(tmp_path)


@pytest.fixture
def served(patient: Server, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The shared server, this process as its user. Afterwards it must have forgotten all clients."""
    enter(patient.home, monkeypatch)
    yield patient
    with Client.connect(patient.url) as client:
        assert client.server["pid"] == patient.process.pid
        until(lambda: client.status()["clients"] == 1 and not client.status()["running"], "all is forgotten")


def enter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STYLEBRIDGE_PYTHON", raising=False)
    for name, value in settings(home).items():
        monkeypatch.setenv(name, value)


def check_clean(home: Path) -> None:
    try:
        until(lambda: not left_behind(home), "everything is cleared away")
    except AssertionError:
        assert left_behind(home) == []
        raise
