"""The strip's instances over the preview, in the colours of the list, with their names."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import bpy

from .. import compat, parameters, plates, strips
from .._bridge.stylebridge.errors import Code, StylebridgeError
from ..engine import cutouts, lanes, pump
from ..engine.job import Job
from . import marks, quads, redraw


class _State:
    """What is shown, and what is on its way."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()
        self.shown: tuple[Any, ...] = ()
        self.job: Job | None = None
        self.made: cutouts.Cutouts | None = None
        self.texture: Any = None
        self.plate: Any = None


_state = _State()
_handles: list[Any] = []


def attach() -> None:
    bpy.types.WindowManager.stylebridge_overlay = bpy.props.BoolProperty(
        name="Show instances", description="Show the instances of the frame in the preview", options=set()
    )
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceSequenceEditor.draw_handler_add(_draw, (), "PREVIEW", "POST_PIXEL"))


def detach() -> None:
    global _state
    while _handles:
        bpy.types.SpaceSequenceEditor.draw_handler_remove(_handles.pop(), "PREVIEW")
    _state = _State()
    del bpy.types.WindowManager.stylebridge_overlay


def follow() -> None:
    """At every tick: asks for the instances of the frame on which the playhead rests."""
    global _state
    manager = bpy.context.window_manager
    if manager is None or not getattr(manager, "stylebridge_overlay", False):
        if _state.asked:
            _state = _State()
            redraw.panels("PREVIEW")
        return
    found = _wanted()
    if found is None or found[2] == _state.asked:
        return
    if _state.job is not None and not _state.job.ended.is_set():
        _state.job.cancel()
        return
    _state.asked = found[2]
    _state.job = lanes.submit(_job(*found), "preview")


def _wanted() -> tuple[Any, Any, tuple[Any, ...]] | None:
    """The scene, the strip, and what decides on its instances; None where there are none to show."""
    for window in bpy.context.window_manager.windows:
        scene = getattr(window.workspace, "sequencer_scene", None) or window.scene
        editor = scene.sequence_editor
        strip = editor.active_strip if editor else None
        if strip is None or window.screen.is_animation_playing or not strip.stylebridge.analysis:
            continue
        if strip.frame_final_start <= scene.frame_current < strip.frame_final_end:
            settings = strip.stylebridge
            return scene, strip, (settings.uid, scene.frame_current, settings.analysis, strip.frame_start)
    return None


def _job(scene: Any, strip: Any, wanted: tuple[Any, ...]) -> Job:
    settings, uid, frame = strip.stylebridge, wanted[0], wanted[1]
    analysis, analysed = settings.analysis, json.loads(settings.analysed)
    colours = {
        layer.id: tuple(layer.colour) for layer in settings.layers if layer.id != parameters.BACKGROUND
    }

    def prepare() -> Generator[None, None, Any]:
        found = strips.find(uid)
        if found is None:
            raise StylebridgeError(Code.NOT_FOUND, "The strip is no longer in this file.")
        plate = plates.plan(*found, False)
        if plate.key != settings.analysed_plate or (plate.work is not None and plate.work.lacking()):
            raise StylebridgeError(Code.NOT_FOUND, f"The instances of {found[1].name} are to be found again.")
        yield
        return plate

    def work(job: Job) -> cutouts.Cutouts:
        return cutouts.cutouts(job.order, frame, analysis, analysed, colours, job)

    def finish(made: cutouts.Cutouts) -> str:
        if _state.asked == wanted and made.samples and not bpy.app.background:
            _state.made, _state.plate, _state.shown = made, job.order, wanted
            _state.texture = quads.texture(made.width, made.height, made.samples)
            redraw.panels("PREVIEW")
        return ""

    job = Job("Showing instances", work, finish, "", prepare)
    return job


def _draw() -> None:
    with pump.measured("overlay"):
        context = bpy.context
        made, scene = _state.made, compat.scene_of(context)
        if not context.window_manager.stylebridge_overlay or made is None:
            return
        found = strips.find(_state.shown[0])
        if found is None or found[0] != scene or _state.shown[1] != scene.frame_current:
            return
        corners = plates.outline(scene, found[1], _state.plate, scene.frame_current)
        to_region = context.region.view2d.view_to_region
        points = [to_region(x, y, clip=False) for x, y in corners]
        quads.draw(_state.texture, points, blended=True)
        for layer in found[1].stylebridge.layers:
            if layer.id in made.places:
                marks.name(
                    f"{layer.id} {layer.label}", _between(points, *made.places[layer.id]), (1, 1, 1, 1)
                )


def _between(points: list[tuple[float, float]], x: float, y: float) -> tuple[float, float]:
    """A place in a picture, normalised, between its corners."""
    (x0, y0), (x1, y1), _, (x3, y3) = points
    return x0 + (x1 - x0) * x + (x3 - x0) * y, y0 + (y1 - y0) * x + (y3 - y0) * y
