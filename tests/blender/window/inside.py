"""What runs inside the Blender whose window is driven: it installs the zip, adds the strip, and says how things are.

It presses no button: everything else is done by mouse and keyboard, from outside.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

import bpy

PACKAGE, MOVIE, SAYS = (os.environ[f"STYLEBRIDGE_WINDOW_{name}"] for name in ("PACKAGE", "MOVIE", "SAYS"))
ADDON = "stylebridge_blender"


def module(name: str) -> Any:
    return importlib.import_module(f"{ADDON}.{name}")


def prepare() -> None:
    bpy.ops.preferences.addon_install(filepath=PACKAGE)
    bpy.ops.preferences.addon_enable(module=ADDON)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    bpy.ops.wm.save_as_mainfile(filepath=os.environ["STYLEBRIDGE_WINDOW_BLEND"])
    scene = bpy.context.scene
    movie = shutil.copy(MOVIE, Path(bpy.data.filepath).parent)
    strip = (
        module("compat")
        .strips(scene.sequence_editor_create())
        .new_movie("shot", bpy.path.relpath(movie), 2, 1)
    )
    scene.sequence_editor.active_strip = strip
    strip.frame_offset_end = strip.frame_duration - int(os.environ["STYLEBRIDGE_WINDOW_FRAMES"])
    scene.frame_end = strip.frame_final_end - 1
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR" and area.spaces.active.view_type == "SEQUENCER":
                area.spaces.active.show_region_ui = True


def state() -> dict[str, Any]:
    """All that the driver wants to know."""
    strips, lanes = module("strips"), module("engine.lanes")
    scene = bpy.context.scene
    (strip,) = [one for _, one in strips.everywhere() if one.name == "shot"]
    settings = strip.stylebridge
    job = lanes.last(settings.uid) if settings.uid else None
    return {
        "server": module("engine.server").state.name,
        "thumbnails": len(module("ui.thumbnails")._shown),
        "styled": settings.enabled,
        "style": settings.layers[0].style if len(settings.layers) else "",
        "strength": strip.get("stylebridge_strength_0"),
        "frame": scene.frame_current,
        "keys": [
            [point.co[0], point.co[1]]
            for curve in module("compat").fcurves(scene)
            if "stylebridge_strength_0" in curve.data_path
            for point in curve.keyframe_points
        ],
        "job": None
        if job is None
        else {"state": job.state, "stage": job.stage, "done": job.done, "says": job.message},
        "made": [
            [made.name, made.frame_final_start, made.frame_final_end, made.blend_alpha, made.directory]
            for _, made in strips.made_of(settings.uid)
        ],
        "preview": bool(module("ui.preview")._state.shown),
        "longest": module("engine.pump").longest,
        "busiest": module("engine.pump").busiest,
        "maximised": len(bpy.context.window_manager.windows[0].screen.areas) == 1,
    }


def say() -> float:
    try:
        text = json.dumps(state())
    except Exception:
        text = json.dumps({"error": traceback.format_exc()})
    part = Path(SAYS + ".part")
    part.write_text(text, "utf-8")
    part.replace(SAYS)
    return 0.2


def begin() -> None:
    try:
        prepare()
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    bpy.app.timers.register(say, persistent=True)


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(begin, first_interval=1.0)
