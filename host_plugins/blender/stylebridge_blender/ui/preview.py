"""The styled frame in the sequencer's preview, as soon as the playhead rests, with a wipe between before and after.

It is drawn over the strip that it is made from, and only while the playhead is on its frame. The values are those of
the Standard view.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from .. import compat, parameters, plates, request, strips
from .._bridge.stylebridge import effect
from .._bridge.stylebridge.errors import Code, StylebridgeError
from ..engine import glance, lanes, pump
from ..engine.job import FAILED, Job
from . import quads, redraw

_TITLE = "Preview"
#: Bytes of the largest file of which a copy is saved for a preview.
COPIED = 32 << 20


class _State:
    """What is shown, and what is on its way."""

    def __init__(self) -> None:
        self.shown: tuple[Any, ...] = ()  # what the picture that is shown was asked with
        self.seen: tuple[Any, ...] = ()  # what was wanted at the tick before
        self.asked: tuple[Any, ...] = ()
        self.job: Job | None = None
        self.texture: Any = None
        self.plate: Any = None


_state = _State()
_handles: list[Any] = []


def attach() -> None:
    manager = bpy.types.WindowManager
    manager.stylebridge_preview = bpy.props.BoolProperty(
        name="Preview", description="Show the current frame styled, in the preview", options=set()
    )
    manager.stylebridge_wipe = bpy.props.FloatProperty(
        name="After",
        description="How much of the picture is shown styled, from the left",
        min=0,
        max=1,
        default=1,
        subtype="FACTOR",
        options=set(),
        update=lambda manager, context: redraw.panels("PREVIEW"),
    )
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceSequenceEditor.draw_handler_add(_draw, (), "PREVIEW", "POST_PIXEL"))


def detach() -> None:
    while _handles:
        bpy.types.SpaceSequenceEditor.draw_handler_remove(_handles.pop(), "PREVIEW")
    forget()
    del bpy.types.WindowManager.stylebridge_preview, bpy.types.WindowManager.stylebridge_wipe


def forget() -> None:
    """Shows nothing."""
    global _state
    _state = _State()


def message() -> str:
    """Why there is no preview, "" where there is one or it is on its way."""
    job = _state.job
    return job.message if job is not None and job.state == FAILED else ""


def follow() -> None:
    """At every tick: asks for the frame on which the playhead rests."""
    manager = bpy.context.window_manager
    if manager is None or not getattr(manager, "stylebridge_preview", False):
        if _state.shown or _state.job:
            forget()
            redraw.panels("PREVIEW")
        return
    found = _wanted()
    settled = found is not None and found[2] == _state.seen
    _state.seen = found[2] if found else ()
    if found is None or not settled or found[2] == _state.asked:
        return
    if _state.job is not None and not _state.job.ended.is_set():
        _state.job.cancel()
        return  # the next tick asks
    _state.asked = found[2]
    _state.job = lanes.submit(_job(*found), "preview")


def _wanted() -> tuple[Any, Any, tuple[Any, ...]] | None:
    """The scene, the strip, and all that decides what the preview shows; None where nothing is to be shown."""
    for window in bpy.context.window_manager.windows:
        if window.screen.is_animation_playing:
            return None
        scene = getattr(window.workspace, "sequencer_scene", None) or window.scene
        editor = scene.sequence_editor
        strip = editor.active_strip if editor else None
        if strip is None or strip.type not in strips.PICTURES:
            continue
        if strip.stylebridge.made_of:
            pair = strips.find(strip.stylebridge.made_of)
            strip = pair[1] if pair else None
        if strip is None or not strip.stylebridge.enabled or not request.styled(strip.stylebridge):
            continue
        if strip.frame_final_start <= scene.frame_current < strip.frame_final_end:
            return scene, strip, _signature(scene, strip)
    return None


def _signature(scene: Any, strip: Any) -> tuple[Any, ...]:
    settings = strip.stylebridge
    rows = parameters.fixed(effect.LAYER, effect.INSTANCE)
    fixed = tuple(
        (layer.id, *(getattr(layer, name) for name in rows if name != "select")) for layer in settings.layers
    )
    animated = tuple(
        parameters.value(strip, name, layer.id)
        for layer in settings.layers
        for name in parameters.of_layer(layer.id)
    )
    whole = (settings.uid, settings.analysis, parameters.value(strip, "strength"))
    place = (scene.frame_current, strip.frame_start, getattr(strip, "filepath", ""))
    return (*whole, *place, fixed, animated)


def _job(scene: Any, strip: Any, wanted: tuple[Any, ...]) -> Job:
    uid, frame = strip.stylebridge.uid, scene.frame_current

    def prepare() -> Generator[None, None, request.Order]:
        found = strips.find(uid)
        if found is None:
            raise StylebridgeError(Code.NOT_FOUND, "The strip is no longer in this file.")
        order = yield from request.build(*found, "", [frame], prepare=False)
        if order.plate.work is not None and order.plate.work.lacking():
            if order.analysis is not None or _is_large():
                raise StylebridgeError(
                    Code.NOT_FOUND,
                    f"Blender renders {found[1].name} before it is styled ({order.plate.why}): its preview is shown "
                    "once it was rendered.",
                )
            order.plate = plates.only(found[1], order.plate, frame)
        return order

    def finish(made: glance.Glance) -> str:
        if _state.asked == wanted:
            _show(made, wanted, job.order.plate)
        return ""

    job = Job(_TITLE, lambda job: glance.glance(job.order, job), finish, "", prepare)
    return job


def _is_large() -> bool:
    """Whether saving a copy of the file, for a Blender that renders one frame of it, would be felt."""
    path = Path(bpy.data.filepath)
    return path.is_file() and path.stat().st_size > COPIED


def _show(made: glance.Glance, wanted: tuple[Any, ...], plate: Any) -> None:
    if not bpy.app.background:
        _state.texture = quads.texture(made.width, made.height, made.samples)
    _state.shown, _state.plate = wanted, plate
    redraw.panels("PREVIEW")


def _draw() -> None:
    """In the preview's region."""
    with pump.measured("preview"):
        context = bpy.context
        manager = context.window_manager
        if not manager.stylebridge_preview or _state.texture is None:
            return
        scene = compat.scene_of(context)
        found = strips.find(_state.shown[0])
        if found is None or found[0] != scene or _state.shown[3] != scene.frame_current:
            return
        corners = plates.outline(scene, found[1], _state.plate, scene.frame_current)
        to_region = context.region.view2d.view_to_region
        points = [to_region(x, y, clip=False) for x, y in corners]
        quads.draw(_state.texture, points, manager.stylebridge_wipe)
