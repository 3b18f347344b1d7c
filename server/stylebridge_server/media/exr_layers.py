"""Layers and views of an OpenEXR file: which channels belong together, and which of them are styled.

Names are taken apart as "Storing Multi-View Images in OpenEXR Files" and the files of the usual programs have it: a
channel is LAYER.R, in a view LAYER.VIEW.R; a part has a view, and its name is its layer's, with or without the view.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import nearest
from stylebridge_server.media.exr_file import UINT, Channel, ExrFile, Part

MAIN = "rgba"
"""What the layer is called that has no name."""

_MAIN_NAMES = ("", "rgba", "rgb", "color", "colour")
_BEAUTY = ("beauty", "combined", "composite", "c")
_COLOURS = (("r", "g", "b", "a"), ("red", "green", "blue", "alpha"))
_LISTED = 12


@dataclass(frozen=True)
class Layer:
    """Channels of one part that make a picture.

    Attributes:
        name: "rgba" where it has none.
        view: "" where the file knows none.
        part: its place in the file.
        channels: one (grey), two (grey, alpha), R, G and B, or R, G, B and A.
    """

    name: str
    view: str
    part: int
    channels: tuple[Channel, ...]


def layers_of(file: ExrFile) -> list[Layer]:
    """All that is a picture, in the order of the file."""
    return list(_layers(file))


def views_of(file: ExrFile) -> tuple[str, ...]:
    """The views in a file, the first one first; none where it does not speak of views."""
    if listed := _listed_views(file):
        return listed
    return tuple(dict.fromkeys(part.view for part in file.parts if part.view))


def pick(file: ExrFile, layer: str | None, view: str | None) -> Layer:
    """The layer that is styled.

    Args:
        layer: its name, its part's, or a channel's; None for the main one: the layer without a name, else a beauty
            pass, else the first in colour, else the first of one channel.
        view: None for the first one.

    Raises:
        StylebridgeError: BAD_VALUE, which lists what there is; NOT_READABLE where nothing in the file is a picture.
    """
    name, views, found = file.parts[0].file, views_of(file), layers_of(file)
    if view is not None and view not in views:
        has = f"it has {_list(views)}" if views else "it has no views, so leave --view out"
        raise StylebridgeError(Code.BAD_VALUE, f"{name} has no view {view!r}: {has}.", views=list(views))
    seen = view or (views[0] if views else "")
    mine = [one for one in found if one.view in (seen, "")]
    if layer is None:
        if not mine:
            channels = [one.name for part in file.parts for one in part.channels]
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{name} holds no layer with R, G and B or with one channel, only {_list(channels)}.",
            )
        return min(mine, key=_rank)
    named = [one for one in mine if layer in (one.name, file.parts[one.part].name)]
    if named:
        return named[0]
    for place, part in enumerate(file.parts):
        for one in part.channels:
            if one.name == layer and one.type != UINT:
                return Layer(layer, seen, place, (one,))
    names = list(dict.fromkeys(one.name for one in mine))
    near = nearest(layer, names)
    meant = f"; did you mean {near!r}?" if near else "."
    raise StylebridgeError(
        Code.BAD_VALUE, f"{name} has no layer {layer!r}: it has {_list(names)}{meant}", layers=names
    )


def _layers(file: ExrFile) -> Iterator[Layer]:
    listed = _listed_views(file)
    for place, part in enumerate(file.parts):
        groups: dict[tuple[str, str], dict[str, Channel]] = {}
        for channel in part.channels:
            layer, view, own = _placed(channel.name, part, listed, len(file.parts) > 1)
            groups.setdefault((layer, view), {})[own.lower()] = channel
        for (layer, view), group in groups.items():
            channels = _picture(group)
            if channels and not any(one.type == UINT for one in channels):
                yield Layer(layer or MAIN, view, place, channels)


def _placed(name: str, part: Part, listed: tuple[str, ...], several: bool) -> tuple[str, str, str]:
    """Layer, view and own name of a channel."""
    *before, own = name.split(".")
    if listed:
        view = before.pop() if before and before[-1] in listed else listed[0]
        return ".".join(before), view, own
    layer, view = ".".join(before), part.view
    if view and before and before[-1] == view:
        layer = ".".join(before[:-1])
    if not layer and several:
        layer = part.name.removesuffix(f".{view}").removeprefix(f"{view}.") if view else part.name
        layer = "" if layer == view else layer
    return layer, view, own


def _picture(group: dict[str, Channel]) -> tuple[Channel, ...]:
    """Channels of a group, by their own names in small letters, that make a picture; none where none do."""
    for red, green, blue, alpha in _COLOURS:
        if {red, green, blue} <= group.keys():
            return tuple(group[one] for one in (red, green, blue, alpha) if one in group)
    if "y" in group and "x" not in group:  # and not the second of a vector
        return tuple(group[one] for one in ("y", "a") if one in group)
    return tuple(group.values()) if len(group) == 1 else ()


def _rank(layer: Layer) -> int:
    last = layer.name.rpartition(".")[2].lower()
    if len(layer.channels) >= 3:
        return 0 if layer.name.lower() in _MAIN_NAMES else 1 if last in _BEAUTY else 2
    return 3 if layer.channels[0].name.lower().endswith("y") else 4


def _listed_views(file: ExrFile) -> tuple[str, ...]:
    """The names of the attribute `multiView`, which files of one part have."""
    found = file.parts[0].attributes.get("multiView")
    names, at = [], 0
    try:
        while found is not None and at < len(found.value):
            (size,) = struct.unpack_from("<i", found.value, at)
            if size < 0:
                break
            names.append(found.value[at + 4 : at + 4 + size].decode("utf-8", "replace"))
            at += 4 + size
    except struct.error:
        pass
    return tuple(names)


def _list(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _LISTED
    return ", ".join(listed[:_LISTED]) + (f" and {more} more" if more > 0 else "")
