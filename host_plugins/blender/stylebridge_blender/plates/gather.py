"""Pictures of any names made one numbered sequence, which the server reads like any other. No bpy here."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from .._bridge.stylebridge.errors import Code, StylebridgeError
from .._bridge.stylebridge.pattern import Pattern


def sequence(folder: str | Path, ending: str) -> Pattern:
    """The pattern of a sequence that plates make: `folder/plate.####.ending`."""
    return Pattern(Path(folder), "plate.", f".{ending}", 4)


def gather(files: Mapping[int, str], target: Pattern, step: Callable[[], None]) -> None:
    """Has files lie, by their numbers, in a folder of their own, without copying them where that can be avoided.

    What else was in that folder goes.

    Raises:
        StylebridgeError: `NOT_WRITABLE`.
    """
    target.folder.mkdir(parents=True, exist_ok=True)
    wanted = {target.path(number).name for number in files}
    try:
        for entry in list(target.folder.iterdir()):
            if entry.name not in wanted:
                entry.unlink()
        for number, path in files.items():
            step()
            link(path, target.path(number))
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"Pictures cannot be put into {target.folder} ({error.strerror}): make room there, or set another folder "
            "for temporary files in Blender's preferences.",
        ) from None


def link(path: str, place: Path) -> None:
    """Has a file lie in another place too: as a symbolic or hard link, or where neither can be made, as a copy."""
    if place.exists() and place.samefile(path):
        return
    with contextlib.suppress(FileNotFoundError):
        place.unlink()
    for make in (os.symlink, os.link, shutil.copyfile):
        with contextlib.suppress(OSError, NotImplementedError):
            make(path, place)
            return
    shutil.copyfile(path, place)
