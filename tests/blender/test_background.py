"""`blender -b`: a Blender of its own, as a farm starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy

PROGRAM = """
import os, sys
import bpy
sys.path.append(os.environ["STYLEBRIDGE_TEST_ADDON"])
import addon_utils
addon_utils.enable("stylebridge_blender", default_set=True)
if not bpy.app.binary_path:
    bpy.ops.wm.open_mainfile(filepath=sys.argv[-1])
from stylebridge_blender import background
status = background.command(["--save"])
sys.stdout.flush()
os._exit(status)
"""


def farm(blend: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Renders a file in another Blender of this version."""
    script = folder / "farm.py"
    script.write_text(PROGRAM, "utf-8")
    line = [sys.executable, str(script), str(blend)]
    if bpy.app.binary_path:
        line = [bpy.app.binary_path, "-b", "--factory-startup", str(blend), "--python", str(script)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ)


def test_a_farm_renders_saves_and_says_how_far_it_is(
    styled: Any, scene: Any, sb: SimpleNamespace, server: Any, tmp_path: Path, pixels_of: Any
) -> None:
    blend = Path(bpy.data.filepath)
    bpy.ops.wm.save_mainfile()
    assert sb.ops_render_ops.start(scene, styled).state == "done"
    here = [tmp_path / "stylebridge" / "plate_v001" / name for name in files(sb, styled)]
    done = farm(blend, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stylebridge | Rendering plate" in done.stdout and "12 frames of plate are in" in done.stdout
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    ((_, made),) = [pair for pair in sb.strips.everywhere() if pair[1].stylebridge.made_of]
    assert made.directory == "//stylebridge/plate_v002/"
    for one in here:
        assert pixels_of(one) == pixels_of(tmp_path / "stylebridge" / "plate_v002" / one.name)


def files(sb: SimpleNamespace, strip: Any) -> list[str]:
    ((_, made),) = sb.strips.made_of(strip.stylebridge.uid)
    return [element.filename for element in made.elements]


def test_what_cannot_be_rendered_is_an_exit_status(
    styled: Any, scene: Any, sb: SimpleNamespace, tmp_path: Path
) -> None:
    styled.directory = "//nowhere/"
    bpy.ops.wm.save_mainfile()
    done = farm(Path(bpy.data.filepath), tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Stylebridge | " in done.stdout
