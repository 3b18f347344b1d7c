"""The add-on's preferences: where the server is, and the Python that starts it."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat
from .engine import server


def _changed(self: Any, context: Any) -> None:
    apply()


class STYLEBRIDGE_Preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    server_python: bpy.props.StringProperty(
        name="Server's Python",
        description="The Python program, or its environment's folder, that has Stylebridge's server installed. "
        "Empty: the one of the `stylebridge` command, where there is one",
        subtype="FILE_PATH",
        update=_changed,
    )
    server_url: bpy.props.StringProperty(
        name="Server's address",
        description="A server elsewhere, tcp://HOST:PORT?key=KEY as `stylebridge serve` prints it. "
        "Empty: your own server on this machine",
        update=_changed,
    )
    unsaved_folder: bpy.props.StringProperty(
        name="Folder of unsaved files",
        description="Where styled frames go while the Blender file has never been saved",
        subtype="DIR_PATH",
        default="~/Stylebridge",
    )

    def draw(self, context: Any) -> None:
        column = self.layout.column()
        column.prop(self, "server_python")
        column.prop(self, "server_url")
        column.prop(self, "unsaved_folder")


CLASSES = (STYLEBRIDGE_Preferences,)


def get() -> Any:
    """The preferences; None where the add-on is being switched on without any."""
    addon = bpy.context.preferences.addons.get(__package__)
    return addon.preferences if addon else None


def apply() -> None:
    """Tells the engine, whose threads cannot ask."""
    preferences = get()
    if preferences is None:
        server.configure("", "", compat.online())
    else:
        server.configure(preferences.server_url, bpy.path.abspath(preferences.server_python), compat.online())


def unsaved_folder() -> str:
    preferences = get()
    return preferences.unsaved_folder if preferences else "~/Stylebridge"
