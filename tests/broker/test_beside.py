"""What a server does beside its clients: its log file, and what it tells the service manager."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stylebridge import launch
from stylebridge.client import Client
from stylebridge_server.broker.notify import Notifier

LOG = """
import os, sys
from pathlib import Path
from stylebridge_server.broker import logfile
logfile.LIMIT = 100_000
log = logfile.BoundedLog(Path(sys.argv[1]))
for number in range(10_000):
    os.write(2, b"%09d\\n" % number * 5)
    if number % 100 == 0:
        log.look()
"""


def test_the_log_of_a_staying_server_stays_small(tmp_path: Path, repository: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("the server before\n")
    env = {**os.environ, "PYTHONPATH": f"{repository / 'bridge'}:{repository / 'server'}"}
    subprocess.run([sys.executable, "-c", LOG, str(log)], check=True, env=env)
    older = tmp_path / "server.log.1"
    assert log.stat().st_size <= 105_000 and 100_000 < older.stat().st_size <= 110_000
    assert b"\0" not in log.read_bytes(), "what comes after emptying begins at the beginning"
    assert log.read_text().splitlines()[-1] == "000009999"


def test_the_log_before_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path))
    for _ in range(2):
        with Client.connect(stay=True) as client:
            client.shutdown()
        while launch.find_server():
            pass
    for name in ("server.log", "server.log.1"):
        assert "a client asked for it" in (tmp_path / "run" / name).read_text()


def test_json_lines_name_the_same_request_in_broker_and_worker(tmp_path: Path) -> None:
    server = launch.start_server(extra=("--jobs", "toy_jobs", "--log", "json"))
    with Client.connect(server.address.url) as client:
        shot = client.open_shot("/plates/plate.mp4")
        assert len(list(client.render(shot, {}, range(3)))) == 3
        with pytest.raises(Exception, match="ZeroDivisionError"):
            client.analyse(shot, [{"name": "unforeseen", "frame": 0}])
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    server.stop()
    [done] = [one for one in lines if one["event"] == "finished" and one.get("op") == "render"]
    assert (done["outcome"], done["frames"], done["bytes_out"]) == ("ok", 3, 3 * 72)
    of_analysis = [one for one in lines if one.get("op") == "analyse"]
    assert [one["event"] for one in of_analysis] == ["accepted", "failed", "finished"]
    assert len({one["request"] for one in of_analysis}) == 1
    assert "a defect" in of_analysis[1]["traceback"] and of_analysis[1]["logger"] == "stylebridge.worker"
    server.log.unlink()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is of Linux")
def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(10)
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    with Client.connect(stay=True) as client:
        assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        client.shutdown()
        said = manager.recv(100)
        while said == b"WATCHDOG=1":
            said = manager.recv(100)
        assert said == b"STOPPING=1"
    manager.close()


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.tell("READY=1")
    notifier.alive()
