"""Points on strips: from a click in the preview to the media of a strip, and on to its plate. In the main thread.

Prompts are kept in *source* coordinates with a source frame number, so that crop, scale, trims and moves leave them on
the thing. Strips without media of their own (scenes, metas, texts), and those whose speed is changed, are their own
source: their picture as the sequencer shows it, frames counted from the start of the strip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import compat
from . import frames, planning, shapes
from .coordinates import Geometry, Point, box_around, corners
from .plate import Plate

#: Parts of a prompt that are lists of points.
POINTS = ("points", "not_points")


def geometry(scene: Any, strip: Any, frame: int) -> Geometry:
    """How a strip lays its media, or what is its picture in place of media, into the sequencer's picture at a frame."""
    render = scene.render
    picture = (render.resolution_x, render.resolution_y)
    media = planning.size_of(strip) if strip.type in ("MOVIE", "IMAGE") else picture
    aspect = render.pixel_aspect_x / render.pixel_aspect_y
    if not all(media):
        media = picture
    if strip.transform is None:
        return Geometry(picture, media, aspect=aspect)
    at = _Animated(scene, strip, frame)
    return Geometry(
        picture,
        media,
        offset=(at("transform.offset_x"), at("transform.offset_y")),
        scale=(at("transform.scale_x"), at("transform.scale_y")),
        rotation=at("transform.rotation"),
        origin=(at("transform.origin", 0), at("transform.origin", 1)),
        crop=tuple(int(at(f"crop.{side}")) for side in ("min_x", "max_x", "min_y", "max_y")),  # type: ignore[arg-type]
        flip=(strip.use_flip_x, strip.use_flip_y),
        aspect=aspect,
    )


def to_source(scene: Any, strip: Any, frame: int, view: Point) -> tuple[int, Point]:
    """The source frame number and the source coordinates of what a strip shows at a point of the preview.

    Args:
        frame: of the timeline.
        view: as `region.view2d.region_to_view` returns it.
    """
    point = geometry(scene, strip, frame).from_view(view)
    return frames.numbering(scene, strip)(frame), from_picture(scene, strip, frame)(point)


def from_picture(scene: Any, strip: Any, frame: int) -> Callable[[Point], Point]:
    """What brings points of the sequencer's picture at a timeline frame to the source."""
    inward = _inward(scene, strip, frame)

    def place(point: Point) -> Point:
        for one in inward:
            point = one.to_source(point)
        return point

    return place


def to_view(scene: Any, strip: Any, frame: int, source: Point) -> Point:
    """Where the preview shows a source point at a timeline frame."""
    return view_of(scene, strip, frame)(source)


def view_of(scene: Any, strip: Any, frame: int) -> Callable[[Point], Point]:
    """`to_view` for many points."""
    outward = _inward(scene, strip, frame)[::-1]
    whole = geometry(scene, strip, frame)

    def place(point: Point) -> Point:
        for one in outward:
            point = one.to_picture(point)
        return whole.to_view(point)

    return place


def size(scene: Any, strip: Any, plate: Plate | None = None) -> tuple[int, int]:
    """Width and height of the source, or of a plate's pictures: at least their aspect."""
    if _has_media(scene, strip) and not (plate and plate.placed):
        return geometry(scene, strip, scene.frame_current).media
    return scene.render.resolution_x, scene.render.resolution_y


def outline(scene: Any, strip: Any, plate: Plate, frame: int) -> list[Point]:
    """Where the preview shows the corners of a plate's pictures at a timeline frame: top left, top right, bottom right,
    bottom left. What the server says about a plate (mattes, previews) is drawn between them.
    """
    chain = _chain(scene, strip, frame)
    points = corners((0.0, 0.0, 1.0, 1.0))
    inner = chain[:-1] if plate.placed else chain
    for one in reversed(inner):
        points = [one.to_picture(point) for point in points]
    return [chain[0].to_view(point) for point in points]


def for_plate(
    scene: Any, strip: Any, plate: Plate, prompts: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Prompts in source coordinates as the analysis of a plate takes them, and the names of those that cannot be
    placed: their frame is trimmed off, and the plate holds only what is visible.

    Outlines ("shape") are moved as points are. Mattes that have none are left: they are pictures of the plate.
    """
    if not plate.placed:
        return [dict(prompt) for prompt in prompts], []
    placed: list[dict[str, Any]] = []
    lost: list[str] = []
    number = frames.numbering(scene, strip)
    shown: dict[int, int] = {}
    for frame, _ in plate.frames:
        shown.setdefault(number(frame), frame)
    own = dict(plate.frames)
    for prompt in prompts:
        at = shown.get(prompt["frame"])
        if at is None:
            lost.append(str(prompt.get("name", "")))
            continue
        moved = {**prompt, "frame": own[at]}
        if _has_media(scene, strip):
            where = geometry(scene, strip, at)
            for name in POINTS:
                if name in moved:
                    moved[name] = [list(where.to_picture((x, y))) for x, y in moved[name]]
            if "shape" in moved:
                moved["shape"] = shapes.moved(moved["shape"], where.to_picture)
            if "box" in moved:
                box = box_around([where.to_picture(corner) for corner in corners(tuple(moved["box"]))])
                moved["box"] = [min(max(side, 0.0), 1.0) for side in box]
        placed.append(moved)
    return placed, lost


def _inward(scene: Any, strip: Any, frame: int) -> list[Geometry]:
    """What lies between the sequencer's picture and the source, from outside."""
    chain = _chain(scene, strip, frame)
    return chain if _has_media(scene, strip) else chain[:-1]


def _has_media(scene: Any, strip: Any) -> bool:
    return frames.has_numbers(scene, strip)


def _chain(scene: Any, strip: Any, frame: int) -> list[Geometry]:
    """From the sequencer's picture to the strip: the geometries of the metas around it, then its own."""
    chain = [geometry(scene, strip, frame)]
    meta = strip.parent_meta()
    while meta is not None:
        chain.insert(0, geometry(scene, meta, frame))
        meta = meta.parent_meta()
    return chain


class _Animated:
    """The values of a strip's settings at a frame, keyframes evaluated."""

    def __init__(self, scene: Any, strip: Any, frame: int) -> None:
        here = strip.path_from_id() + "."
        self._strip, self._frame = strip, frame
        self._curves = {
            (curve.data_path[len(here) :], curve.array_index): curve
            for curve in compat.fcurves(scene)
            if curve.data_path.startswith(here)
        }

    def __call__(self, path: str, place: int | None = None) -> float:
        curve = self._curves.get((path, place or 0))
        if curve is not None and not curve.mute:
            return float(curve.evaluate(self._frame))
        value = self._strip.path_resolve(path)
        return float(value if place is None else value[place])
