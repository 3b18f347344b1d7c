"""The bridge compiles and imports on a real Python 3.9 where one is found; tests/python39.sh runs its tests there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = """
import importlib, pathlib, pkgutil, sys
sys.dont_write_bytecode = True
root = pathlib.Path(sys.argv[1])
for path in sorted(root.rglob("*.py")):
    compile(path.read_text("utf-8"), str(path), "exec")
sys.path.insert(0, str(root))
for module in pkgutil.walk_packages([str(root)]):
    if module.name.split(".")[0] == "stylebridge" and not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name not in ("zmq", "msgpack"):  # the two that the bridge may need
                raise
        else:
            print(module.name)
"""


def python39() -> str:
    candidates = [os.environ.get("STYLEBRIDGE_PYTHON39", ""), "python3.9"]
    candidates += map(str, sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9")))
    for candidate in filter(None, candidates):
        try:
            version = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if version.returncode == 0 and version.stdout.startswith("Python 3.9."):
            return candidate
    pytest.skip("no Python 3.9 here (STYLEBRIDGE_PYTHON39 may name one)")


def test_the_bridge_compiles_and_imports_on_python_39(repository: Path) -> None:
    command = [python39(), "-c", PROGRAM, str(repository / "bridge")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"stylebridge.effect", "stylebridge.keyframes", "stylebridge.look"} <= set(done.stdout.split())
