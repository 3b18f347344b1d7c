"""Runs pytest inside Blender: `python inside.py -- ARGUMENTS` where Python has bpy, or `blender --python inside.py`."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    for folder in filter(None, (os.environ["STYLEBRIDGE_TEST_TOOLS"], os.environ["STYLEBRIDGE_TEST_ADDON"])):
        sys.path.append(folder)
    import bpy  # noqa: F401  (first: with the wheels it makes Blender's own modules importable)
    import pytest

    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    names = [argument for argument in given if not argument.startswith("-") and Path(argument).exists()]
    options = ["-q", "--rootdir", str(HERE), "-c", str(HERE / "pytest.ini"), "-p", "no:cacheprovider"]
    return int(pytest.main([*options, *([] if names else [str(HERE)]), *given]))


try:
    status = main()
except BaseException:
    traceback.print_exc()
    status = 1
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)  # bpy may crash when Python ends in the usual way
