"""Pointing at things in the preview, or with a mask."""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat, masks, prompts, strips
from .._bridge.stylebridge.errors import StylebridgeError
from ..ui import redraw
from .strip_ops import has_strip

#: Pixels that the mouse must move with its button down for a box.
DRAG = 6


class STYLEBRIDGE_OT_point(bpy.types.Operator):
    """Click on a thing in the preview, or drag a box around it; with Ctrl, click on what does not belong to it.
    Enter ends it
    """

    bl_idname = "stylebridge.point"
    bl_label = "Point at a thing"
    bl_options = {"REGISTER", "UNDO", "BLOCKING"}

    name: bpy.props.StringProperty(name="Name", description="What the thing is called", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_strip(cls, context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        strip = strips.source(context)
        self.name = self.name or prompts.target(strip)
        self._uid = strips.begin(strip).uid
        self._down: tuple[Any, int, int] | None = None
        self._count = 0
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(
            f'"{self.name}": click on it, drag a box around it, Ctrl-click beside it. Enter: done. Escape: stop.'
        )
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type in ("RET", "NUMPAD_ENTER", "ESC", "RIGHTMOUSE") and event.value == "PRESS":
            context.workspace.status_text_set(None)
            return {"FINISHED"} if self._count else {"CANCELLED"}
        if event.type != "LEFTMOUSE":
            return {"PASS_THROUGH"}
        found = strips.find(self._uid)
        if found is None:
            context.workspace.status_text_set(None)
            return {"CANCELLED"}
        if event.value == "PRESS":
            region = region_at(context, event.mouse_x, event.mouse_y)
            if region is None:
                return {"PASS_THROUGH"}
            self._down = (region, event.mouse_x, event.mouse_y)
        elif event.value == "RELEASE" and self._down is not None:
            self._released(*found, event)
            self._down = None
        return {"RUNNING_MODAL"}

    def _released(self, scene: Any, strip: Any, event: Any) -> None:
        assert self._down is not None
        region, x, y = self._down
        one = view_of(region, x, y)
        if max(abs(event.mouse_x - x), abs(event.mouse_y - y)) >= DRAG:
            done = prompts.set_box(
                scene, strip, self.name, one, view_of(region, event.mouse_x, event.mouse_y)
            )
        else:
            done = prompts.add_point(scene, strip, self.name, one, not event.ctrl)
        self._count += done
        redraw.panels("PREVIEW")
        redraw.panels()


class STYLEBRIDGE_OT_use_mask(bpy.types.Operator):
    """Point at a thing with a mask that is drawn around it, as the mask is at this frame"""

    bl_idname = "stylebridge.use_mask"
    bl_label = "Use mask"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name", description="What the thing is called", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_strip(cls, context):
            return False
        if compat.scene_of(context).stylebridge.mask is None:
            cls.poll_message_set("Choose a mask first")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        scene, strip = compat.scene_of(context), strips.source(context)
        try:
            masks.use(scene, strip, scene.stylebridge.mask, self.name or prompts.target(strip))
        except StylebridgeError as error:
            self.report({"ERROR"}, error.message)
            return {"CANCELLED"}
        redraw.panels("PREVIEW")
        return {"FINISHED"}


class STYLEBRIDGE_OT_forget_prompts(bpy.types.Operator):
    """Take away what was pointed at for this thing"""

    bl_idname = "stylebridge.forget_prompts"
    bl_label = "Take away"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_strip(cls, context)

    def execute(self, context: Any) -> set[str]:
        prompts.forget(strips.source(context), self.name)
        redraw.panels("PREVIEW")
        return {"FINISHED"}


def region_at(context: Any, x: int, y: int) -> Any:
    """The preview's region under a place of the window; None where there is another."""
    for area in context.window.screen.areas:
        if area.type != "SEQUENCE_EDITOR":
            continue
        inside = [
            region
            for region in area.regions
            if region.x <= x < region.x + region.width and region.y <= y < region.y + region.height
        ]
        # The sidebar and the header lie over the preview.
        if inside and all(region.type == "PREVIEW" for region in inside):
            return inside[0]
    return None


def view_of(region: Any, x: int, y: int) -> prompts.View:
    """The view's coordinates of a place in the window."""
    return tuple(region.view2d.region_to_view(x - region.x, y - region.y))


CLASSES = (STYLEBRIDGE_OT_point, STYLEBRIDGE_OT_use_mask, STYLEBRIDGE_OT_forget_prompts)
