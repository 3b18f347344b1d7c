"""Sentences in a panel, which Blender would cut off where the panel ends."""

from __future__ import annotations

import textwrap
from typing import Any

#: Width of a character in pixels at the usual size, and what a panel's margins take.
_CHARACTER, _MARGINS = 6.2, 45


def wrapped(layout: Any, context: Any, sentence: str, icon: str = "NONE") -> None:
    """A sentence in as many lines as the panel needs for it."""
    scale = context.preferences.system.ui_scale
    width = max(int((context.region.width / scale - _MARGINS) / _CHARACTER), 20)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(sentence, width)):
        column.label(text=line, icon=icon if number == 0 else ("BLANK1" if icon != "NONE" else "NONE"))
