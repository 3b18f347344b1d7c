"""Whether Blender changes the pixels of a strip's media, and by what."""

from __future__ import annotations

import math
from typing import Any

from .. import compat
from . import frames

#: Properties of strips that leave the pixels of the strip's own picture alone, by how their names begin. Opacity and
#: blend mode say how the strip is laid over others; so will what comes back be.
HARMLESS = (
    "name",
    "channel",
    "type",
    "select",
    "lock",
    "mute",
    "color_tag",
    "show_",
    "frame_",
    "animation_offset",
    "directory",
    "filepath",
    "fps",
    "blend_",
    "use_default_fade",
    "effect_fader",
    "use_cache",
    "override_cache",
    "views_format",
    "use_float",
    "use_proxy",
    "use_linear_modifiers",
    "alpha_mode",
    "volume",
    "pan",
)
#: Colour spaces whose pixels are used as they are, and what the server calls them.
COLOURS = {
    "sRGB": "srgb",
    "Rec.1886": "srgb",
    "Linear": "linear",
    "Linear Rec.709": "linear",
    "Linear Rec.2020": "lin_rec2020",
    "ACEScg": "acescg",
    "Linear ACEScg": "acescg",
    "ACES2065-1": "aces2065-1",
    "Linear ACES": "aces2065-1",
}
#: Files whose pixels may be negative or above 1.
FLOATS = (".exr", ".hdr", ".dpx", ".cin")


def why(scene: Any, strip: Any) -> str:
    """Why a strip's picture has to be rendered through Blender; "" where its media can be read as they are."""
    if strip.type not in ("MOVIE", "IMAGE"):
        return f"it is a {strip.type.lower().replace('_', ' ')} strip"
    return (
        frames.why_not_one_to_one(scene, strip)
        or _settings(strip)
        or _place(strip)
        or _files(strip)
        or _animation(scene, strip)
    )


def _settings(strip: Any) -> str:
    if any(not modifier.mute for modifier in strip.modifiers):
        return "it has modifiers"
    if strip.strobe > 1.0:
        return "it has a strobe"
    for name, rule in strip.bl_rna.properties.items():
        if rule.is_runtime or rule.is_readonly or name.startswith((*HARMLESS, "strobe")):
            continue  # "runtime" are those of add-ons
        value = getattr(strip, name)
        if rule.type in ("BOOLEAN", "INT", "FLOAT", "ENUM") and not getattr(rule, "is_array", False):
            plain = rule.default
            same = math.isclose(value, plain, abs_tol=1e-6) if rule.type == "FLOAT" else value == plain
            if not same:
                return f'"{rule.name}" is set'
    return ""


def _place(strip: Any) -> str:
    place, crop = strip.transform, strip.crop
    if any((crop.min_x, crop.max_x, crop.min_y, crop.max_y)):
        return "it is cropped"
    if any(abs(value) > 1e-6 for value in (place.offset_x, place.offset_y, place.rotation)):
        return "it is moved or turned"
    if any(abs(value - 1.0) > 1e-6 for value in (place.scale_x, place.scale_y)):
        return "it is scaled"
    return ""


def _files(strip: Any) -> str:
    space = strip.colorspace_settings.name
    if space not in COLOURS:
        return f"its colour space is {space}"
    if strip.alpha_mode != ("PREMUL" if is_exr(strip) else "STRAIGHT"):
        return "its alpha is not what it usually is in such files"
    if strip.use_proxy and strip.proxy is not None and strip.proxy.timecode not in ("NONE", "RECORD_RUN"):
        return "its frames are counted by a time code"
    if strip.type == "IMAGE":
        endings = {element.filename.rpartition(".")[2].lower() for element in strip.elements}
        if len(endings) > 1:
            return "its files are of several kinds"
    return ""


def _animation(scene: Any, strip: Any) -> str:
    here = strip.path_from_id() + "."
    paths = [curve.data_path for curve in compat.fcurves(scene)]
    if scene.animation_data:
        paths += [driver.data_path for driver in scene.animation_data.drivers]
    for path in paths:
        if path.startswith(here):
            name = path[len(here) :]
            if not name.startswith(HARMLESS) and strip_owns(strip, name):
                return f'"{name}" is animated'
    return ""


def strip_owns(strip: Any, path: str) -> bool:
    """Whether a property of a strip, by its path, is Blender's own and not an add-on's."""
    rule = strip.bl_rna.properties.get(path.partition(".")[0].partition("[")[0])
    return rule is not None and not rule.is_runtime


def is_exr(strip: Any) -> bool:
    """Whether a strip shows OpenEXR files, whose alpha is premultiplied where nothing else is said."""
    return strip.type == "IMAGE" and strip.elements[0].filename.lower().endswith(".exr")


def may_be_float(strip: Any) -> bool:
    """Whether a strip's own pixels may be negative or above 1."""
    if strip.type == "SCENE" or getattr(strip, "use_float", False):
        return True
    if strip.type == "IMAGE":
        return any(element.filename.lower().endswith(FLOATS) for element in strip.elements)
    return bool(strip.type == "COLOR" and max(strip.color) > 1.0)
