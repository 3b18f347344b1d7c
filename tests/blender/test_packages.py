"""The packages: what is in them, that Blender takes them, and that they run without anything else."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import bpy
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCRIPT = REPOSITORY / "host_plugins" / "blender" / "package.py"

#: What is run in another Blender, without anything of this one's environment.
LEGACY = """
import os, sys
import bpy, addon_utils
sys.path[:] = [folder for folder in sys.path if "-packages" not in folder]
bpy.ops.preferences.addon_install(filepath=os.environ["PACKAGE"], overwrite=True)
assert addon_utils.enable("stylebridge_blender", default_set=True) is not None
import zmq, msgpack
assert "wheels" in zmq.__file__ and "wheels" in msgpack.__file__, zmq.__file__
assert zmq.has("curve")
bpy.context.scene.sequence_editor_create()
sys.stdout.flush()
print("all is well", flush=True)
os._exit(0)
"""

EXTENSION = """
import os, sys
import bpy, addon_utils
bpy.ops.extensions.package_install_files(filepath=os.environ["PACKAGE"], repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.stylebridge"
assert name in bpy.context.preferences.addons, list(bpy.context.preferences.addons.keys())
module = sys.modules[name]
errors = sys.modules[name + "._bridge.stylebridge.errors"]
assert "stylebridge" not in sys.modules
assert bpy.context.preferences.addons[name].preferences.unsaved_folder
print("all is well", flush=True)
os._exit(0)
"""


def package() -> ModuleType:
    """The packaging script as a module."""
    spec = importlib.util.spec_from_file_location("stylebridge_package", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages, for this platform alone."""
    out = tmp_path_factory.mktemp("packages")
    wheels = REPOSITORY / "build" / "wheels"
    line = [os.environ["STYLEBRIDGE_TEST_PYTHON"], str(SCRIPT), "--out", str(out), "--wheels", str(wheels)]
    done = subprocess.run([*line, "--only", "linux-x86_64"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the wheels cannot be downloaded here: {done.stderr.strip()[-300:]}")
    return out


def other_blender(program: str, archive: Path, folder: Path) -> str:
    """What another Blender of this version says, with settings of its own."""
    script = folder / "program.py"
    script.write_text(program, "utf-8")
    line = [sys.executable, str(script)]
    if bpy.app.binary_path:
        line = [bpy.app.binary_path, "-b", "--factory-startup", "--python", str(script)]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    user = {f"BLENDER_USER_{name}": str(folder / "user") for name in ("RESOURCES", "SCRIPTS", "CONFIG")}
    environment = {**kept, **user, "PACKAGE": str(archive)}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    return done.stdout + done.stderr


def test_nothing_foreign_is_in_the_packages(built: Path) -> None:
    for archive in built.glob("*.zip"):
        with zipfile.ZipFile(archive) as file:
            names = file.namelist()
            assert not [
                name for name in names if name.endswith((".pyc", ".orig", "~")) or "__pycache__" in name
            ]
            assert any(name.endswith("_bridge/stylebridge/client.py") for name in names)
            assert any(name.endswith("LICENSE") for name in names)
            texts = [file.read(name).decode() for name in names if "_bridge" in name and name.endswith(".py")]
            assert not any("\nfrom stylebridge" in text or "\nimport stylebridge" in text for text in texts)


def test_the_extension_is_valid_and_runs(built: Path, tmp_path: Path) -> None:
    if not hasattr(bpy.ops, "extensions") or bpy.app.version < (4, 2, 0):
        pytest.skip("this Blender has no extensions")
    import addon_utils

    (archive,) = [path for path in built.glob("*.zip") if "blender3" not in path.name]
    scripts = Path(addon_utils.__file__).parent.parent
    checker = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    done = subprocess.run(
        [sys.executable, str(checker), "validate", str(archive)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all is well" in (said := other_blender(EXTENSION, archive, tmp_path)), said


def test_the_legacy_zip_brings_its_own_wheels(built: Path, tmp_path: Path) -> None:
    if bpy.app.version >= (4, 2, 0):
        pytest.skip("this Blender has extensions")
    (archive,) = built.glob("*-blender3.zip")
    assert "all is well" in (said := other_blender(LEGACY, archive, tmp_path)), said
