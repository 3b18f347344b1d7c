"""A name for everything that goes into the picture of a strip that Blender renders: as long as it is the same, the
plate need not be rendered again.

Settings are found by asking Blender for all properties, so that those of versions to come count too. Frames count from
the start of the strip, so that moving it changes nothing. What a scene holds is not looked into: plates of scenes are
rendered anew each time.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import bpy

from .. import compat
from . import frames, media

#: What is not part of a picture, by how its name begins.
LEFT_OUT = (
    "name",
    "select",
    "lock",
    "color_tag",
    "show_",
    "frame_",
    "is_",
    "bl_",
    "use_cache",
    "override_cache",
    "volume",
    "pan",
    "fps",
    "input_count",
)
#: And of the strip itself, which is shown alone, wherever it lies and however it is laid over others.
LEFT_OUT_ON_TOP = ("channel", "mute", "blend_", "use_default_fade", "effect_fader")
#: Steps into settings within settings.
DEPTH = 5
#: Raised when plates are made another way.
VERSION = 1


def key(scene: Any, strip: Any, pixel_format: str) -> str:
    """The name: a hash in hex digits."""
    begin = frames.start(strip)
    render = scene.render
    whole = {
        "version": [VERSION, *bpy.app.version[:2]],
        "format": pixel_format,
        "scene": [
            render.resolution_x,
            render.resolution_y,
            render.pixel_aspect_x,
            render.pixel_aspect_y,
            frames.rate(scene),
            scene.sequencer_colorspace_settings.name,
        ],
        "strips": [_strip(scene, one, begin, on_top=one == strip) for one in media.all_below(scene, strip)],
    }
    text = json.dumps(whole, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def shows_scenes(scene: Any, strip: Any) -> bool:
    """Whether a scene, a clip's markers or a mask are in the picture: their changes are not known."""
    return any(one.type in ("SCENE", "MOVIECLIP", "MASK") for one in media.all_below(scene, strip))


def _strip(scene: Any, strip: Any, begin: int, on_top: bool) -> dict[str, Any]:
    left_out = LEFT_OUT + (LEFT_OUT_ON_TOP if on_top else ())
    found = {"type": strip.type, "settings": _group(strip, left_out, DEPTH)}
    span = [strip.frame_start - begin, strip.frame_final_start - begin, strip.frame_final_end - begin]
    # Handles only hide frames, except where an effect's speed is laid out between them.
    found["place"] = span[:1] if on_top and strip.type in ("MOVIE", "IMAGE", "META", "SCENE") else span
    found["length"] = [strip.frame_duration, strip.frame_final_duration if strip.type == "SPEED" else None]
    found["retiming"] = [
        [retiming.timeline_frame - begin, _group(retiming, ("timeline_frame", *LEFT_OUT), 1)]
        for retiming in getattr(strip, "retiming_keys", ())
    ]
    found["animation"] = _animation(scene, strip, begin, left_out)
    if strip.type == "MOVIE":
        path = media.path_of(strip)
        found["media"] = [path, *media.mark(path)]
    elif strip.type == "IMAGE":
        folder, names = media.folder_of(strip), media.names_of(strip)
        found["media"] = [folder, names, media.marks(folder, names)]
    return found


def _group(owner: Any, left_out: tuple[str, ...], depth: int) -> dict[str, Any]:
    """All settings of a thing and of what belongs to it."""
    found: dict[str, Any] = {}
    for name, rule in owner.bl_rna.properties.items():
        if name == "rna_type" or rule.is_runtime or name.startswith(left_out):
            continue
        try:
            found[name] = _value(getattr(owner, name), rule, depth)
        except (AttributeError, TypeError, ValueError, RuntimeError):
            continue  # not to be read in this state
    return found


def _value(value: Any, rule: Any, depth: int) -> Any:
    if rule.type == "POINTER":
        if value is None:
            return None
        if isinstance(value, (bpy.types.ID, compat.STRIP)):
            return value.name
        return _group(value, LEFT_OUT, depth - 1) if depth else None
    if rule.type == "COLLECTION":
        plain = rule.identifier not in ("elements", "strips", "sequences", "retiming_keys", "channels")
        return [_group(one, ("select",), depth - 1) for one in value] if depth and plain else None
    if getattr(rule, "is_array", False):
        return [float(one) for one in value] if rule.array_dimensions[1] == 0 else None
    if rule.type == "ENUM" and rule.is_enum_flag:
        return sorted(value)
    return value


def _animation(scene: Any, strip: Any, begin: int, left_out: tuple[str, ...]) -> list[Any]:
    here = strip.path_from_id() + "."
    found: list[Any] = []
    for curve in compat.fcurves(scene):
        name = curve.data_path[len(here) :]
        if curve.data_path.startswith(here) and not name.startswith((*left_out, "[")):
            points = [
                [[place[0] - begin, place[1]] for place in (point.co, point.handle_left, point.handle_right)]
                + [point.interpolation, point.easing]
                for point in curve.keyframe_points
            ]
            found.append([name, curve.array_index, curve.extrapolation, points])
    if scene.animation_data:
        for curve in scene.animation_data.drivers:
            name = curve.data_path[len(here) :]
            if curve.data_path.startswith(here) and not name.startswith((*left_out, "[")):
                found.append([name, curve.array_index, "driver", curve.driver.type, curve.driver.expression])
    return found
