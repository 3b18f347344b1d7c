"""What is chosen for a strip: its style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .. import strips

_PICTURES = "*.png;*.jpg;*.jpeg;*.tif;*.tiff;*.bmp;*.webp;*.exr"


def has_strip(cls: type, context: Any) -> bool:
    """Whether there is a strip with a picture; else the poll message says so."""
    if strips.source(context) is None:
        cls.poll_message_set("Select a strip that shows a picture")  # type: ignore[attr-defined]
        return False
    return True


def active_layer(strip: Any) -> Any:
    """The layer that the list has marked; None where there are none."""
    settings = strip.stylebridge
    index = settings.active_layer
    return settings.layers[index] if 0 <= index < len(settings.layers) else None


class STYLEBRIDGE_OT_add(bpy.types.Operator):
    """Make this strip one that is styled"""

    bl_idname = "stylebridge.add"
    bl_label = "Style this strip"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_strip(cls, context)

    def execute(self, context: Any) -> set[str]:
        strips.begin(strips.source(context))
        return {"FINISHED"}


class STYLEBRIDGE_OT_set_style(bpy.types.Operator):
    """Give the marked instance, or the whole picture, this style"""

    bl_idname = "stylebridge.set_style"
    bl_label = "Set style"
    bl_options = {"REGISTER", "UNDO"}

    style: bpy.props.StringProperty(name="Style")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_strip(cls, context)

    def execute(self, context: Any) -> set[str]:
        strip = strips.source(context)
        strips.begin(strip)
        active_layer(strip).style = self.style
        return {"FINISHED"}


class STYLEBRIDGE_OT_open_style(bpy.types.Operator):
    """Take the style from a picture of your own"""

    bl_idname = "stylebridge.open_style"
    bl_label = "Open image..."
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default=_PICTURES, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_strip(cls, context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        path = bpy.path.abspath(self.filepath)
        if not Path(path).is_file():
            self.report({"ERROR"}, f"There is no picture {path}: choose another.")
            return {"CANCELLED"}
        strip = strips.source(context)
        strips.begin(strip)
        active_layer(strip).style = path
        return {"FINISHED"}


class STYLEBRIDGE_OT_remove_style(bpy.types.Operator):
    """Leave this strip as it is. Its settings and what was rendered stay"""

    bl_idname = "stylebridge.remove_style"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        strip = strips.source(context)
        return strip is not None and strip.stylebridge.enabled

    def execute(self, context: Any) -> set[str]:
        strips.source(context).stylebridge.enabled = False
        return {"FINISHED"}


CLASSES = (
    STYLEBRIDGE_OT_add,
    STYLEBRIDGE_OT_set_style,
    STYLEBRIDGE_OT_open_style,
    STYLEBRIDGE_OT_remove_style,
)
