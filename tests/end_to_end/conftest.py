"""A real server, a real command line, and small sources made here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.launch import start_server

REPOSITORY = Path(__file__).resolve().parents[2]
FRAMES, WIDTH, HEIGHT = 12, 160, 96


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """(H, W, 3): a smooth ground with a bright disc that moves to the right."""
    ground = cv2.GaussianBlur(np.random.default_rng(5).random((height, width, 3)), (0, 0), 5)
    ground = (ground - ground.min()) / (ground.max() - ground.min()) * 0.5
    rows, columns = np.mgrid[:height, :width]
    disc = np.clip(height / 5 - np.hypot(columns - width * (0.3 + 0.03 * number), rows - height / 2), 0, 1)[
        ..., None
    ]
    return np.rint((ground * (1 - disc) + disc * np.array([0.9, 0.5, 0.1])) * 255).astype(np.uint8)


def write_movie(
    path: Path, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT, sound: bool = True
) -> Path:
    """An H.264 movie at 24 frames a second, with a tone in AAC."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = (
            width,
            height,
            "yuv444p" if width % 2 or height % 2 else "yuv420p",
        )
        video.options = {"crf": "12"}
        audio = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for number in range(frames):
            container.mux(
                video.encode(av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24"))
            )
        container.mux(video.encode())
        if audio is not None:
            time = np.arange(int(48000 * frames / 24)) / 48000
            tone = (0.2 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
            samples = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            samples.sample_rate, samples.time_base = 48000, Fraction(1, 48000)
            container.mux(audio.encode(samples))
            container.mux(audio.encode())
    return path


@dataclass
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str


def environment(home: Path) -> dict[str, str]:
    """This process's, with settings and caches under `home`."""
    folders = os.pathsep.join(str(REPOSITORY / name) for name in ("bridge", "server", "models"))
    return {
        **os.environ,
        "PYTHONPATH": folders,
        "STYLEBRIDGE_HOME": str(home / "settings"),
        "STYLEBRIDGE_ANALYSES": str(home / "analyses"),
        "STYLEBRIDGE_THREADS": "2",
    }


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


class Command:
    """Runs `stylebridge` as a person would."""

    def __init__(self, home: Path, server: str, folder: Path) -> None:
        self.folder = folder
        self._environment = environment(home)
        self._server = server

    def __call__(self, *arguments: object, server: bool = True) -> Ran:
        words = [str(one) for one in arguments]
        if server and words[0] in ("render", "segment", "status"):
            words += ["--server", self._server]
        done = subprocess.run(
            [sys.executable, "-m", "stylebridge", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def stylebridge(home: Path, server: str, tmp_path: Path) -> Command:
    """The command, run in the test's own folder against the shared server."""
    return Command(home, server, tmp_path)


@pytest.fixture(scope="session")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small movie with sound."""
    return write_movie(tmp_path_factory.mktemp("movies") / "plate.mp4")
