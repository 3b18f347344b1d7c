"""The panels in the sequencer's sidebar."""

from __future__ import annotations

import time
from typing import Any

import bpy

from .. import compat, parameters, strips
from .._bridge.stylebridge import effect
from ..engine import lanes, pump, server
from ..engine.job import ENDED, FAILED, WAITING
from ..ops import server_ops, strip_ops
from . import lists, text, thumbnails

#: Seconds between looks at the server while the panel is shown.
LOOK_EVERY = 5.0


class _Panel(bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Stylebridge"

    def draw(self, context: Any) -> None:
        with pump.measured(type(self).__name__):
            self.show(context)


class STYLEBRIDGE_PT_server(_Panel):
    bl_label = "Server"

    def show(self, context: Any) -> None:
        _keep_looking()
        state, layout = server.state, self.layout
        row = layout.row(align=True)
        row.label(text=_STATES[state.name][0], icon=_STATES[state.name][1])
        if state.name in (server.STOPPED, server.FAILED, server.UNKNOWN):
            row.operator("stylebridge.start_server", icon="PLAY")
        elif state.name == server.RUNNING:
            row.operator("stylebridge.stop_server", icon="PAUSE")
        if state.name in (server.FAILED, server.STOPPED, server.RUNNING):
            text.wrapped(layout, context, state.message)
        if state.name == server.FAILED and state.log:
            box = layout.box()
            for line in state.log:
                text.wrapped(box, context, line)


_STATES = {
    server.UNKNOWN: ("Looking...", "QUESTION"),
    server.STOPPED: ("Stopped", "RADIOBUT_OFF"),
    server.STARTING: ("Starting...", "SORTTIME"),
    server.RUNNING: ("Running", "RADIOBUT_ON"),
    server.FAILED: ("Not available", "ERROR"),
}

_looked = [0.0]


def _keep_looking() -> None:
    """Asks now and then how the server is, while somebody looks at the panel. Drawing itself must not wait."""
    if time.monotonic() - _looked[0] > LOOK_EVERY:
        _looked[0] = time.monotonic()
        pump.post(server_ops.look)


class STYLEBRIDGE_PT_style(_Panel):
    bl_label = "Style"

    def show(self, context: Any) -> None:
        layout, strip = self.layout, strips.source(context)
        if strip is None:
            text.wrapped(layout, context, "Select a strip that shows a picture.")
            return
        settings = strip.stylebridge
        layer = strip_ops.active_layer(strip)
        thumbnails.draw(layout, layer.style if layer else "")
        layout.operator("stylebridge.open_style", icon="FILE_FOLDER")
        if not settings.enabled or layer is None:
            text.wrapped(layout, context, "Choose a style to begin with.")
            return
        layout.prop(strip, parameters.path("strength"), text="Strength of everything")
        column = layout.column()
        if len(settings.layers) > 1:
            lists.show(column, strip)
        for name in parameters.of_layer(layer.id):
            column.prop(strip, parameters.path(name, layer.id), text=effect.find(name).title)
        scopes = (effect.LAYER,) if layer.id == parameters.BACKGROUND else (effect.LAYER, effect.INSTANCE)
        for name in parameters.fixed(*scopes):
            if name not in ("select", "style"):
                column.prop(layer, name)
        layout.operator("stylebridge.remove_style", icon="X")


class STYLEBRIDGE_PT_steadiness(_Panel):
    bl_label = "Over time"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        strip = strips.source(context)
        return strip is not None and strip.stylebridge.enabled

    def show(self, context: Any) -> None:
        settings = strips.source(context).stylebridge
        for name in parameters.fixed(effect.SHOT):
            if name != "segmenter":
                self.layout.prop(settings, name)


class STYLEBRIDGE_PT_render(_Panel):
    bl_label = "Render"

    @classmethod
    def poll(cls, context: Any) -> bool:
        strip = strips.source(context)
        return strip is not None and strip.stylebridge.enabled

    def show(self, context: Any) -> None:
        layout, strip = self.layout, strips.source(context)
        scene = compat.scene_of(context)
        layout.prop(scene.stylebridge, "folder")
        layout.prop(strip.stylebridge, "output")
        job = lanes.last(strip.stylebridge.uid)
        if job is not None and job.state not in ENDED:
            compat.draw_progress(layout, job.part, job.sentence())
            if job.state == WAITING:
                text.wrapped(layout, context, job.message, icon="ERROR")
            layout.operator("stylebridge.cancel", icon="CANCEL")
            return
        layout.operator("stylebridge.render", icon="RENDER_ANIMATION")
        if job is not None:
            text.wrapped(layout, context, job.message, icon="ERROR" if job.state == FAILED else "INFO")


CLASSES = (STYLEBRIDGE_PT_server, STYLEBRIDGE_PT_style, STYLEBRIDGE_PT_steadiness, STYLEBRIDGE_PT_render)
