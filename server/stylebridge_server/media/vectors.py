"""Motion vectors from OpenEXR files, as renderers write them.

Two layouts are known by the names of their channels:

- Blender's Vector pass, `LAYER.Vector.X`, `.Y`, `.Z`, `.W`, in pixels with y up. X and Y lead from the frame to where
  its picture was in the frame before; Z and W lead *from* where it will be in the next one *to* where it is. (Cycles
  and EEVEE alike; checked with a moving square.)
- Nuke's layers `forward.u`, `forward.v` and `backward.u`, `backward.v` (VectorGenerator and others), in pixels with y
  up: from the frame to where its picture is in the next one, and in the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.exr_file import SIGNATURE, UINT, Box, Channel, ExrFile, read_headers
from stylebridge_server.media.exr_pixels import read_channels
from stylebridge_server.media.files import readable_file
from stylebridge_server.values import Motion

_LISTED = 12
#: Channels of a layout, and the signs that turn them into following x, y and previous x, y with y down.
_LAYOUTS: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...] = (
    (("Vector.Z", "Vector.W", "Vector.X", "Vector.Y"), (-1, 1, 1, -1)),
    (("forward.u", "forward.v", "backward.u", "backward.v"), (1, -1, 1, -1)),
)


@dataclass(frozen=True)
class _Layer:
    part: int
    channels: tuple[Channel, ...]
    signs: tuple[int, ...]


def read_vectors(
    path: Path, size: tuple[int, int], display: Box | None, says: Callable[[Path], str] = str
) -> Motion:
    """The motion vectors of one file.

    Args:
        path: OpenEXR.
        size: (H, W) of the shot's picture.
        display: the shot's display window in its pixels; None where that is all of them.
        says: what sentences call a file.

    Returns:
        At the shot's size, not finite where the file holds nothing.

    Raises:
        StylebridgeError: not_found, not_readable; bad_value for a file without vectors, or of another size.
    """
    readable_file(path)
    with path.open("rb") as file:
        if file.read(4) != SIGNATURE:
            raise StylebridgeError(
                Code.BAD_VALUE, f"{says(path)} is no OpenEXR file: motion vectors are read from those alone."
            )
    found = read_headers(path, says(path))
    layer = _layer(found, says(path))
    part = found.parts[layer.part]
    x0, y0, x1, y1 = display or (0, 0, size[1], size[0])
    left, top, right, bottom = part.display
    if (right - left, bottom - top) != (x1 - x0, y1 - y0):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"The motion vectors {says(path)} are {right - left}x{bottom - top}, and the picture is "
            f"{x1 - x0}x{y1 - y0}: give vectors of its size.",
        )
    pixels = read_channels(path, layer.part, part, layer.channels).astype(np.float32)
    pixels *= np.array(layer.signs, np.float32)
    whole = _placed(pixels, part.data[0] - left + x0, part.data[1] - top + y0, size)
    return Motion(np.ascontiguousarray(whole[..., :2]), np.ascontiguousarray(whole[..., 2:]))


def _layer(file: ExrFile, name: str) -> _Layer:
    """The first layer of a file that holds all the channels of a layout."""
    known: dict[str, None] = {}
    best: tuple[str, ...] = _LAYOUTS[0][0]
    for number, part in enumerate(file.parts):
        named: dict[str, Channel] = {}
        for channel in part.channels:
            # Files of a part for each layer name channels by their last word alone.
            full = channel.name if "." in channel.name else f"{part.name}.{channel.name}".lstrip(".")
            known[full] = None
            if channel.type != UINT:
                named[full] = channel
        for channels, signs in _LAYOUTS:
            for before in dict.fromkeys(
                full.removesuffix(channels[0]) for full in named if _ends(full, channels[0])
            ):
                if all(before + one in named for one in channels):
                    return _Layer(number, tuple(named[before + one] for one in channels), signs)
                best = tuple(before + one for one in channels)
    lacks = [one for one in best if one not in known]
    has = ", ".join(list(known)[:_LISTED]) + (" and more" if len(known) > _LISTED else "")
    raise StylebridgeError(
        Code.BAD_VALUE,
        f"{name} lacks the motion vectors {', '.join(lacks)}: it needs Blender's pass (Vector.X, Y, Z and W) or Nuke's "
        f"layers (forward.u, forward.v, backward.u and backward.v), and has {has}.",
    )


def _ends(name: str, channel: str) -> bool:
    return name == channel or name.endswith(f".{channel}")


def _placed(pixels: NDArray[np.float32], left: int, top: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Pixels of a data window in the picture."""
    height, width = size
    if (left, top) == (0, 0) and pixels.shape[:2] == size:
        return pixels
    whole = np.full((height, width, pixels.shape[2]), np.nan, np.float32)
    right, bottom = min(width, left + pixels.shape[1]), min(height, top + pixels.shape[0])
    if right > max(left, 0) and bottom > max(top, 0):
        part = pixels[max(top, 0) - top : bottom - top, max(left, 0) - left : right - left]
        whole[max(top, 0) : bottom, max(left, 0) : right] = part
    return whole
