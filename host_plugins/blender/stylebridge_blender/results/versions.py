"""What earlier renders left: frames that would come out the same are taken over instead of being rendered again.

Each version's folder has a list of its frames, `stylebridge.json`, with the stamp of the request that made each (see
`stylebridge.stamp`). A cancelled render leaves one too, so that the next one goes on where it stopped. Files are taken
over by hard links where the disk has them, else copied; the earlier folder stays as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._bridge.stylebridge.errors import Code, StylebridgeError
from .files import Written, versions

LIST = "stylebridge.json"
_SCHEMA = "frames.1"
#: Versions that are looked at, the newest first.
LOOKED_AT = 8

#: A source frame and the stamp of its request.
Key = tuple[int, str]


@dataclass
class Frames:
    """The frames of one version.

    Attributes:
        folder: where they are.
        files: for each frame the names of its files by layer (`files.FLAT` for the flattened picture).
    """

    folder: Path
    files: dict[Key, dict[int, str]] = field(default_factory=dict)


def earlier(written: Written) -> list[Frames]:
    """The frames of earlier versions of the same strip, the newest version first. Lists that cannot be read are passed
    over.
    """
    found = []
    for folder in versions(written.folder.parent, written.stem)[:LOOKED_AT]:
        if folder != written.folder:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(_read(folder))
    return found


def take(frames: list[Frames], key: Key, written: Written) -> dict[int, str] | None:
    """Takes a frame over into a new version; the names of its files by layer, None where no version has it whole."""
    for version in frames:
        names = version.files.get(key)
        if names and all((version.folder / name).is_file() for name in names.values()):
            for name in names.values():
                _link(version.folder / name, written.folder / name)
            return names
    return None


def save(written: Written, files: dict[Key, dict[int, str]]) -> None:
    """Writes the list of a version's frames, whole or not at all.

    Raises:
        StylebridgeError: `NOT_WRITABLE`.
    """
    listed: list[Any] = [
        [number, stamp, {str(layer): name for layer, name in names.items()}]
        for (number, stamp), names in sorted(files.items())
    ]
    target = written.folder / LIST
    part = target.with_suffix(".part")
    try:
        part.write_text(json.dumps({"schema": _SCHEMA, "frames": listed}), "utf-8")
        part.replace(target)
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE, f"{target} cannot be written ({error.strerror}): free space there."
        ) from None


def _read(folder: Path) -> Frames:
    content = json.loads((folder / LIST).read_text("utf-8"))
    if content["schema"] != _SCHEMA:
        raise ValueError(content["schema"])
    frames = Frames(folder)
    for number, stamp, names in content["frames"]:
        plain = {int(layer): str(name) for layer, name in names.items()}
        if any(Path(name).name != name for name in plain.values()):
            raise ValueError("a name that leads elsewhere")
        frames.files[int(number), str(stamp)] = plain
    return frames


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return  # another frame of this version is the same file
    try:
        os.link(source, target)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise StylebridgeError(
                Code.NOT_WRITABLE,
                f"{target} cannot be written ({error.strerror}): free space there, or choose another folder.",
            ) from None
