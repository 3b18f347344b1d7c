# SPDX-License-Identifier: GPL-3.0-or-later
"""Stylebridge in Blender's Video Sequence Editor."""

from __future__ import annotations

from . import dependencies

# Read by Blender 3.x, where there is no manifest; it is parsed, not run.
bl_info = {
    "name": "Stylebridge",
    "author": "The Stylebridge authors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "Video Sequencer > Sidebar > Stylebridge",
    "description": "Neural style transfer as an effect on the timeline",
    "category": "Sequencer",
}


def register() -> None:
    """Called by Blender when the add-on is switched on."""
    dependencies.make_importable()
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the add-on is switched off, and when Blender quits."""
    from . import registration

    registration.unregister()
