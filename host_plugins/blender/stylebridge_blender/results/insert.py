"""The strips that come back: one with the styled frames, or one for each layer, above the source.

A strip that an earlier render of the same source left is given the new files; what the user did to it stays. Nothing is
deleted: what does not fit any more is muted.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import bpy

from .. import compat, strips
from .._bridge.stylebridge.errors import Code, StylebridgeError
from ..request import LAYERS, Order
from . import layers, looks_alike
from .files import FLAT, Written

#: Files that are added to a strip before Blender may go on.
FILES_A_STEP = 250
#: The highest channel that the sequencer has.
LAST_CHANNEL = 128


def insert(order: Order, written: Written) -> Generator[None, None, str]:
    """Puts the strips in, in the main thread; a sentence that says what came back."""
    scene, source = find_source(order, written.folder)
    source.stylebridge.transparent = order.plate.key if order.plate.transparent else ""
    first = (
        order.frames[0] + round(source.frame_start) - order.plate.start
    )  # it may have been moved meanwhile
    there = {made.stylebridge.made_layer: made for at, made in strips.made_of(order.uid) if at == scene}
    below = source
    for layer in sorted(written.files):
        names = [written.files[layer][frame] for frame in order.frames]
        strip = there.pop(layer, None)
        if strip is None:
            strip = _new(scene, source, below, _name(source, layer), written.folder, names, first)
            yield
        yield from fill(strip, written.folder, names, first)
        with compat.quiet(scene.sequence_editor):
            _dress(scene, source, strip, layer, order)
        below = strip
        yield
    for strip in there.values():
        strip.mute = True
    hidden = order.output != LAYERS and looks_alike.hide(source, order)
    compat.invalidate(scene)
    yield
    undo_point("Stylebridge render")
    yield
    return _sentence(source, order, written, hidden)


def _sentence(source: Any, order: Order, written: Written, hidden: bool) -> str:
    words = f"{len(order.frames)} frames of {source.name} are in {written.folder}"
    if written.taken_over:
        words += f", {written.taken_over} of them as they were"
    if source.stylebridge.output == LAYERS and order.output != LAYERS:
        words += ". They are one strip: layers need a source that cannot be seen through"
    return f"{words}. {source.name} is muted, or it would show through." if hidden else f"{words}."


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
            Code.NOT_FOUND, f"{order.title} is no longer in this file; its styled frames are in {folder}."
        )
    return found


def _name(source: Any, layer: int) -> str:
    if layer == FLAT:
        return f"{source.name} styled"
    labels = {one.id: one.label for one in source.stylebridge.layers}
    return f"{source.name} {labels.get(layer, layer)}"


def _new(
    scene: Any, source: Any, below: Any, name: str, folder: Path, files: Sequence[str], first: int
) -> Any:
    """A strip of one picture above another, in the same editor or meta."""
    holder = strips.owner(scene, source)
    channel = strips.free_channel(holder, below.channel, first, first + len(files))
    if channel > LAST_CHANNEL:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"There is no free channel above {source.name}: move some strips. The styled frames are in {folder}.",
        )
    with compat.quiet(scene.sequence_editor):
        return compat.new_image(holder, name, str(folder / files[0]), channel, first)


def fill(strip: Any, folder: Path, files: Sequence[str], first: int) -> Generator[None, None, None]:
    """Gives a strip its pictures, from a timeline frame on."""
    strip.directory = relative(folder)
    elements = strip.elements
    for index, file in enumerate(files):
        if index < len(elements):
            elements[index].filename = file
        else:
            elements.append(file)
        if (index + 1) % FILES_A_STEP == 0:
            yield
    while len(elements) > len(files):
        elements.pop(len(elements) - 1)
    strip.frame_offset_start = strip.frame_offset_end = 0
    strip.frame_start = first
    strip.frame_final_duration = len(files)


def relative(folder: Path) -> str:
    """A folder as the file names it: relative where the user wants that and the file lies somewhere."""
    text = str(folder) + "/"
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        try:
            return str(bpy.path.relpath(text)).rstrip("/\\") + "/"
        except ValueError:  # another drive
            return text
    return text


def _dress(scene: Any, source: Any, strip: Any, layer: int, order: Order) -> None:
    strip.mute = False
    settings = strip.stylebridge
    fresh = not settings.made_of
    settings.made_of, settings.made_layer, settings.stamp = order.uid, layer, order.stamp
    looks_alike.dress(source, strip, order, fresh)
    if layer != FLAT:
        layers.drive(scene, source, strip, layer)


def undo_point(message: str) -> None:
    """Lets the user undo what was done from a timer."""
    if bpy.app.background:
        return
    with compat.some_window():
        if bpy.ops.ed.undo_push.poll():
            bpy.ops.ed.undo_push(message=message)
