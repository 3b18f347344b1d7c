"""Blender's masks as prompts: their splines brought to the source's coordinates, and the matte files made of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from . import plates, preferences, prompts
from ._bridge.stylebridge.errors import Code, StylebridgeError
from .plates import shapes
from .results import files, png

#: The folder of mattes, beside those of rendered frames.
FOLDER = "mattes"
#: Straight pieces that a curve between two points is cut into.
_PIECES = 12


def use(scene: Any, strip: Any, mask: Any, name: str) -> None:
    """Makes a mask, as it is at the scene's present frame, the prompt of a thing on the source frame shown there.

    Raises:
        StylebridgeError: `BAD_VALUE` where it covers nothing; `NOT_WRITABLE` where its matte cannot be written.
    """
    if not strip.frame_final_start <= scene.frame_current < strip.frame_final_end:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{strip.name} is not shown at this frame: move the playhead over it."
        )
    render = scene.render
    drawn = of_mask(mask, (render.resolution_x, render.resolution_y))
    if not any(layer["polygons"] for layer in drawn):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f'The mask "{mask.name}" has no filled spline: draw one around the thing.',
        )
    shape = shapes.moved(drawn, plates.from_picture(scene, strip, scene.frame_current))
    picture = shapes.matte(shape, plates.size(scene, strip))
    if not shapes.covers(picture):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f'The mask "{mask.name}" covers nothing of {strip.name} at this frame: move it over the thing.',
        )
    prompts.set_shape(scene, strip, name, json.dumps(shape, separators=(",", ":")), _write(scene, picture))


def write(scene: Any, shape: shapes.Shape, size: tuple[int, int]) -> str:
    """Writes the matte of a shape, where it is not there yet; its path."""
    return _write(scene, shapes.matte(shape, size))


def of_mask(mask: Any, size: tuple[int, int]) -> shapes.Shape:
    """A mask in the sequencer's picture. Feather is left out, and what is not filled.

    Args:
        size: width and height of the scene's picture: masks measure its longer side from 0 to 1.
    """
    wide, high = max(1.0, size[1] / size[0]), max(1.0, size[0] / size[1])
    made = []
    for layer in mask.layers:
        if layer.hide_render:
            continue
        polygons = [
            [[0.5 + (x - 0.5) * wide, 0.5 - (y - 0.5) * high] for x, y in _flat(spline)]
            for spline in layer.splines
            if spline.use_fill and len(spline.points) > 1
        ]
        made.append(
            {
                "alpha": layer.alpha,
                "invert": layer.invert,
                "blend": layer.blend,
                "holes": layer.use_fill_holes,
                "polygons": polygons,
            }
        )
    return made


def _flat(spline: Any) -> list[tuple[float, float]]:
    """A spline's polygon; an open one is closed by a straight side, as Blender fills it."""
    points = list(spline.points)
    flat = [] if spline.use_cyclic else [tuple(points[-1].co)]
    for one, other in zip(
        points, [*points[1:], points[0]] if spline.use_cyclic else points[1:], strict=False
    ):
        a, b, c, d = tuple(one.co), tuple(one.handle_right), tuple(other.handle_left), tuple(other.co)
        for piece in range(_PIECES):
            t = piece / _PIECES
            s = 1.0 - t
            weights = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
            drawn = [
                sum(weight * point[axis] for weight, point in zip(weights, (a, b, c, d), strict=True))
                for axis in (0, 1)
            ]
            flat.append((drawn[0], drawn[1]))
    return flat


def _write(scene: Any, picture: Any) -> str:
    """The file is called after what is in it: no matte is written over another."""
    data = png.encode(picture)
    folder = Path(files.folder_of(scene, preferences.unsaved_folder())) / FOLDER
    path = folder / f"{hashlib.blake2b(data, digest_size=8).hexdigest()}.png"
    if path.is_file():
        return str(path)
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"The matte {path} cannot be written ({error.strerror}): set another folder in the panel.",
        ) from None
    return str(path)
