"""`blender -b`: renders styled strips without a window, for farms.

    blender -b shot.blend --python-exit-code 1 --python-expr "import bpy; bpy.ops.stylebridge.render_all(save=True)"
    blender -b shot.blend --command stylebridge_render --save          # 4.2 and later

Blocking, with progress on standard output. The exit status is 0 where every strip was rendered, else 1.
"""

from __future__ import annotations

import argparse
from typing import Any

import bpy

from . import request, strips
from .engine.job import DONE
from .ops import render_ops

#: The name of the command, from Blender 4.2 on.
COMMAND = "stylebridge_render"


def render_all(names: list[str], save: bool) -> list[str]:
    """Renders the styled strips of all scenes, one after another. In background mode.

    Args:
        names: of the strips, all where it is empty.
        save: whether the file is saved with the strips that come back.

    Returns:
        a sentence for each strip that was not rendered.
    """
    wanted = [
        (scene, strip)
        for scene, strip in strips.everywhere()
        if strip.stylebridge.enabled
        and request.styled(strip.stylebridge)
        and (strip.name in names if names else not strip.mute)
    ]
    found = {strip.name for _, strip in wanted}
    wrong = [f"There is no styled strip {name} in this file." for name in names if name not in found]
    if not wanted and not names:
        wrong.append("No strip of this file has a style.")
    for scene, uid in [(scene, strips.claim(strip)) for scene, strip in wanted]:
        at = strips.find(uid)  # what came back before may have moved the others in memory
        assert at is not None
        job = render_ops.start(scene, at[1])
        if job.state != DONE:
            wrong.append(job.message)
    if save and len(wrong) < len(wanted):
        bpy.ops.wm.save_mainfile()
    return wrong


class STYLEBRIDGE_OT_render_all(bpy.types.Operator):
    """Render every styled strip of the file, waiting for each; for scripts and farms"""

    bl_idname = "stylebridge.render_all"
    bl_label = "Render all styled strips"

    strips: bpy.props.StringProperty(
        name="Strips", description="Their names, separated by commas; empty for all"
    )
    save: bpy.props.BoolProperty(name="Save", description="Save the file afterwards")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return bool(bpy.app.background)

    def execute(self, context: Any) -> set[str]:
        names = [name.strip() for name in self.strips.split(",") if name.strip()]
        wrong = render_all(names, self.save)
        if wrong:
            self.report({"ERROR"}, " ".join(wrong))
            return {"CANCELLED"}
        return {"FINISHED"}


def command(arguments: list[str]) -> int:
    """The command line's way, from Blender 4.2 on."""
    parser = argparse.ArgumentParser(COMMAND, description="Renders the styled strips of the file.")
    parser.add_argument("--strip", action="append", default=[], help="one strip's name; may be repeated")
    parser.add_argument("--save", action="store_true", help="save the file afterwards")
    given = parser.parse_args(arguments)
    wrong = render_all(given.strip, given.save)
    for sentence in wrong:
        print(f"Stylebridge | {sentence}", flush=True)
    return 1 if wrong else 0


CLASSES = (STYLEBRIDGE_OT_render_all,)

_commands: list[Any] = []


def attach() -> None:
    if hasattr(bpy.utils, "register_cli_command"):
        _commands.append(bpy.utils.register_cli_command(COMMAND, command))


def detach() -> None:
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
