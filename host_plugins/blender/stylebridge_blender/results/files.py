"""Where styled frames are written: a folder of its own for each render, nothing is ever overwritten.

    FOLDER/shot_010_v001/shot_010.000000.png ...

Files are numbered by where the frame lies in the strip's content, so that trimming or moving the strip renames none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from .._bridge.stylebridge.errors import Code, StylebridgeError
from .._bridge.stylebridge.pixels import Picture
from . import exr, png

#: Digits of a file's number, which may be negative where a strip was extended beyond its content.
DIGITS = 6


#: In place of a layer's id: the flattened picture.
FLAT = -1


@dataclass
class Written:
    """The files of one render.

    Attributes:
        folder: of this version.
        stem: what the names begin with.
        files: for each layer (`FLAT` alone, or instances' ids, 0 for the background) and timeline frame the name of
            the file in the folder.
        taken_over: how many frames an earlier version had.
    """

    folder: Path
    stem: str
    files: dict[int, dict[int, str]] = field(default_factory=dict)
    taken_over: int = 0


def folder_of(scene: Any, unsaved: str) -> str:
    """The folder of a scene's results, absolute. In the main thread.

    Args:
        unsaved: the folder for files that were never saved, for which "//" leads nowhere.
    """
    named = scene.stylebridge.folder.strip() or "//stylebridge/"
    if named.startswith("//") and not bpy.data.filepath:
        return str(Path(unsaved).expanduser())
    return str(Path(bpy.path.abspath(named)))


def new_version(folder: str, title: str) -> Written:
    """Makes the folder of a new render. From any thread.

    Raises:
        StylebridgeError: `NOT_WRITABLE`.
    """
    stem = re.sub(r"[^\w.-]+", "_", title).strip("._") or "strip"
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        there = versions(root, stem)
        number = 1 + (_number(there[0], stem) or 0 if there else 0)
        while True:
            place = root / f"{stem}_v{number:03d}"
            try:
                place.mkdir()
                return Written(place, stem)
            except FileExistsError:  # another Blender renders the same
                number += 1
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"The styled frames cannot be written to {root} ({error.strerror}): choose another folder in the panel.",
        ) from None


def versions(root: Path, stem: str) -> list[Path]:
    """The folders of a strip's renders, the newest first."""
    found = [(number, path) for path in root.iterdir() if (number := _number(path, stem)) is not None]
    return [path for _, path in sorted(found, reverse=True)]


def _number(path: Path, stem: str) -> int | None:
    found = re.fullmatch(rf"{re.escape(stem)}_v(\d{{1,9}})", path.name)
    return int(found[1]) if found else None


def write(written: Written, picture: Picture, number: int, layer: int = FLAT) -> str:
    """Writes a picture; the name of its file in the folder. From any thread.

    Args:
        number: of the file: where the frame lies in the content.
        layer: the instance's id, or `FLAT`.

    Raises:
        StylebridgeError: `NOT_WRITABLE`.
    """
    whole = picture.layout.dtype in ("uint8", "uint16")
    sign = "-" if number < 0 else ""
    part = "" if layer == FLAT else f"_layer{layer:02d}"
    name = f"{written.stem}{part}.{sign}{abs(number):0{DIGITS}}.{'png' if whole else 'exr'}"
    target = written.folder / name
    unfinished = target.with_name(f"{name}.part")
    try:
        unfinished.write_bytes((png if whole else exr).encode(picture))
        unfinished.replace(target)
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"{target} cannot be written ({error.strerror}): free space there, or choose another folder.",
        ) from None
    return name
