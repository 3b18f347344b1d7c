"""The panels in the sequencer's sidebar."""

from __future__ import annotations

import time
from typing import Any

import bpy

from .. import compat, freshness, parameters, strips
from .._bridge.stylebridge import effect
from ..engine import lanes, pump, server
from ..engine.job import ENDED, FAILED, WAITING
from ..ops import server_ops, strip_ops
from . import choices, lists, preview, text

#: Seconds between looks at the server, and at whether results are stale, while a panel is shown.
LOOK_EVERY = 3.0

_looked: dict[str, float] = {}


def _due(what: str) -> bool:
    """Whether it is time to look at something again: drawing itself must not wait for anything."""
    now = time.monotonic()
    if now - _looked.get(what, 0.0) < LOOK_EVERY:
        return False
    _looked[what] = now
    return True


class _Panel(bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Stylebridge"

    def draw(self, context: Any) -> None:
        with pump.measured(type(self).__name__):
            self.show(context)


class _StripPanel(_Panel):
    """A panel of a strip that is styled."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        strip = strips.source(context)
        return strip is not None and strip.stylebridge.enabled


class STYLEBRIDGE_PT_server(_Panel):
    bl_label = "Server"

    def show(self, context: Any) -> None:
        if _due("server"):
            pump.post(server_ops.look)
        state, layout = server.state, self.layout
        title, icon = _STATES[state.name]
        row = layout.row(align=True)
        row.label(text=title, icon=icon)
        if state.name in (server.STOPPED, server.FAILED):
            row.operator("stylebridge.start_server", icon="PLAY")
        elif state.name == server.RUNNING:
            row.operator("stylebridge.stop_server", icon="PAUSE")
        if state.name == server.FAILED:
            text.wrapped(layout, context, state.message)
            if state.log:
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


class STYLEBRIDGE_PT_style(_Panel):
    bl_label = "Style"

    def show(self, context: Any) -> None:
        layout, strip = self.layout, strips.source(context)
        if strip is None:
            text.wrapped(layout, context, "Select a strip that shows a picture.")
            return
        layer = strip_ops.active_layer(strip)
        if not strip.stylebridge.enabled or layer is None:
            layout.operator("stylebridge.add", icon="ADD")
            return
        if len(strip.stylebridge.layers) > 1:
            row = layout.row()
            row.use_property_split = row.use_property_decorate = True
            row.prop(strip, parameters.path("strength"), text="Everything", slider=True)
            lists.show(layout, strip)
        _choose(layout, context, layer)
        column = layout.column()
        column.use_property_split = column.use_property_decorate = True  # the dots set keyframes
        for name, row in parameters.of_layer(layer.id).items():
            column.prop(strip, parameters.path(name, layer.id), text=row.title, slider=row.kind == "float")
        scopes = (effect.LAYER,) if layer.id == parameters.BACKGROUND else (effect.LAYER, effect.INSTANCE)
        for name in parameters.fixed(*scopes):
            if name not in ("select", "style"):
                column.prop(layer, name)
        layout.operator("stylebridge.remove_style", icon="X", text="Leave this strip as it is")


def _choose(layout: Any, context: Any, layer: Any) -> None:
    """The choice of a style: pictures where there are some, else names."""
    if any(item[3] for item in choices.items(layer, context)):
        layout.template_icon_view(layer, "choice", show_labels=True, scale=5.0, scale_popup=5.0)
    if server.state.abilities:
        layout.prop(layer, "choice", text="")
    else:
        layout.label(text=choices.short(layer.style) or "Styles are shown when the server runs")
    layout.operator("stylebridge.open_style", icon="FILE_FOLDER")


class STYLEBRIDGE_PT_instances(_StripPanel):
    bl_label = "Instances"

    def show(self, context: Any) -> None:
        settings = strips.source(context).stylebridge
        self.layout.prop(settings, "segmenter")
        self.layout.operator("stylebridge.point", icon="RESTRICT_SELECT_OFF")
        if len(bpy.data.masks):
            row = self.layout.row(align=True)
            row.prop(compat.scene_of(context).stylebridge, "mask", text="")
            row.operator("stylebridge.use_mask", icon="MOD_MASK")
        for name in dict.fromkeys(prompt.name for prompt in settings.prompts):
            row = self.layout.row(align=True)
            row.label(text=name, icon="DOT")
            row.operator("stylebridge.point", text="", icon="ADD").name = name
            row.operator("stylebridge.forget_prompts", text="", icon="X").name = name
        row = self.layout.row(align=True)
        row.operator("stylebridge.find_instances", icon="VIEWZOOM")
        if len(settings.layers) > 1:
            row.operator("stylebridge.forget_instances", icon="X", text="")
            self.layout.prop(context.window_manager, "stylebridge_overlay", toggle=True, icon="OVERLAY")


class STYLEBRIDGE_PT_time(_StripPanel):
    bl_label = "Over time"
    bl_options = {"DEFAULT_CLOSED"}

    def show(self, context: Any) -> None:
        settings = strips.source(context).stylebridge
        for name in parameters.fixed(effect.SHOT):
            if name != "segmenter":
                self.layout.prop(settings, name)


class STYLEBRIDGE_PT_preview(_StripPanel):
    bl_label = "Preview"

    def show(self, context: Any) -> None:
        manager = context.window_manager
        row = self.layout.row(align=True)
        row.prop(manager, "stylebridge_preview", toggle=True, icon="HIDE_OFF")
        part = row.row(align=True)
        part.enabled = manager.stylebridge_preview
        part.prop(manager, "stylebridge_wipe", slider=True)
        if manager.stylebridge_preview and preview.message():
            text.wrapped(self.layout, context, preview.message(), icon="INFO")


class STYLEBRIDGE_PT_render(_StripPanel):
    bl_label = "Render"

    def show(self, context: Any) -> None:
        layout, strip = self.layout, strips.source(context)
        uid = strip.stylebridge.uid
        layout.prop(compat.scene_of(context).stylebridge, "folder")
        layout.prop(strip.stylebridge, "output")
        job = lanes.last(uid)
        if job is not None and job.state not in ENDED:
            compat.draw_progress(layout, job.part, job.sentence())
            if job.state == WAITING:
                text.wrapped(layout, context, job.message, icon="ERROR")
            layout.operator("stylebridge.cancel", icon="CANCEL")
            return
        if _due(uid):
            pump.post(freshness.look, uid)
        layout.operator("stylebridge.render", icon="RENDER_ANIMATION")
        if job is not None:
            text.wrapped(layout, context, job.message, icon="ERROR" if job.state == FAILED else "INFO")
        if freshness.known.get(uid):
            text.wrapped(layout, context, freshness.known[uid], icon="ERROR")


CLASSES = (
    STYLEBRIDGE_PT_server,
    STYLEBRIDGE_PT_style,
    STYLEBRIDGE_PT_preview,
    STYLEBRIDGE_PT_instances,
    STYLEBRIDGE_PT_time,
    STYLEBRIDGE_PT_render,
)
