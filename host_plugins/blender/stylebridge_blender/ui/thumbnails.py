"""Styles as pictures."""

from __future__ import annotations

from typing import Any

from ..ops import strip_ops


def load() -> None:
    """Called when the add-on is switched on."""


def unload() -> None:
    """Called when the add-on is switched off."""


def draw(layout: Any, chosen: str) -> None:
    """The styles that the server offers, as buttons."""
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    for name, title, _ in strip_ops.style_names():
        grid.operator("stylebridge.set_style", text=title, depress=name == chosen).style = name
