"""The list of a strip's instances."""

from __future__ import annotations

from typing import Any

import bpy

from .. import parameters
from .choices import short

#: The strip whose list is being drawn: settings do not say whose they are. Rows are drawn before `show` returns.
_drawn: list[Any] = [None]


class STYLEBRIDGE_UL_layers(bpy.types.UIList):
    """Colour, label, style, strength, visible."""

    def draw_item(
        self,
        context: Any,
        layout: Any,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int = 0,
        flags: int = 0,
    ) -> None:
        strip = _drawn[0]
        row = layout.row(align=True)
        swatch = row.row()
        swatch.ui_units_x = 0.7
        swatch.prop(item, "colour", text="")
        row.label(text=item.label or f"Instance {item.id}")
        row.label(text=short(item.style) or "-")
        for name, width in (("strength", 3.0), ("visibility", 1.0)):
            if strip is not None and parameters.key(name, item.id) in strip:
                part = row.row()
                part.ui_units_x = width
                part.prop(strip, parameters.path(name, item.id), text="")


def show(layout: Any, strip: Any) -> None:
    """Draws the list of a strip."""
    settings = strip.stylebridge
    _drawn[0] = strip
    layout.template_list("STYLEBRIDGE_UL_layers", "", settings, "layers", settings, "active_layer", rows=3)


CLASSES = (STYLEBRIDGE_UL_layers,)
