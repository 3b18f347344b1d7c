"""pyzmq and msgpack, without anybody installing anything.

From Blender 4.2 on the extension's wheels are installed by Blender itself. The legacy zip brings the same wheels
unpacked, one folder for each platform and Python, of which the right one is appended to `sys.path`: what Blender or
its distribution brings (Debian's does) goes first.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

PACKAGES = ("zmq", "msgpack")
FOLDER = Path(__file__).parent / "wheels"


def folder_name() -> str:
    """The folder of this platform and Python, as the packaging names it: "linux-x86_64-cp311"."""
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    system = {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")
    return f"{system}-{machine}-cp{sys.version_info[0]}{sys.version_info[1]}"


def make_importable() -> None:
    """Adds the unpacked wheels where pyzmq or msgpack is not there.

    Raises:
        ImportError: with a sentence for people, which Blender shows where an add-on cannot be switched on.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    folder = FOLDER / folder_name()
    if not folder.is_dir():
        raise ImportError(
            f"Stylebridge needs {' and '.join(missing)}, and this package brings none for {folder_name()}: "
            "install the package for your Blender (the extension from 4.2 on)."
        )
    sys.path.append(str(folder))
    importlib.invalidate_caches()
