"""Strips: which one is meant, and by what it is known again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import bpy

from . import compat, parameters

#: Types of strips that have a picture.
PICTURES = frozenset(
    (
        "MOVIE",
        "IMAGE",
        "SCENE",
        "META",
        "COLOR",
        "TEXT",
        "MOVIECLIP",
        "MASK",
        "SPEED",
        "TRANSFORM",
        "ADJUSTMENT",
        "ALPHA_OVER",
        "ALPHA_UNDER",
        "CROSS",
        "GAMMA_CROSS",
        "ADD",
        "SUBTRACT",
        "MULTIPLY",
        "OVER_DROP",
        "WIPE",
        "GLOW",
        "GAUSSIAN_BLUR",
        "MULTICAM",
        "COLORMIX",
    )
)


def active(context: Any) -> Any:
    """The sequencer's active strip, where it has a picture; else None."""
    scene = compat.scene_of(context)
    editor = scene.sequence_editor if scene else None
    strip = editor.active_strip if editor else None
    return strip if strip is not None and strip.type in PICTURES else None


def source(context: Any) -> Any:
    """The strip whose style the panel shows: the active one, or the one that it was made of."""
    strip = active(context)
    if strip is None or not strip.stylebridge.made_of:
        return strip
    found = find(strip.stylebridge.made_of)
    return found[1] if found else None


def everywhere() -> Iterator[tuple[Any, Any]]:
    """Every strip of every scene, those in metas included, with its scene."""
    for scene in bpy.data.scenes:
        if scene.sequence_editor:
            for strip in compat.strips_all(scene.sequence_editor):
                yield scene, strip


def find(uid: str) -> tuple[Any, Any] | None:
    """The (scene, strip) of a strip's uid; None where it is no more."""
    return next(
        ((scene, strip) for scene, strip in everywhere() if uid and strip.stylebridge.uid == uid), None
    )


def claim(strip: Any) -> str:
    """The strip's uid. One that it has from the strip it was copied or split from is replaced by its own."""
    settings = strip.stylebridge
    twins = [other for _, other in everywhere() if settings.uid and other.stylebridge.uid == settings.uid]
    if not settings.uid or len(twins) > 1:
        settings.uid = uuid.uuid4().hex
    return str(settings.uid)


def made_of(uid: str) -> list[tuple[Any, Any]]:
    """The (scene, strip)s that were made by rendering this strip."""
    return [(scene, strip) for scene, strip in everywhere() if uid and strip.stylebridge.made_of == uid]


def begin(strip: Any) -> Any:
    """Makes a strip one that is styled: its identity, its background layer, what is keyframed. Returns its settings."""
    settings = strip.stylebridge
    claim(strip)
    if not len(settings.layers):
        layer = settings.layers.add()
        layer.id, layer.label = parameters.BACKGROUND, "Whole picture"
    parameters.ensure(strip, None)
    for layer in settings.layers:
        parameters.ensure(strip, layer.id)
    settings.enabled = True
    return settings


def owner(scene: Any, strip: Any) -> Any:
    """What the strip lies in: the sequence editor, or a meta strip."""
    meta = strip.parent_meta()
    return meta if meta is not None else scene.sequence_editor


def free_channel(holder: Any, above: int, first: int, last: int) -> int:
    """The lowest channel above another in which nothing lies between two frames, the last excluded."""
    taken = {
        strip.channel
        for strip in compat.strips(holder)
        if strip.frame_final_start < last and strip.frame_final_end > first
    }
    channel = above + 1
    while channel in taken:
        channel += 1
    return channel
