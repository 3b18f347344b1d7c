"""Starting, stopping and looking at the server."""

from __future__ import annotations

from typing import Any

import bpy

from .. import preferences
from ..engine import lanes, server
from ..engine.job import Job

_LANE = "server"


def _sentence(result: object) -> str:
    return server.state.message


class STYLEBRIDGE_OT_start_server(bpy.types.Operator):
    """Start the server on this machine. It stays until it is stopped, or unused for half an hour"""

    bl_idname = "stylebridge.start_server"
    bl_label = "Start"

    def execute(self, context: Any) -> set[str]:
        preferences.apply()

        def work(job: Job) -> None:
            server.start_server()
            server.look()

        lanes.submit(Job("Starting the server", work, _sentence), _LANE)
        return {"FINISHED"}


class STYLEBRIDGE_OT_stop_server(bpy.types.Operator):
    """Stop the server, for all programs that use it. What it keeps in memory is lost"""

    bl_idname = "stylebridge.stop_server"
    bl_label = "Stop"

    def execute(self, context: Any) -> set[str]:
        lanes.submit(Job("Stopping the server", lambda job: server.stop_server(), _sentence), _LANE)
        return {"FINISHED"}


class STYLEBRIDGE_OT_look_for_server(bpy.types.Operator):
    """Look whether the server runs, and what it can do"""

    bl_idname = "stylebridge.look_for_server"
    bl_label = "Look again"

    def execute(self, context: Any) -> set[str]:
        preferences.apply()
        look()
        return {"FINISHED"}


def look() -> None:
    """Looks at the server in its own thread; one look at a time."""
    if not any(job.title == _LOOK for job in lanes.running()):
        lanes.submit(Job(_LOOK, lambda job: server.look(), _sentence), _LANE)


_LOOK = "Looking at the server"

CLASSES = (STYLEBRIDGE_OT_start_server, STYLEBRIDGE_OT_stop_server, STYLEBRIDGE_OT_look_for_server)
