"""What the user pointed at: points and boxes on frames of the source, in the source's own coordinates."""

from __future__ import annotations

from typing import Any

from . import parameters, plates, strips
from .plates import frames

#: A view's coordinates, as `region.view2d.region_to_view` gives them.
View = tuple[float, float]


def target(strip: Any) -> str:
    """The name that the next prompt is for: the marked instance's, or a new one."""
    settings = strip.stylebridge
    if 0 < settings.active_layer < len(settings.layers):
        layer = settings.layers[settings.active_layer]
        if layer.id != parameters.BACKGROUND and ":" not in layer.name and not layer.name.isdigit():
            return str(layer.name)
    taken = {prompt.name for prompt in settings.prompts} | {layer.name for layer in settings.layers}
    number = 1
    while f"thing {number}" in taken:
        number += 1
    return f"thing {number}"


def add_point(scene: Any, strip: Any, name: str, view: View, inside: bool = True) -> bool:
    """Adds a point at the scene's present frame; whether it lies on the picture."""
    frame, (x, y) = plates.to_source(scene, strip, scene.frame_current, view)
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        return False
    prompt = _of(strip, name, frame)
    prompt.shape = prompt.matte = ""  # a matte stands in place of points, and what was done last counts
    point = prompt.points.add()
    point.x, point.y, point.inside = x, y, inside
    return True


def set_box(scene: Any, strip: Any, name: str, one: View, other: View) -> bool:
    """Sets the box between two corners at the scene's present frame; whether there is any of it on the picture."""
    frame, (x0, y0) = plates.to_source(scene, strip, scene.frame_current, one)
    _, (x1, y1) = plates.to_source(scene, strip, scene.frame_current, other)
    left, right = (min(max(x, 0.0), 1.0) for x in sorted((x0, x1)))
    top, bottom = (min(max(y, 0.0), 1.0) for y in sorted((y0, y1)))
    if right - left < 1e-3 or bottom - top < 1e-3:
        return False
    prompt = _of(strip, name, frame)
    prompt.shape = prompt.matte = ""
    prompt.has_box, prompt.box = True, (left, top, right, bottom)
    return True


def set_shape(scene: Any, strip: Any, name: str, shape: str, matte: str) -> None:
    """Sets an outline at the scene's present frame, in place of points and box.

    Args:
        shape: in source coordinates, as JSON, see `plates.shapes`.
        matte: the path of the picture made of it.
    """
    prompt = _of(strip, name, frames.numbering(scene, strip)(scene.frame_current))
    prompt.points.clear()
    prompt.has_box, prompt.shape, prompt.matte = False, shape, matte


def here(scene: Any, strip: Any) -> list[Any]:
    """The prompts on the source frame that the strip shows now."""
    number = frames.numbering(scene, strip)(scene.frame_current)
    return [prompt for prompt in strip.stylebridge.prompts if prompt.frame == number]


def forget(strip: Any, name: str) -> None:
    """Takes away all that was pointed at for one thing."""
    prompts = strip.stylebridge.prompts
    for index in reversed(range(len(prompts))):
        if prompts[index].name == name:
            prompts.remove(index)


def _of(strip: Any, name: str, frame: int) -> Any:
    settings = strips.begin(strip)
    for prompt in settings.prompts:
        if prompt.name == name and prompt.frame == frame:
            return prompt
    prompt = settings.prompts.add()
    prompt.name, prompt.frame = name, frame
    return prompt
