"""Mattes of an analysis written to a folder: pictures, EXR files with a channel each, or COCO's run lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion
from stylebridge_server import media
from stylebridge_server.media.coco import CocoWriter
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.values import Instance

FORMATS = ("png", "exr", "coco")

# Gives the (H, W) uint8 mattes of all instances on a frame, by id.
Read = Callable[[int], dict[int, NDArray[np.uint8]]]


def check(name: str) -> None:
    """Refuses a format that there is not; StylebridgeError BAD_VALUE."""
    if name not in FORMATS:
        raise StylebridgeError(
            Code.BAD_VALUE, f"Mattes cannot be exported as '{name}': {suggestion(name, FORMATS)}"
        )


def export(
    form: str, folder: Path, stem: str, instances: Sequence[Instance], frames: Sequence[int], read: Read
) -> str:
    """Write the mattes of all frames.

    png: `<name>.<frame>.png` for each instance, 8-bit grey. exr: `<stem>.mattes.<frame>.exr` with a half-float channel
    named after each instance. coco: `<stem>.coco.json`, hard masks.

    Returns:
        What was written, for people.

    Raises:
        StylebridgeError: NOT_WRITABLE.
    """
    if form == "coco":
        return _coco(folder / f"{stem}.coco.json", stem, instances, frames, read)
    for number in frames:
        mattes = read(number)
        if form == "exr":
            channels = {
                f"{file_name(one)}.A": (mattes[one.id] / np.float32(255)).astype(np.float16)
                for one in instances
            }
            write_exr(folder / f"{stem}.mattes.{number:04d}.exr", [NewPart(channels)])
        else:
            for one in instances:
                media.save_image(folder / f"{file_name(one)}.{number:04d}.png", mattes[one.id][..., None])
    if form == "exr":
        return f"{folder}: {len(frames)} EXR files, a channel for each instance."
    return f"{folder}: {len(frames) * len(instances)} mattes."


def file_name(instance: Instance) -> str:
    """What files and channels call an instance: "person-2"."""
    return instance.name.replace(":", "-").replace("/", "-")


def _coco(path: Path, stem: str, instances: Sequence[Instance], frames: Sequence[int], read: Read) -> str:
    writer: CocoWriter | None = None
    for number in frames:
        mattes = read(number)
        for one in instances:
            if writer is None:
                writer = CocoWriter(instances, mattes[one.id].shape[:2], stem)
            writer.add(one.id, number, mattes[one.id])
    assert writer is not None
    writer.write(path)
    return f"{path}: the masks of {len(instances)} instances on {len(frames)} frames."
