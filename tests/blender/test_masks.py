"""Masks as prompts: where they lie, what they cover, what is asked with them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from plates_tools import render_frame, samples

WIDE, HIGH = 96, 64


def draw(layer: Any, corners: list[tuple[float, float]], bulge: float = 0.0, closed: bool = True) -> None:
    """A spline through places of the scene's picture in pixels, origin top left, with curved sides where it bulges."""
    spline = layer.splines.new()
    spline.points.add(len(corners) - len(spline.points))
    spline.use_cyclic = closed
    for point, (x, y) in zip(spline.points, corners, strict=True):
        # Masks measure the longer side from 0 to 1, from the picture's middle.
        x, y = x / WIDE, 0.5 - (y - HIGH / 2) / WIDE
        point.co = x, y
        point.handle_left, point.handle_right = (x - bulge, y + bulge), (x + bulge, y - bulge)


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def mask_of(corners: list[tuple[float, float]]) -> Any:
    mask = bpy.data.masks.new("hand")
    draw(mask.layers.new(name="one"), corners)
    return mask


def rows_of(path: Path) -> list[tuple[float, ...]]:
    """RGBA of a picture, from the top left."""
    wide, high, values = samples(path)
    return [
        tuple(values[4 * (y * wide + x) : 4 * (y * wide + x) + 4])
        for y in reversed(range(high))
        for x in range(wide)
    ]


def white(path: Path, least: float = 0.5) -> list[bool]:
    return [pixel[0] > least for pixel in rows_of(path)]


