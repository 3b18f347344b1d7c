"""Animated parameters over time, as Blender evaluates them.

A parameter with an F-curve of its own is asked at each frame (`FCurve.evaluate`, modifiers included) without moving
the playhead, which would evaluate the whole scene and stop the interface. Where a driver or the NLA has a say, only
Blender's own evaluation is right: the playhead is moved and put back.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from . import compat, parameters

#: Frames that are evaluated by moving the playhead before Blender may go on.
_FRAMES_A_STEP = 1


def sample(
    scene: Any, strip: Any, names: Sequence[tuple[str, int | None]], frames: Sequence[int]
) -> Generator[None, None, dict[tuple[str, int | None], list[Any]]]:
    """The values of parameters at timeline frames, in steps between which Blender may go on.

    Args:
        names: (parameter, layer) pairs, as `parameters.key` takes them.

    Returns:
        for each pair one value for each frame, or a list of a single one where it does not change.
    """
    root = strip.path_from_id()
    curves = {curve.data_path: curve for curve in compat.fcurves(scene)}
    found: dict[tuple[str, int | None], list[Any]] = {}
    moved: list[tuple[str, int | None]] = []
    for name, layer in names:
        path = root + parameters.path(name, layer)
        if _is_beyond_curves(scene, path):
            moved.append((name, layer))
        elif path in curves and not curves[path].mute:
            found[name, layer] = [_typed(name, curves[path].evaluate(frame)) for frame in frames]
            yield
        else:
            found[name, layer] = [parameters.value(strip, name, layer)]
    if moved:
        yield from _by_playhead(scene, strip, moved, frames, found)
    return found


def _is_beyond_curves(scene: Any, path: str) -> bool:
    """Whether something other than the scene's own action decides on a value."""
    animation = scene.animation_data
    if animation is None:
        return False
    return any(driver.data_path == path for driver in animation.drivers) or (
        animation.use_nla and len(animation.nla_tracks) > 0
    )


def _by_playhead(
    scene: Any,
    strip: Any,
    names: Sequence[tuple[str, int | None]],
    frames: Sequence[int],
    found: dict[tuple[str, int | None], list[Any]],
) -> Generator[None, None, None]:
    for pair in names:
        found[pair] = []
    for index, frame in enumerate(frames):
        if index and index % _FRAMES_A_STEP == 0:
            yield
        now, rest = scene.frame_current, scene.frame_subframe
        scene.frame_set(frame)
        for name, layer in names:
            found[name, layer].append(parameters.value(strip, name, layer))
        scene.frame_set(now, subframe=rest)


def _typed(name: str, value: float) -> Any:
    row = parameters.effect.find(name)
    if row.kind == "bool":
        return value >= 0.5
    if row.minimum is not None and row.maximum is not None:
        value = min(max(value, row.minimum), row.maximum)
    return row.python_type(value)
