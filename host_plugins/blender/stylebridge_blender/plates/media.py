"""The files of strips."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from .._bridge.stylebridge.errors import Code, StylebridgeError
from .._bridge.stylebridge.pattern import Pattern
from .child import OF_WHAT_LIES_BELOW, inputs_of

#: A file's number: the last digits before its ending.
_NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


def path_of(strip: Any) -> str:
    """The file of a movie strip, as the system knows it."""
    return _absolute(strip.filepath)


def folder_of(strip: Any) -> str:
    """The folder of an image strip's files."""
    return _absolute(strip.directory)


def names_of(strip: Any) -> list[str]:
    """The files that an image strip shows one after another, without those that were cut off hard."""
    names = [element.filename for element in strip.elements]
    first = int(strip.animation_offset_start)
    return names[first : first + strip.frame_duration]


def numbered(strip: Any) -> Pattern | None:
    """The pattern of an image strip's files where their numbers follow one another; else None."""
    names = names_of(strip)
    stem, _, ending = names[0].rpartition(".") if names else ("", "", "")
    match = _NUMBERED.fullmatch(stem)
    if match is None or len(names) < 2:
        return None
    before, digits, after = match.groups()
    pattern = Pattern(Path(folder_of(strip)), before, f"{after}.{ending}", len(digits))
    first = pattern.number(names[0])
    if first is None or any(mark in before + after for mark in "#%"):
        return None
    follows = all(pattern.path(first + place).name == name for place, name in enumerate(names))
    return pattern if follows else None


def label_of(strip: Any) -> str:
    """What people call a strip's content: its file, or itself."""
    if strip.type == "MOVIE":
        return Path(path_of(strip)).name
    if strip.type == "IMAGE" and len(strip.elements):
        return str(strip.elements[0].filename)
    return str(strip.name)


def mark(path: str) -> tuple[int, int]:
    """Size and time of change of a file; (-1, -1) where it is not there."""
    try:
        status = Path(path).stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def marks(folder: str, names: Iterable[str]) -> list[tuple[str, int, int]]:
    """Names, sizes and times of change of many files of a folder, which is read once; of those that are there."""
    wanted = set(names)
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.stat()) for entry in entries if entry.name in wanted]
    except OSError:
        return []
    return sorted((name, status.st_size, status.st_mtime_ns) for name, status in found)


def all_below(scene: Any, strip: Any) -> Iterator[Any]:
    """A strip and all those that its picture is made of: inputs of effects, the strips of a meta, what lies below an
    adjustment."""
    seen: set[str] = set()
    todo = [strip]
    while todo:
        one = todo.pop()
        if one.name in seen:
            continue
        seen.add(one.name)
        yield one
        todo += inputs_of(one)
        if one.type == "META":
            todo += [inner for inner in compat.strips(one) if not inner.mute]
        if one.type in OF_WHAT_LIES_BELOW:
            owner = one.parent_meta() or scene.sequence_editor
            todo += [
                other for other in compat.strips(owner) if other.channel < one.channel and not other.mute
            ]


def check(scene: Any, strip: Any) -> None:
    """Looks whether all files are there: Blender shows black or red pictures in place of what is missing.

    Raises:
        StylebridgeError: `NOT_FOUND`, naming strip and file.
    """
    for one in all_below(scene, strip):
        if one.type == "MOVIE":
            _check_file(one, path_of(one))
        elif one.type == "MOVIECLIP" and one.id_data is not None:
            clip = getattr(one, "clip", None)
            if clip is not None:
                _check_file(one, _absolute(clip.filepath))
        elif one.type == "IMAGE":
            _check_files(one)
        elif one.type == "SCENE" and one.scene is None:
            raise StylebridgeError(
                Code.NOT_FOUND, f'The strip "{one.name}" shows a scene that is no more: choose another.'
            )


def _check_file(strip: Any, path: str) -> None:
    if not Path(path).is_file():
        raise StylebridgeError(
            Code.NOT_FOUND,
            f'The file of the strip "{strip.name}" is not there: {path}. Put it back, or point the strip to it.',
        )


def _check_files(strip: Any) -> None:
    folder, names = folder_of(strip), names_of(strip)
    there = {name for name, _, _ in marks(folder, names)}
    missing = [name for name in names if name not in there]
    if missing or not names:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        first = Path(folder) / missing[0] if missing else folder
        raise StylebridgeError(
            Code.NOT_FOUND,
            f'Files of the strip "{strip.name}" are not there: {first}{more}. '
            "Put them back, or point the strip to them.",
        )


def _absolute(path: str) -> str:
    return os.path.normpath(bpy.path.abspath(path))
