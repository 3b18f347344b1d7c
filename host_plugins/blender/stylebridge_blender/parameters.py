"""The effect's table as Blender properties: nobody writes a parameter twice.

Parameters that animate freely become custom properties of the strip, one for each layer that the strip has: only
those can be keyframed, copied, split and renamed with the strip in every version. All others become members of
property groups.
"""

from __future__ import annotations

from typing import Any

import bpy

from ._bridge.stylebridge import effect
from ._bridge.stylebridge.effect import Parameter

#: What begins the names of our custom properties.
PREFIX = "stylebridge_"
#: The layer of all that is no instance; the whole picture where there are no instances.
BACKGROUND = 0


def animated(*scopes: str) -> dict[str, Parameter]:
    """The parameters of these scopes that may be keyframed."""
    rows = effect.scoped(*scopes)
    return {name: row for name, row in rows.items() if row.animation == effect.FREELY}


def fixed(*scopes: str) -> dict[str, Parameter]:
    """The parameters of these scopes that stay the same over a strip. No property of Blender's is a list of frames."""
    rows = effect.scoped(*scopes)
    return {
        name: row for name, row in rows.items() if row.animation != effect.FREELY and row.kind != "frames"
    }


def of_layer(layer: int) -> dict[str, Parameter]:
    """The parameters of a layer that may be keyframed: the background has no edge of its own."""
    return animated(effect.LAYER) if layer == BACKGROUND else animated(effect.LAYER, effect.INSTANCE)


def key(name: str, layer: int | None = None) -> str:
    """The custom property of a layer's parameter. Without a layer: of the whole strip (strength alone)."""
    return f"{PREFIX}{name}" if layer is None else f"{PREFIX}{name}_{layer}"


def path(name: str, layer: int | None = None) -> str:
    """The same as `layout.prop` and `keyframe_insert` want it."""
    return f'["{key(name, layer)}"]'


def ensure(strip: Any, layer: int | None) -> None:
    """Makes the custom properties of a layer where they are not there yet; of the whole strip for None."""
    rows = {"strength": effect.find("strength")} if layer is None else of_layer(layer)
    for name, row in rows.items():
        named = key(name, layer)
        if named in strip:
            continue
        strip[named] = row.default
        limits: dict[str, Any] = {}
        if row.kind in ("float", "int"):
            limits = {
                "min": row.minimum,
                "max": row.maximum,
                "soft_min": row.minimum,
                "soft_max": row.maximum,
            }
        elif not isinstance(strip[named], bool):  # 3.4 keeps true and false as 1 and 0
            limits = {"min": 0, "max": 1, "soft_min": 0, "soft_max": 1}
        hint = (
            hint_of(row)
            if layer is not None
            else "How much of the whole effect is mixed in, over all instances"
        )
        strip.id_properties_ui(named).update(default=strip[named], description=hint, **limits)


def remove(strip: Any, layer: int) -> None:
    """Takes a layer's custom properties away."""
    for name in of_layer(layer):
        strip.pop(key(name, layer), None)


def value(strip: Any, name: str, layer: int | None = None) -> Any:
    """What a custom property holds now, in the parameter's Python type; the default where it is not there."""
    row = effect.find(name)
    return row.python_type(strip.get(key(name, layer), row.default))


def hint_of(row: Parameter) -> str:
    """A parameter's hint as Blender shows it: without the full stop, which Blender adds."""
    unit = f" ({row.unit})" if row.unit else ""
    return row.hint.rstrip(".") + unit


def declared(rows: dict[str, Parameter]) -> dict[str, Any]:
    """The annotations of a property group that holds these parameters."""
    return {name: _declare(row) for name, row in rows.items()}


def _declare(row: Parameter) -> Any:
    common: dict[str, Any] = {"name": row.title, "description": hint_of(row), "options": set()}
    if row.kind == "bool":
        return bpy.props.BoolProperty(default=row.default, **common)
    if row.kind == "choice":
        items = [(choice, choice.capitalize(), "") for choice in row.choices]
        return bpy.props.EnumProperty(items=items, default=row.default, **common)
    if row.kind == "int":
        return bpy.props.IntProperty(
            default=row.default or 0, min=_whole(row.minimum), max=_whole(row.maximum), **common
        )
    if row.kind == "float":
        return bpy.props.FloatProperty(default=row.default, min=row.minimum, max=row.maximum, **common)
    if row.kind == "path":
        return bpy.props.StringProperty(subtype="FILE_PATH", **common)
    return bpy.props.StringProperty(**common)


def _whole(limit: float | None) -> int:
    return int(limit) if limit is not None else 0


def plain(group: Any, rows: dict[str, Parameter]) -> dict[str, Any]:
    """What a property group says other than the defaults, as plain data of a look."""
    data = {}
    for name, row in rows.items():
        given = row.python_type(getattr(group, name))
        if row.kind == "float":
            given = round(given, 6)  # Blender keeps floats in 32 bits: 0.1 must not become 0.10000000149
        if row.kind == "path" and given:
            given = bpy.path.abspath(given)
        if given != row.default and (given != "" or row.default):
            data[name] = given
    return data