def on_edge(flags: list[bool], wide: int, place: int) -> bool:
    """Whether the pixels around one differ."""
    y, x = divmod(place, wide)
    around = [
        flags[row * wide + column]
        for row in range(max(y - 2, 0), min(y + 3, len(flags) // wide))
        for column in range(max(x - 2, 0), min(x + 3, wide))
    ]
    return any(around) and not all(around)


def red(path: Path) -> list[bool]:
    """Where a picture shows the red square."""
    return [pixel[0] > 0.6 and pixel[1] < 0.3 and pixel[2] < 0.3 for pixel in rows_of(path)]


def bounds(flags: list[bool]) -> tuple[int, int, int, int]:
    places = [(index % WIDE, index // WIDE) for index, flag in enumerate(flags) if flag]
    xs, ys = [x for x, _ in places], [y for _, y in places]
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def apart(one: list[bool], other: list[bool]) -> int:
    """How many pixels differ."""
    return sum(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("wide", [3 * WIDE, 120])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("case", ["add", "invert", "subtract", "replace"])
def test_a_matte_is_what_blender_shows_of_the_mask(
    case: str, holes: bool, wide: int, scene: Any, sb: SimpleNamespace, tmp_path: Path
) -> None:
    high = 3 * HIGH
    scene.render.resolution_x, scene.render.resolution_y = wide, high
    mask = bpy.data.masks.new("hand")
    layer = mask.layers.new(name="one")
    layer.use_fill_holes = holes
    draw(layer, box(10, 10, 70, 50), bulge=0.06)
    draw(layer, box(30, 20, 50, 60))
    draw(layer, box(0, 0, 20, 20), closed=False)
    if case != "add":
        second = mask.layers.new(name="two")
        draw(second, box(20, 30, 90, 45))
        second.invert = case == "invert"
        second.blend = {"invert": "MUL", "subtract": "MERGE_SUBTRACT", "replace": "REPLACE"}[case]
        second.alpha = 0.95 if case == "replace" else 1.0
    hidden = mask.layers.new(name="hidden")
    draw(hidden, box(60, 0, 96, 64))
    hidden.hide_render = True
    sb.compat.strips(scene.sequence_editor).new_mask("mask", mask, 1, 1)
    seen = white(render_frame(scene, 1, tmp_path / "seen.png"), 0.9)
    shape = sb.masks.of_mask(mask, (wide, high))
    picture = sb.plates_shapes.matte(shape, (wide, high))
    made = [value >= 128 for value in bytes(picture.data)]
    assert 0.05 < sum(seen) / len(seen) < 0.95
    # Blender's edges are soft, and reach out by two pixels: all else is the same.
    wrong = [
        (place % wide, place // wide)
        for place, (one, other) in enumerate(zip(made, seen, strict=True))
        if one != other and not on_edge(made, wide, place)
    ]
    assert len(wrong) <= 1  # where two outlines cross, its edges reach farther


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"scale_x": 0.5, "scale_y": 0.75, "offset_x": 9, "offset_y": -5},
        {"scale_x": 1.4, "scale_y": 1.4, "offset_x": 6, "min_x": 10, "max_y": 8},
    ],
)
def test_a_mask_over_a_thing_covers_it_in_the_source(
    place: dict[str, float],
    image_strip: Any,
    scene: Any,
    sb: SimpleNamespace,
    server: Any,
    sequence: list[Path],
    tmp_path: Path,
) -> None:
    strip = image_strip
    sb.strips.begin(strip).segmenter = "embedded"
    for name, value in place.items():
        setattr(strip.crop if name in ("min_x", "max_y") else strip.transform, name, value)
    seen = red(render_frame(scene, 3, tmp_path / "seen.png"))
    scene.stylebridge.mask = mask_of(box(*bounds(seen)))
    assert bpy.ops.stylebridge.use_mask(name="square") == {"FINISHED"}
    (prompt,) = strip.stylebridge.prompts
    assert (prompt.name, prompt.frame) == ("square", 1003)
    assert Path(prompt.matte).parent == tmp_path / "stylebridge" / "mattes"
    assert apart(white(Path(prompt.matte)), red(sequence[2])) <= (0 if not place else 110)
    Path(prompt.matte).unlink()  # it is made again where it is needed
    job = sb.ops_instance_ops.start(scene, strip)
    assert job.state == "done", job.message
    plate, asked = job.order
    assert plate.placed is bool(place)
    (told,) = asked["prompts"]
    assert sorted(told) == ["frame", "matte", "name"] and told["name"] == "square"
    # What the server is given is of the pictures that it is given.
    assert apart(white(Path(told["matte"])), seen if place else red(sequence[2])) <= (110 if place else 0)
    assert [layer.name for layer in strip.stylebridge.layers][1:] == ["square"]


def test_what_was_done_last_counts(image_strip: Any, scene: Any, sb: SimpleNamespace) -> None:
    scene.frame_set(3)
    assert sb.prompts.set_box(scene, image_strip, "square", (-28.0, 18.0), (6.0, -18.0))
    scene.stylebridge.mask = mask_of(box(22, 16, 52, 48))
    assert bpy.ops.stylebridge.use_mask(name="square") == {"FINISHED"}
    (prompt,) = image_strip.stylebridge.prompts
    assert sorted(sb.ops_instance_ops.plain(prompt)) == ["frame", "matte", "name", "shape"]
    assert sb.prompts.add_point(scene, image_strip, "square", (-11.0, 0.0))
    assert sorted(sb.ops_instance_ops.plain(prompt)) == ["frame", "name", "points"]


def test_a_mask_that_covers_nothing_is_refused(image_strip: Any, scene: Any, sb: SimpleNamespace) -> None:
    strip = image_strip
    scene.frame_set(3)
    mask = scene.stylebridge.mask = bpy.data.masks.new("hand")
    with pytest.raises(RuntimeError, match='The mask "hand" has no filled spline'):
        bpy.ops.stylebridge.use_mask()
    layer = mask.layers.new(name="one")
    draw(layer, box(22, 16, 52, 48))
    layer.splines[0].use_fill = False
    with pytest.raises(RuntimeError, match='The mask "hand" has no filled spline'):
        bpy.ops.stylebridge.use_mask()
    draw(layer, box(-40, -40, -20, -20))
    with pytest.raises(RuntimeError, match='The mask "hand" covers nothing of plate'):
        bpy.ops.stylebridge.use_mask()
    scene.frame_set(40)
    with pytest.raises(RuntimeError, match="plate is not shown at this frame"):
        bpy.ops.stylebridge.use_mask()
    assert not len(strip.stylebridge.prompts)


def test_the_outline_is_saved_with_the_file(
    image_strip: Any, scene: Any, sb: SimpleNamespace, tmp_path: Path
) -> None:
    scene.frame_set(3)
    scene.stylebridge.mask = mask_of(box(22, 16, 52, 48))
    assert bpy.ops.stylebridge.use_mask(name="square") == {"FINISHED"}
    shape = json.loads(image_strip.stylebridge.prompts[0].shape)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    strip = bpy.context.scene.sequence_editor.active_strip
    assert json.loads(strip.stylebridge.prompts[0].shape) == shape
    assert bpy.context.scene.stylebridge.mask.name == "hand"
