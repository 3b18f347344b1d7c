"""A server in the foreground, as a service manager runs it, and watching it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end_tools import environment


def test_serve_in_the_foreground(tmp_path: Path) -> None:
    env = environment(tmp_path)
    words = [sys.executable, "-m", "stylebridge", "serve", "--root", str(tmp_path), "--log", "json"]
    words += ["--cache", str(tmp_path / "cache")]
    process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    assert "Clients of this user find it" in process.stdout.readline()
    assert "?key=" in process.stdout.readline()
    command = [sys.executable, "-m", "stylebridge", "status"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and str(process.pid) in done.stdout, done.stdout + done.stderr
    assert "disk" in done.stdout and "this user" in done.stdout
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert {"listening", "worker ready", "stopping", "stopped", "worker leaves"} <= set(events)
    assert [path.name for path in (tmp_path / "settings" / "run").iterdir()] == ["server.lock"]
    again = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert again.returncode == 2 and "No server is running" in again.stderr


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Tests that run in the background may have been told to ignore Ctrl-C, and would hand that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_watching_for_a_program(server: str, home: Path) -> None:
    command = [sys.executable, "-m", "stylebridge", "status", "--watch", "--server", server]
    env = environment(home)
    process = subprocess.Popen([*command, "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    looks = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert looks[0]["pid"] == looks[1]["pid"] and looks[0]["uptime"] < looks[1]["uptime"]
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == b"" and process.returncode == 0


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_watching_in_a_terminal(server: str, home: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "stylebridge", "status", "--watch", "--server", server]
    process = subprocess.Popen(command, env=environment(home), stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    shown = b""
    while shown.count(b"fingerprint") < 2:
        shown += os.read(ours, 10_000)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == b"" and process.returncode == 0
    os.close(ours)
