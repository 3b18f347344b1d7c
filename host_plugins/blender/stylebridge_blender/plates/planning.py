"""From a strip to its plate, in the main thread."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import bpy

from .._bridge.stylebridge.errors import Code, StylebridgeError
from .._bridge.stylebridge.pattern import Pattern
from . import changes, child, frames, media, settings
from .gather import sequence
from .plate import Plate
from .work import Work


def plan(scene: Any, strip: Any, prepare: bool = True) -> Plate:
    """The plate of a strip.

    Args:
        prepare: saves a copy of the file for the child Blender, where something has to be rendered. Without, the plate
            says what it is but cannot be opened.

    Raises:
        StylebridgeError: `NOT_FOUND` where media are missing, `BAD_VALUE` where there is nothing to show,
            `NOT_WRITABLE` where the copy cannot be saved.
    """
    if not frames.visible(strip):
        raise StylebridgeError(Code.BAD_VALUE, f'The strip "{strip.name}" has no frames.')
    media.check(scene, strip)
    why = changes.why(scene, strip)
    if why:
        return _rendered(scene, strip, why, prepare)
    if strip.type == "MOVIE":
        path = media.path_of(strip)
        return _direct(scene, strip, path, path, media.mark(path))
    return _pictures(scene, strip)


def only(strip: Any, plate: Plate, frame: int) -> Plate:
    """A rendered plate that holds one frame alone, for a quick look before the whole of it is rendered.

    Raises:
        StylebridgeError: `NOT_WRITABLE`.
    """
    assert plate.work is not None
    number = dict(plate.frames)[frame]
    work = dataclasses.replace(plate.work, first=number, last=number, blend="")
    if not work.reuse:
        work.key += f"-{uuid.uuid4().hex[:8]}"  # each look at a scene is another picture
    if work.lacking():
        work.take_copy(_save_copy(strip))
    return dataclasses.replace(plate, frames=[(frame, number)], path=str(work.wanted), work=work)


def folder() -> Path:
    """Where plates are made: in Blender's own folder for temporary files, which goes when Blender quits."""
    return Path(bpy.app.tempdir or tempfile.gettempdir()) / "stylebridge-plates"


def _direct(
    scene: Any, strip: Any, path: str, content: Any, mark: Any, files: dict[int, str] | None = None
) -> Plate:
    """A plate of media that are read as they are."""
    space, number = strip.colorspace_settings.name, frames.numbering(scene, strip)
    return Plate(
        label=media.label_of(strip),
        key=_hash([content, mark, space]),
        frames=[(frame, number(frame)) for frame in frames.visible(strip)],
        start=frames.start(strip),
        rate=frames.rate(scene),
        placed=False,
        size=size_of(strip),
        why="",
        path=path,
        files=files,
        colour=""
        if changes.COLOURS[space] == "srgb" and not changes.is_exr(strip)
        else changes.COLOURS[space],
        colour_space=space,
        alpha_mode=strip.alpha_mode,
    )


def _pictures(scene: Any, strip: Any) -> Plate:
    """A plate of an image strip: one picture, a sequence as it lies there, or pictures of any names put together."""
    where, names = media.folder_of(strip), media.names_of(strip)
    marks = media.marks(where, names)
    if len(set(names)) == 1:
        path = str(Path(where) / names[0])
        return _direct(scene, strip, path, path, marks)
    pattern = media.numbered(strip)
    if pattern is not None and _whole(pattern):
        return _direct(scene, strip, str(pattern), str(pattern), marks)
    key = _hash([where, names, marks])
    first = frames.first_number(strip) + int(strip.animation_offset_start)
    files = {first + place: str(Path(where) / name) for place, name in enumerate(names)}
    target = sequence(folder() / key / "gathered", names[0].rpartition(".")[2])
    return _direct(scene, strip, str(target), [where, names], marks, files)


def _whole(pattern: Pattern) -> bool:
    """Whether none of the numbers is missing in the folder: the server reads sequences without gaps."""
    there = pattern.numbers()
    return there == list(range(there[0], there[-1] + 1)) if there else False


def _rendered(scene: Any, strip: Any, why: str, prepare: bool) -> Plate:
    is_float = any(changes.may_be_float(one) for one in media.all_below(scene, strip))
    pixel_format = "exr" if is_float else "png"
    visible, start = frames.visible(strip), frames.start(strip)
    work = Work(
        command=_command(scene, strip),
        blend="",
        scene=scene.name,
        strip=strip.name,
        origin=start,
        first=visible[0] - start,
        last=visible[-1] - start,
        folder=str(folder()),
        key=settings.key(scene, strip, pixel_format),
        pixel_format=pixel_format,
        scripts=not bpy.app.autoexec_fail,
        reuse=not settings.shows_scenes(scene, strip),
    )
    plate = Plate(
        label=media.label_of(strip),
        key=work.key,
        frames=[(frame, frame - start) for frame in visible],
        start=start,
        rate=frames.rate(scene),
        placed=True,
        size=(scene.render.resolution_x, scene.render.resolution_y),
        why=why,
        path=str(work.wanted),
        work=work,
    )
    if is_float:
        plate.colour, plate.alpha = "linear", "premultiplied"
        plate.colour_space, plate.alpha_mode = linear_space(), "PREMUL"
    if prepare and work.lacking():
        work.take_copy(_save_copy(strip))
    return plate


def linear_space() -> str:
    """Blender's name for linear Rec.709."""
    names = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items.keys()
    return "Linear Rec.709" if "Linear Rec.709" in names else "Linear"


def size_of(strip: Any) -> tuple[int, int]:
    """Width and height of the media of a movie or image strip; (0, 0) where Blender has not read it yet."""
    if not len(strip.elements):
        return 0, 0
    first = strip.elements[0]
    return (first.orig_width, first.orig_height) if first.orig_width > 0 else (0, 0)


def _command(scene: Any, strip: Any) -> list[str]:
    """What runs the child's script: this Blender once more, or where it is a module, the Python that it is in."""
    script = str(Path(child.__file__).resolve())
    if not bpy.app.binary_path:
        return [sys.executable, script]
    plain = (
        [] if settings.shows_scenes(scene, strip) else ["--factory-startup"]
    )  # scenes may want the user's GPU
    return [bpy.app.binary_path, "-b", *plain, "--python", script, "--"]


def _save_copy(strip: Any) -> str:
    """Saves the file as it is now somewhere else; the user's own is left alone, on disk and in memory."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        path = str(folder() / f"{uuid.uuid4().hex}.blend")
        bpy.ops.wm.save_as_mainfile(
            filepath=path, copy=True, check_existing=False, compress=False, relative_remap=True
        )
    except (OSError, RuntimeError) as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f'The strip "{strip.name}" is rendered by a second Blender, but a copy of this file for it could not be '
            f"saved ({str(error).strip()}): make room in {folder()}.",
        ) from None
    return path


def _hash(content: Any) -> str:
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
