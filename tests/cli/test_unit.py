"""The systemd unit that `serve --print-unit` writes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.cli.service import Service
from stylebridge_server.cli.unit import SETTINGS, _quoted


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "my settings"))
    monkeypatch.setenv("STYLEBRIDGE_DEVICE", "cuda:1")
    (tmp_path / "100% plates").mkdir()
    return Service("tcp://0.0.0.0:5571", (tmp_path / "100% plates",), tmp_path / "cache", "json", 9500)


def test_the_unit_runs_what_was_asked_for(service: Service, tmp_path: Path) -> None:
    lines = service.unit().splitlines()
    [command] = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    words = [word.replace("%%", "%") for word in shlex.split(command)]
    assert words[:4] == [sys.executable, "-m", "stylebridge", "serve"]
    assert words[4:] == service.arguments()
    assert str(tmp_path / "100% plates") in words and words[-2:] == ["--metrics", "9500"]
    settings = [shlex.split(line.removeprefix("Environment="))[0] for line in lines if "Environment=" in line]
    assert (
        f"STYLEBRIDGE_HOME={tmp_path / 'my settings'}" in settings and "STYLEBRIDGE_DEVICE=cuda:1" in settings
    )


def test_words_as_systemd_reads_them() -> None:
    assert _quoted("plain-1.2/x", command=True) == "plain-1.2/x"
    assert _quoted('a "b" 5% $HOME \\', command=True) == '"a \\"b\\" 5%% $$HOME \\\\"'
    assert _quoted("A=$HOME 5%", command=False) == '"A=$HOME 5%%"'


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_unit(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "stylebridge.service"
    path.write_text(service.unit())
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "verify", "--user", str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "stylebridge.service" not in done.stderr, done.stderr


def test_every_setting_is_documented_and_carried_over(repository: Path) -> None:
    documented = re.findall(r"^\| `(STYLEBRIDGE_\w+)`", (repository / "docs/operations.md").read_text(), re.M)
    assert sorted(documented) == sorted(SETTINGS)
    sources = "".join(path.read_text("utf-8") for path in (repository / "server").rglob("*.py"))
    sources += "".join(path.read_text("utf-8") for path in (repository / "models").rglob("*.py"))
    sources += (repository / "bridge/stylebridge/keys.py").read_text("utf-8")
    assert all(f'"{name}"' in sources.replace(unit_source(repository), "") for name in SETTINGS)


def unit_source(repository: Path) -> str:
    return (repository / "server/stylebridge_server/cli/unit.py").read_text("utf-8")


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StylebridgeError, match="is no folder") as caught:
        Service("tcp://127.0.0.1:*", (tmp_path / "none",), None, "text", None).run()
    assert caught.value.code == Code.NOT_FOUND
    with pytest.raises(StylebridgeError, match='"gpu" is no device: name cpu'):
        Service("tcp://127.0.0.1:*", (), None, "text", None, ("cuda:1,gpu",)).run()
    with pytest.raises(StylebridgeError, match='"xml" is no form of log lines'):
        Service("tcp://127.0.0.1:*", (), None, "xml", None).unit()
