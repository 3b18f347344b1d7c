"""The client that was written from the protocol's page alone, against a real server that runs for its user."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from end_to_end_tools import environment, write_movie

from stylebridge.client import Client
from stylebridge.launch import start_server
from stylebridge.look import Look

CLIENT = Path(__file__).resolve().parents[2] / "examples" / "minimal_client.py"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    start_server(stay=True, timeout=180)
    with Client.connect(start=False, timeout=180) as client:
        yield client
        client.shutdown()


def test_it_is_small_and_knows_only_pyzmq_and_msgpack() -> None:
    text = CLIENT.read_text()
    assert len(text.splitlines()) < 100
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in found if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in found if isinstance(node, ast.ImportFrom)}
    assert {name for name in names if name.split(".")[0] not in sys.stdlib_module_names} == {
        "msgpack",
        "zmq",
        "zmq.utils",
    }


@pytest.mark.parametrize("size", [(160, 96), (1280, 960)])
def test_it_renders_what_the_product_renders(client: Client, tmp_path: Path, size: tuple[int, int]) -> None:
    """Also pictures of several parts, and a movie that the server lacks and then has."""
    movie = write_movie(tmp_path / "plate.mp4", 3, *size, sound=False)
    for _ in range(2):
        command = [sys.executable, str(CLIENT), "plate.mp4", "great-wave", str(tmp_path / "out"), "2", "0"]
        done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    shot = client.open_shot(movie)
    analysis = client.analyse(shot, segmenter="none")
    for picture in client.render(shot, Look.simple("great-wave").to_data(), [0, 2], analysis=analysis):
        written = cv2.imread(str(tmp_path / f"out.{picture.number}.ppm"))
        assert written is not None
        np.testing.assert_array_equal(written[..., ::-1], np.asarray(picture))
