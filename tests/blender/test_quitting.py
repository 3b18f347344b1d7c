"""Blender quits in the middle of a job: at once, cleanly, and what is finished is whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy

PROGRAM = """
import os, sys, threading, time
import bpy
sys.path.append(os.environ["STYLEBRIDGE_TEST_ADDON"])
import addon_utils
addon_utils.enable("stylebridge_blender", default_set=True)
from stylebridge_blender import compat, strips
from stylebridge_blender.engine import lanes, pump
from stylebridge_blender.ops import render_ops
lanes.blocking = False
scene = bpy.context.scene
scene.stylebridge.folder = os.environ["FOLDER"]
strip = compat.strips(scene.sequence_editor_create()).new_movie("shot", os.environ["MOVIE"], 2, 1)
strips.begin(strip).layers[0].style = "great-wave"
job = render_ops.start(scene, strip)
while not (job.stage == "frame" and job.done > 1) and not job.ended.is_set():
    pump.drain()
    time.sleep(0.01)
print("in the middle", job.state, job.message, flush=True)
if not bpy.app.binary_path:  # a module has no window to close: the add-on is switched off, as Blender does at its end
    addon_utils.disable("stylebridge_blender")
    print("switched off", [one.name for one in threading.enumerate() if "stylebridge" in one.name], flush=True)
    os._exit(0)
bpy.ops.wm.quit_blender()
"""


def test_in_the_middle_of_a_job(
    sb: SimpleNamespace, scene: Any, server: Any, movie: Path, tmp_path: Path
) -> None:
    script = tmp_path / "quits.py"
    script.write_text(PROGRAM, "utf-8")
    line = [sys.executable, str(script)]
    if bpy.app.binary_path:
        line = [bpy.app.binary_path, "-b", "--factory-startup", "--python", str(script)]
    environment = {**os.environ, "FOLDER": str(tmp_path / "out"), "MOVIE": str(movie)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        said = ""
        while "in the middle" not in said:
            said = process.stdout.readline()
            assert said, "it ended before"
        assert "in the middle running" in said
        began = time.monotonic()
        rest = process.communicate(timeout=60)[0]
        assert time.monotonic() - began < 10
    assert process.returncode == 0
    if not bpy.app.binary_path:
        assert "switched off []" in rest
    files = list((tmp_path / "out").rglob("*.*"))
    assert files and not [file for file in files if file.suffix not in (".png", ".json")]
