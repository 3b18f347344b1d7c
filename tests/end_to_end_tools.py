"""What the end-to-end tests share: small sources made here, and the command line as a person runs it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.command import main

REPOSITORY = Path(__file__).resolve().parents[1]
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
    path: Path,
    frames: int = FRAMES,
    width: int = WIDTH,
    height: int = HEIGHT,
    sound: bool = True,
    draw: Callable[[int, int, int], NDArray[np.uint8]] = picture,
) -> Path:
    """An H.264 movie at 24 frames a second, with a tone in AAC; its frames are drawn by number, width and height."""
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
                video.encode(av.VideoFrame.from_ndarray(draw(number, width, height), format="rgb24"))
            )
        container.mux(video.encode())
        if audio is not None and frames:
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
        "STYLEBRIDGE_STORE": str(home / "store"),
        "STYLEBRIDGE_MODELS": str(home / "models"),
        "STYLEBRIDGE_THREADS": "2",
    }


class Command:
    """Runs `stylebridge` as a person would in a folder: words in, exit status and what was printed out."""

    def __init__(self, home: Path, server: str, folder: Path) -> None:
        self.folder = folder
        self._environment = environment(home)
        self._server = server

    def __call__(self, *arguments: object, server: bool = True, process: bool = False) -> Ran:
        """Run a command, against the shared server unless told otherwise; in this process, which is faster, or in
        one of its own."""
        words = [str(one) for one in arguments]
        if server and words[0] in ("render", "segment", "status"):
            words += ["--server", self._server]
        if process:
            line = [sys.executable, "-m", "stylebridge", *words]
            done = subprocess.run(
                line, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=240
            )
            return Ran(done.returncode, done.stdout, done.stderr)
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["stylebridge", *words])
            for name, value in self._environment.items():
                patch.setenv(name, value)
            status = main()
        return Ran(status, out.getvalue(), err.getvalue())
