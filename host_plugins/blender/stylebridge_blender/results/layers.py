"""Layers: the opacity of a layer's strip *is* the strength of its instance.

A driver multiplies the strength of the instance, its visibility and the strength of everything, all of them custom
properties of the source strip, so there is one truth to keyframe. The expression is one that Blender evaluates itself,
without Python: it plays in files whose scripts may not run, and where the add-on is not installed.
"""

from __future__ import annotations

import array
from typing import Any

import bpy

from .. import compat, parameters

Signature = tuple[Any, ...]

_OPACITY = "blend_alpha"
#: Variables of the driver: which property of the source each is. None stands for the whole strip.
_VARIABLES = {"everything": ("strength", None), "strength": ("strength", 0), "visible": ("visibility", 0)}


def drive(scene: Any, source: Any, strip: Any, layer: int) -> None:
    """Has the source's properties of a layer decide a strip's opacity."""
    parameters.ensure(source, None)
    parameters.ensure(source, layer)
    strip.driver_remove(_OPACITY)
    driver = strip.driver_add(_OPACITY).driver
    driver.type = "SCRIPTED"
    root = source.path_from_id()
    for variable, (name, of_layer) in _VARIABLES.items():
        made = driver.variables.new()
        made.name, made.type = variable, "SINGLE_PROP"
        target = made.targets[0]
        target.id_type, target.id = "SCENE", scene
        target.data_path = root + parameters.path(name, None if of_layer is None else layer)
    driver.expression = " * ".join(_VARIABLES)


_seen: dict[str, Signature] = {}


def changed(scene: Any) -> bool:
    """Whether the strengths that drive a scene's layers are others than when this was asked before.

    Blender keeps the pictures of the sequencer, and does not see that a driver has changed one.
    """
    before = _seen.get(scene.name)
    now = _signature(scene)
    _seen[scene.name] = now
    return before is not None and now != before


def _signature(scene: Any) -> Signature:
    every = list(compat.strips_all(scene.sequence_editor)) if scene.sequence_editor else []
    sources = {strip.stylebridge.made_of for strip in every if strip.stylebridge.made_layer >= 0} - {""}
    if not sources:
        return ()
    curves = {
        curve.data_path: curve for curve in compat.fcurves(scene) if parameters.PREFIX in curve.data_path
    }
    found: list[Any] = []
    for strip in every:
        if strip.stylebridge.uid in sources:
            root = strip.path_from_id()
            names = sorted(strip.keys())  # a strip is no dictionary, though it has keys
            for name in (name for name in names if name.startswith(parameters.PREFIX)):
                curve = curves.get(f'{root}["{name}"]')
                found.append(strip[name] if curve is None else _points(curve))
    return tuple(found)


def _points(curve: Any) -> tuple[Any, ...]:
    """All of a curve that its values depend on."""
    count = len(curve.keyframe_points)
    read = []
    for part in ("co", "handle_left", "handle_right"):
        values = array.array("f", bytes(8 * count))
        curve.keyframe_points.foreach_get(part, values)
        read.append(values.tobytes())
    shapes = tuple(point.interpolation for point in curve.keyframe_points)
    return (*read, shapes, curve.mute, len(curve.modifiers))


def follow() -> None:
    """At every tick: has the sequencer draw anew where strength has changed."""
    manager = bpy.context.window_manager
    scenes = {window.scene.name: window.scene for window in (manager.windows if manager else [])}
    for scene in scenes.values():
        if changed(scene):
            compat.invalidate(scene)
