"""What comes back is seen as its source is: place, crop, colour space, blending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..request import LAYERS, Order

_COPIED = (
    "use_flip_x",
    "use_flip_y",
    "color_saturation",
    "color_multiply",
    "multiply_alpha",
    "use_linear_modifiers",
)
_TRANSFORM = ("offset_x", "offset_y", "scale_x", "scale_y", "rotation", "origin", "filter")
_CROP = ("min_x", "max_x", "min_y", "max_y")


def dress(source: Any, strip: Any, order: Order, fresh: bool) -> None:
    """Makes a strip of raw pictures look like its source does.

    Args:
        fresh: it is a new strip; else what the user did to it stays.
    """
    strip.colorspace_settings.name = order.plate.colour_space
    layered = order.output == LAYERS
    strip.alpha_mode = "PREMUL" if layered else order.plate.alpha_mode
    if layered:
        strip.blend_type = "ALPHA_OVER"
    elif fresh:
        strip.blend_type, strip.blend_alpha = source.blend_type, source.blend_alpha
    if order.plate.placed or not fresh:
        return
    _copy(source, strip, _COPIED)
    for part, names in (("transform", _TRANSFORM), ("crop", _CROP)):
        _copy(getattr(source, part), getattr(strip, part), names)


def _copy(source: Any, target: Any, names: Sequence[str]) -> None:
    """Copies what both have: versions differ."""
    for name in names:
        if hasattr(source, name) and hasattr(target, name):
            setattr(target, name, getattr(source, name))


def hide(source: Any, order: Order) -> bool:
    """Mutes a source that would be seen through the result, and so show twice; whether it did."""
    opaque = source.blend_type == "REPLACE" or (
        source.blend_type == "ALPHA_OVER" and not order.plate.transparent
    )
    if source.mute or (opaque and source.blend_alpha >= 1.0):
        return False
    source.mute = True
    return True
