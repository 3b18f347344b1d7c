"""One strip with the styled frames, above the source: same length, same place, same look of the picture otherwise."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import bpy

from .. import compat, strips
from .._bridge.stylebridge.errors import Code, StylebridgeError
from ..request import Order
from .files import Written

#: Files that are added to a strip before Blender may go on.
FILES_A_STEP = 500
#: The highest channel that the sequencer has.
LAST_CHANNEL = 128

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


def insert(order: Order, written: Written) -> Generator[None, None, str]:
    """Puts the strip in, in the main thread; a sentence that says where."""
    found = find_source(order, written.folder)
    scene, source = found
    files = [written.files[frame] for frame in order.frames]
    moved = round(source.frame_start) - order.plate.start
    first = order.frames[0] + moved
    strip = yield from image_strip(scene, source, f"{source.name} styled", written.folder, files, first)
    with compat.quiet(scene.sequence_editor):
        dress(source, strip, order)
        strip.stylebridge.made_of, strip.stylebridge.made_layer = order.uid, -1
        strip.stylebridge.stamp = order.stamp
        hidden = hide(source, order)
    undo_point("Stylebridge render")
    words = f"{len(files)} frames of {source.name} are in {written.folder}"
    return f"{words}; {source.name} is muted, because it can be seen through." if hidden else f"{words}."


def find_source(order: Order, folder: Path) -> tuple[Any, Any]:
    """The (scene, strip) that an order is for, whatever happened to it meanwhile.

    Raises:
        StylebridgeError: `NOT_FOUND`: it was deleted, or another file was opened.
    """
    found = strips.find(order.uid)
    if found is None:  # an undo took back that it was ever used; a strip of its name is the same one
        alike = [(scene, strip) for scene, strip in strips.everywhere() if strip.name == order.title]
        found = alike[0] if len(alike) == 1 and not alike[0][1].stylebridge.uid else None
    if found is None:
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"{order.title} is no longer in this file; its styled frames are in {folder}.",
        )
    return found


def image_strip(
    scene: Any, source: Any, name: str, folder: Path, files: Sequence[str], first: int
) -> Generator[None, None, Any]:
    """A strip of pictures above another, in the same editor or meta."""
    holder = strips.owner(scene, source)
    channel = strips.free_channel(holder, source.channel, first, first + len(files))
    if channel > LAST_CHANNEL:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"There is no free channel above {source.name}: move some strips. The styled frames are in {folder}.",
        )
    with compat.quiet(scene.sequence_editor):
        strip = compat.new_image(holder, name, str(folder / files[0]), channel, first)
        strip.directory = relative(folder)
        for start in range(1, len(files), FILES_A_STEP):
            for file in files[start : start + FILES_A_STEP]:
                strip.elements.append(file)
            yield
        strip.frame_final_duration = len(files)
    return strip


def relative(folder: Path) -> str:
    """A folder as the file names it: relative where the user wants that and the file lies somewhere."""
    text = str(folder) + os.sep
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        try:
            return str(bpy.path.relpath(text)).rstrip("/\\") + "/"
        except ValueError:  # another drive
            return text
    return text


def dress(source: Any, strip: Any, order: Order) -> None:
    """Makes a strip of raw pictures look like its source does: place, crop, colour space, blending."""
    strip.colorspace_settings.name = order.plate.colour_space
    strip.alpha_mode = order.plate.alpha_mode
    strip.blend_type, strip.blend_alpha = source.blend_type, source.blend_alpha
    if order.plate.placed:
        return
    copy(source, strip, _COPIED)
    for part, names in (("transform", _TRANSFORM), ("crop", _CROP)):
        copy(getattr(source, part), getattr(strip, part), names)


def copy(source: Any, target: Any, names: Sequence[str]) -> None:
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


def undo_point(message: str) -> None:
    """Lets the user undo what was done from a timer."""
    if bpy.app.background:
        return
    with compat.some_window():
        if bpy.ops.ed.undo_push.poll():
            bpy.ops.ed.undo_push(message=message)
