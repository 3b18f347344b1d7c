"""Runs the add-on's tests inside a real Blender, against a real server.

    python tests/blender/run.py --blender 4.5 --python .venv-blender-4.5/bin/python -- -k render
    python tests/blender/run.py --blender debian -- -x

The add-on is laid out as it is packaged, into a folder of its own. The server is one for the run, with settings and
keys of its own, so that nothing meets what the user has running. Python of the standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the add-on's tests inside a Blender.")
    parser.add_argument("--blender", required=True, help="what the version is called: 4.2, 4.5, 5.0, debian")
    parser.add_argument("--python", help="a Python that has bpy; without it the `blender` command is run")
    parser.add_argument("--tools", help="a folder with pytest, for a Blender whose Python has none")
    parser.add_argument("--server-python", default=sys.executable, help="the Python that has the server")
    parser.add_argument(
        "--window", action="store_true", help="drive the real window instead (see window/drive.py)"
    )
    parser.add_argument("--pictures", help="with --window: where screenshots go")
    parser.add_argument("--frames", help="with --window: how many are rendered")
    parser.add_argument("--report", help="with --window: where the times in the main thread go")
    parser.add_argument("rest", nargs="*", help="arguments of pytest, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stylebridge-blender-") as temporary:
        folder = Path(temporary)
        addon = folder / "addon"
        package = [
            sys.executable,
            str(REPOSITORY / "host_plugins/blender/package.py"),
            "--folder",
            str(addon),
        ]
        subprocess.run(package, check=True, stdout=subprocess.DEVNULL)
        (folder / "tmp").mkdir()
        environment = {
            **os.environ,
            "STYLEBRIDGE_HOME": str(folder / "home"),
            "STYLEBRIDGE_ANALYSES": str(folder / "analyses"),
            "STYLEBRIDGE_STORE": str(folder / "store"),
            "STYLEBRIDGE_PYTHON": str(Path(given.server_python).absolute()),
            "STYLEBRIDGE_TEST_ADDON": str(addon),
            "STYLEBRIDGE_TEST_NOTHING": str(a_python_without_anything(folder)),
            "STYLEBRIDGE_TEST_TOOLS": given.tools or "",
            "STYLEBRIDGE_TEST_PYTHON": sys.executable,
            "BLENDER_USER_RESOURCES": str(folder / "blender"),
            "BLENDER_USER_CONFIG": str(folder / "blender" / "config"),
            "BLENDER_USER_SCRIPTS": str(folder / "blender" / "scripts"),
            "PYTHONPATH": os.pathsep.join(str(REPOSITORY / name) for name in ("bridge", "server", "models")),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(folder / "tmp"),  # Blender's own, which stays where a test ends it at once
        }
        if not given.python:  # a Blender with the system's Python looks for it on the PATH
            beside = Path(shutil.which("blender") or "").parent
            environment["PATH"] = os.pathsep.join((str(beside), os.environ["PATH"]))
        try:
            return subprocess.run(
                drive(given, folder) if given.window else command(given), env=environment, check=False
            ).returncode
        finally:
            stop_server(given.server_python, environment)


def command(given: argparse.Namespace) -> list[str]:
    inside = str(HERE / "inside.py")
    if given.python:
        return [given.python, inside, "--", *given.rest]
    blender = shutil.which("blender")
    if blender is None:
        raise SystemExit(
            "There is no `blender` here: install it, or name a Python that has bpy with --python."
        )
    return [blender, "--background", "--factory-startup", "--python", inside, "--", *given.rest]


def drive(given: argparse.Namespace, folder: Path) -> list[str]:
    """Builds the zip for 3.x and drives a window in which it is installed."""
    out, wheels = folder / "packages", REPOSITORY / "build" / "wheels"
    build = [sys.executable, str(REPOSITORY / "host_plugins/blender/package.py"), "--out", str(out)]
    subprocess.run([*build, "--wheels", str(wheels), "--only", "linux-x86_64"], check=True)
    (package,) = out.glob("*-blender3.zip")
    line = [
        sys.executable,
        str(HERE / "window" / "drive.py"),
        "--package",
        str(package),
        "--folder",
        str(folder),
    ]
    for name, value in (
        ("--pictures", given.pictures),
        ("--report", given.report),
        ("--frames", given.frames),
    ):
        line += [name, str(value)] if value else []
    return line


def a_python_without_anything(folder: Path) -> Path:
    """An environment in which no server is installed."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "nothing")], check=True)
    return folder / "nothing"


def stop_server(python: str, environment: dict[str, str]) -> None:
    """Stops the server that the tests started, if they did."""
    stop = (
        "from stylebridge import launch\nfrom stylebridge.client import Client\n"
        "if launch.find_server():\n    with Client.connect(start=False) as client: client.shutdown()\n"
    )
    subprocess.run([python, "-c", stop], env=environment, check=False)


if __name__ == "__main__":
    raise SystemExit(main())
