"""Draws the panels again when what they show has changed, which Blender does by itself only under the mouse."""

from __future__ import annotations

import bpy

from .. import freshness
from ..engine import lanes, server
from . import thumbnails

_drawn: list[object] = [None]


def when_changed() -> None:
    """At every tick."""
    now = (server.state, lanes.signature(), tuple(freshness.known.items()))
    if now != _drawn[0]:
        _drawn[0] = now
        thumbnails.want()  # the server may just have said what it can do, with no mouse over the panel
        panels()


def panels(region_type: str = "UI") -> None:
    """Marks all sequencers' regions of a type."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager else []:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR":
                for region in area.regions:
                    if region.type == region_type:
                        region.tag_redraw()
