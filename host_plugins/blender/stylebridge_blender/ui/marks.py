"""What was pointed at, drawn in the preview on the frame on which it was: points, boxes, outlines and names."""

from __future__ import annotations

import json
from typing import Any

import blf
import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from .. import compat, plates, prompts, strips
from ..engine import pump

_INSIDE, _BESIDE = (0.2, 1.0, 0.3, 1.0), (1.0, 0.25, 0.2, 1.0)
_SIZE = 5.0  # pixels from a point's middle to its edge
_TEXT = 12

_handles: list[Any] = []


def attach() -> None:
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceSequenceEditor.draw_handler_add(_draw, (), "PREVIEW", "POST_PIXEL"))


def detach() -> None:
    while _handles:
        bpy.types.SpaceSequenceEditor.draw_handler_remove(_handles.pop(), "PREVIEW")


def _draw() -> None:
    with pump.measured("marks"):
        context = bpy.context
        strip, scene = strips.source(context), compat.scene_of(context)
        if strip is None or not len(strip.stylebridge.prompts):
            return
        if not strip.frame_final_start <= scene.frame_current < strip.frame_final_end:
            return
        to_region = context.region.view2d.view_to_region
        to_view = plates.view_of(scene, strip, scene.frame_current)

        def place(x: float, y: float) -> tuple[float, float]:
            return tuple(to_region(*to_view((x, y)), clip=False))

        for prompt in prompts.here(scene, strip):
            _draw_prompt(prompt, place)


def _draw_prompt(prompt: Any, place: Any) -> None:
    if prompt.shape:
        _draw_shape(prompt, place)
    if prompt.has_box:
        x0, y0, x1, y1 = prompt.box
        corners = [place(x0, y0), place(x1, y0), place(x1, y1), place(x0, y1)]
        _shape("LINES", [corners[index // 2 % 4] for index in (0, 2, 2, 4, 4, 6, 6, 0)], _INSIDE)
        name(prompt.name, corners[0])
    for number, point in enumerate(prompt.points):
        x, y = place(point.x, point.y)
        square = [
            (x - _SIZE, y - _SIZE),
            (x + _SIZE, y - _SIZE),
            (x + _SIZE, y + _SIZE),
            (x - _SIZE, y + _SIZE),
        ]
        _shape("TRI_FAN", square, _INSIDE if point.inside else _BESIDE)
        if number == 0 and not prompt.has_box:
            name(prompt.name, (x + 2 * _SIZE, y + _SIZE))


def _draw_shape(prompt: Any, place: Any) -> None:
    outlines = [polygon for layer in json.loads(prompt.shape) for polygon in layer["polygons"]]
    for polygon in outlines:
        corners = [place(*point) for point in polygon]
        sides = zip(corners, [*corners[1:], corners[0]], strict=True)
        _shape("LINES", [end for side in sides for end in side], _INSIDE)
    name(prompt.name, place(*outlines[0][0]))


def _shape(kind: str, points: list[tuple[float, float]], colour: tuple[float, ...]) -> None:
    shader = gpu.shader.from_builtin(compat.COLOUR_SHADER)
    batch = batch_for_shader(shader, kind, {"pos": points})
    shader.bind()
    shader.uniform_float("color", colour)
    batch.draw(shader)


def name(words: str, at: tuple[float, float], colour: tuple[float, ...] = _INSIDE) -> None:
    """Writes a name into the region."""
    compat.text_size(_TEXT)
    blf.position(0, at[0], at[1] + 4, 0)
    blf.color(0, *colour)
    blf.draw(0, words)
