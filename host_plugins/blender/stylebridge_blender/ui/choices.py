"""The style of a layer as a choice of pictures.

What is stored is the style's name or path (`layer.style`), which any server and any version can read. The choice is a
view of it, made of what the server offers now.
"""

from __future__ import annotations

from typing import Any

from ..engine import server
from . import thumbnails

NONE, OWN = "NONE", "OWN"

Item = tuple[str, str, str, int, int]

#: All that Blender was ever given: it does not keep the texts itself.
_kept: dict[Item, Item] = {}


def items(layer: Any, context: Any) -> list[Item]:
    """What Blender shows. Numbers are places in this list."""
    made = [(NONE, "No style", "Leave the source as it is", 0, 0)]
    for number, style in enumerate(server.state.abilities.get("styles", []), 1):
        credit = style.get("credit") or ""
        title = style.get("title") or style["name"]
        made.append((style["name"], title, credit, thumbnails.icon(style["name"]), number))
    known = [item[0] for item in made]
    if layer.style and layer.style not in known:
        made.append(
            (OWN, short(layer.style), layer.style, thumbnails.icon_of_picture(layer.style), len(made))
        )
    return [_kept.setdefault(item, item) for item in made]


def get(layer: Any) -> int:
    names = [item[0] for item in items(layer, None)]
    if not layer.style:
        return 0
    return names.index(layer.style if layer.style in names else OWN)


def put(layer: Any, number: int) -> None:
    name = items(layer, None)[number][0]
    if name != OWN:
        layer.style = "" if name == NONE else name


def short(style: str) -> str:
    """A style's name without the folders of its picture."""
    return style.replace("\\", "/").rpartition("/")[2]
