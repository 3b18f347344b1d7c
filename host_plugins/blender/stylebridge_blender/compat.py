"""Everything that differs between the versions of Blender from 3.4 to 5.0. No other module asks for a version.

What is there is asked for (`hasattr`), not the version's number, so that versions to come have a chance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import blf
import bpy

#: The class of all strips: `Strip` from 4.5 on, `Sequence` before.
STRIP = getattr(bpy.types, "Strip", None) or bpy.types.Sequence

#: The shader that draws a texture: renamed in 4.0.
IMAGE_SHADER = "IMAGE" if bpy.app.version >= (4, 0, 0) else "2D_IMAGE"
#: And the one that draws shapes of one colour.
COLOUR_SHADER = "UNIFORM_COLOR" if bpy.app.version >= (4, 0, 0) else "2D_UNIFORM_COLOR"


def register_class(cls: type) -> None:
    bpy.utils.register_class(cls)


def unregister_class(cls: type) -> None:
    with contextlib.suppress(RuntimeError):  # it was never registered: registering failed half way
        bpy.utils.unregister_class(cls)


def strips(owner: Any) -> Any:
    """The strips of a sequence editor or of a meta strip. An empty collection is false: never use `or` here."""
    return owner.strips if hasattr(owner, "strips") else owner.sequences


def strips_all(editor: Any) -> Any:
    """The strips of a sequence editor and of all its metas."""
    return editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all


def scene_of(context: Any) -> Any:
    """The scene that the sequencer shows: in 5.0 a workspace may have one of its own for it."""
    return getattr(context, "sequencer_scene", None) or context.scene


def new_image(owner: Any, name: str, path: str, channel: int, start: int) -> Any:
    """A strip of one picture, with its pixels as large as they are."""
    return strips(owner).new_image(name, path, channel, start, fit_method="ORIGINAL")


def fcurves(data: Any) -> list[Any]:
    """The F-curves of a scene's (or another ID's) own action."""
    animation = data.animation_data
    action = animation.action if animation else None
    if action is None:
        return []
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    slot = animation.action_slot
    return [
        curve
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        if slot is not None and bag.slot_handle == slot.handle
        for curve in bag.fcurves
    ]


def invalidate(scene: Any) -> None:
    """Lets the sequencer draw anew what it had kept."""
    for strip in strips_all(scene.sequence_editor):
        with contextlib.suppress(AttributeError, RuntimeError):
            strip.invalidate_cache("COMPOSITE")


def text_size(pixels: int) -> None:
    """Sets the size of text that is drawn in a region: 3.x wants a resolution with it."""
    if bpy.app.version >= (4, 0, 0):
        blf.size(0, pixels)
    else:
        blf.size(0, pixels, 72)


def draw_progress(layout: Any, part: float, text: str) -> None:
    """A progress bar, or a line of text where there is none (3.4)."""
    if hasattr(layout, "progress"):
        layout.progress(factor=part, text=text)
    else:
        layout.label(text=f"{text}  ({part:.0%})")


def online() -> bool:
    """Whether the user lets add-ons reach beyond this machine; they always did before 4.2."""
    return bool(getattr(bpy.app, "online_access", True))


@contextlib.contextmanager
def some_window() -> Iterator[None]:
    """A context with a window, which timers lack, for operators that want one (undo)."""
    windows = bpy.context.window_manager.windows if bpy.context.window_manager else []
    if bpy.context.window or not len(windows):
        yield
        return
    with bpy.context.temp_override(window=windows[0]):
        yield


def is_busy() -> bool:
    """Whether Blender renders now, so that the file must be left alone."""
    return bool(bpy.app.is_job_running("RENDER"))


@contextlib.contextmanager
def quiet(editor: Any) -> Iterator[None]:
    """Without prefetching, whose thread reads the strips that are being changed."""
    prefetches = getattr(editor, "use_prefetch", None)
    if prefetches:
        editor.use_prefetch = False
    try:
        yield
    finally:
        if prefetches:
            editor.use_prefetch = True
