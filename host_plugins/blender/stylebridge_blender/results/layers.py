"""Layers: the opacity of a layer's strip *is* the strength of its instance.

A driver multiplies the strength of the instance, its visibility and the strength of everything, all of them custom
properties of the source strip, so there is one truth to keyframe. The expression is one that Blender evaluates itself,
without Python: it plays in files whose scripts may not run, and where the add-on is not installed.
"""

from __future__ import annotations

from typing import Any

from .. import parameters

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
