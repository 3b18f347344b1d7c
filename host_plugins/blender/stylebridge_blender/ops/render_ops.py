"""Rendering and cancelling."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bpy

from .. import preferences, request, strips
from .._bridge.stylebridge.errors import Code, StylebridgeError
from ..engine import lanes
from ..engine import render as rendering
from ..engine.job import FAILED, Job
from ..results import files, insert
from .strip_ops import has_strip


class STYLEBRIDGE_OT_render(bpy.types.Operator):
    """Render the styled strip, and put the result above it"""

    bl_idname = "stylebridge.render"
    bl_label = "Render"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_strip(cls, context):
            return False
        strip = strips.source(context)
        if not strip.stylebridge.enabled or not request.styled(strip.stylebridge):
            cls.poll_message_set("Choose a style first")
            return False
        if lanes.running(strip.stylebridge.uid):
            cls.poll_message_set("This strip is being rendered")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        strip = strips.source(context)
        job = start(strip.id_data, strip)
        if job.state == FAILED:
            self.report({"ERROR"}, job.message)
            return {"CANCELLED"}
        return {"FINISHED"}


class STYLEBRIDGE_OT_cancel(bpy.types.Operator):
    """Stop what is being done for this strip; finished frames stay in their folder"""

    bl_idname = "stylebridge.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Any) -> bool:
        strip = strips.source(context)
        return strip is not None and bool(lanes.running(strip.stylebridge.uid))

    def execute(self, context: Any) -> set[str]:
        for job in lanes.running(strips.source(context).stylebridge.uid):
            job.cancel()
        return {"FINISHED"}


def start(scene: Any, strip: Any) -> Job:
    """Starts rendering a strip; in background mode renders it."""
    preferences.apply()
    strips.begin(strip)
    uid, title = strip.stylebridge.uid, strip.name
    folder = files.folder_of(scene, preferences.unsaved_folder())

    def prepare() -> Generator[None, None, request.Order]:
        found = strips.find(uid)  # the strip of a moment ago may be gone
        if found is None:
            raise StylebridgeError(Code.NOT_FOUND, f"{title} is no longer in this file.")
        return (yield from request.build(*found, folder))

    def work(job: Job) -> files.Written:
        return rendering.render(job.order, job)

    def finish(written: files.Written) -> Generator[None, None, str]:
        return (yield from insert.insert(job.order, written))

    job = Job(f"Rendering {title}", work, finish, uid, prepare, lambda order: order.plate.discard())
    return lanes.submit(job)


CLASSES = (STYLEBRIDGE_OT_render, STYLEBRIDGE_OT_cancel)
