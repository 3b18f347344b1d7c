"""Meshes from arrays: a few shapes, joined and handed to Blender. Lengths are metres, z is up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix, Vector

Array = np.ndarray


class Soup:
    """Vertices and faces gathered from many pieces, with a colour and a material slot for each face.

    `add` takes points (n, 3) float, quads or triangles (m, 3 or 4) int, and a linear RGB colour, one for all
    faces (3,) or one each (m, 3).
    """

    def __init__(self) -> None:
        self.points: list[Array] = []
        self.faces: list[Array] = []
        self.colours: list[Array] = []
        self.count = 0

    def add(self, points: Array, faces: Array, colour: Array | Sequence[float] = (1.0, 1.0, 1.0)) -> Soup:
        points = np.asarray(points, np.float64).reshape(-1, 3)
        faces = np.asarray(faces, np.int64)
        self.points.append(points)
        self.faces.append(faces + self.count)
        self.colours.append(np.broadcast_to(np.asarray(colour, np.float64), (len(faces), 3)))
        self.count += len(points)
        return self

    def build(
        self,
        name: str,
        material: bpy.types.Material,
        parent: bpy.types.Object | None = None,
        smooth: bool = True,
    ) -> bpy.types.Object:
        """Make one object of all pieces; the colours become the attribute "tint"."""
        points = np.concatenate(self.points)
        loops = np.concatenate([f.ravel() for f in self.faces])
        sizes = np.concatenate([np.full(len(f), f.shape[1]) for f in self.faces])
        mesh = bpy.data.meshes.new(name)
        mesh.vertices.add(len(points))
        mesh.vertices.foreach_set("co", points.astype(np.float32).ravel())
        mesh.loops.add(len(loops))
        mesh.loops.foreach_set("vertex_index", loops.astype(np.int32))
        mesh.polygons.add(len(sizes))
        mesh.polygons.foreach_set("loop_start", (np.cumsum(sizes) - sizes).astype(np.int32))
        mesh.polygons.foreach_set("use_smooth", np.full(len(sizes), smooth))
        mesh.update(calc_edges=True)
        tint = mesh.attributes.new("tint", "FLOAT_COLOR", "FACE")
        colours = np.concatenate(self.colours)
        tint.data.foreach_set("color", np.c_[colours, np.ones(len(colours))].astype(np.float32).ravel())
        mesh.materials.append(material)
        thing = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(thing)
        thing.parent = parent
        return thing


def empty(
    name: str, parent: bpy.types.Object | None = None, at: Sequence[float] = (0, 0, 0)
) -> bpy.types.Object:
    """A point to hang things on."""
    thing = bpy.data.objects.new(name, None)
    thing.location = at
    thing.parent = parent
    bpy.context.scene.collection.objects.link(thing)
    return thing


def grid_faces(rows: int, columns: int, closed: bool = False) -> Array:
    """Quads of a grid of points stored row by row; closed joins the last column to the first."""
    last = columns if closed else columns - 1
    r, c = np.mgrid[0 : rows - 1, 0:last]
    d = (c + 1) % columns
    return np.stack(
        [r * columns + c, r * columns + d, (r + 1) * columns + d, (r + 1) * columns + c], -1
    ).reshape(-1, 4)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 32) -> tuple[Array, Array]:
    """Turn (radius, height) pairs, from the bottom up, around the z axis."""
    turn = np.arange(segments) / segments * 2 * math.pi
    r, z = np.asarray(profile, float).T
    points = np.stack(
        [np.outer(r, np.cos(turn)), np.outer(r, np.sin(turn)), np.repeat(z[:, None], segments, 1)], -1
    )
    return points.reshape(-1, 3), grid_faces(len(r), segments, closed=True)


def ellipsoid(
    centre: Sequence[float], radii: Sequence[float], rings: int = 14, segments: int = 24
) -> tuple[Array, Array]:
    """A ball stretched along the axes."""
    a = np.linspace(-math.pi / 2, math.pi / 2, rings)
    points, faces = lathe([(max(math.cos(t), 1e-3), math.sin(t)) for t in a], segments)
    return points * np.asarray(radii) + np.asarray(centre), faces


def box(low: Sequence[float], high: Sequence[float]) -> tuple[Array, Array]:
    """A box between two corners."""
    pick = np.array([[i >> k & 1 for k in range(3)] for i in range(8)])
    points = np.where(pick, np.asarray(high, float), np.asarray(low, float))
    return points, np.array(
        [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
    )


def pillow(
    low: Sequence[float], high: Sequence[float], power: float = 4.0, steps: int = 9
) -> tuple[Array, Array]:
    """A box whose edges are rounded off (a superellipsoid): larger powers are squarer."""
    a = np.linspace(-math.pi / 2, math.pi / 2, steps * 2 + 1)
    b = np.linspace(-math.pi, math.pi, steps * 4, endpoint=False)

    def soft(v: Array) -> Array:
        return np.sign(v) * np.abs(v) ** (2 / power)

    ca, sa = soft(np.cos(a)), soft(np.sin(a))
    points = np.stack(
        [np.outer(ca, soft(np.cos(b))), np.outer(ca, soft(np.sin(b))), np.repeat(sa[:, None], len(b), 1)], -1
    )
    low_, high_ = np.asarray(low, float), np.asarray(high, float)
    return points.reshape(-1, 3) * (high_ - low_) / 2 + (low_ + high_) / 2, grid_faces(
        len(a), len(b), closed=True
    )


def tube(
    a: Sequence[float], b: Sequence[float], radius: float, end: float | None = None, sides: int = 8
) -> tuple[Array, Array]:
    """A rod from a to b, thinner at its end if told so, closed at both ends."""
    end = radius if end is None else end
    start, stop = Vector(a), Vector(b)
    length = (stop - start).length
    points, faces = lathe([(1e-4, 0), (radius, 0), (end, length), (1e-4, length)], sides)
    turn = Vector((0, 0, 1)).rotation_difference(stop - start).to_matrix()
    return points @ np.array(turn).T + np.array(start), faces


def arc(
    centre: Sequence[float], radius: float, thickness: float, width: float, first: float, last: float
) -> tuple[Array, Array]:
    """A bow in the x-z plane with an oval section, from the angle first to last (radians from +x to +z)."""
    t = np.linspace(first, last, 28)
    s = np.linspace(0, 2 * math.pi, 14, endpoint=False)
    r = radius + thickness * np.cos(s)[None]
    x, z = r * np.cos(t)[:, None], r * np.sin(t)[:, None]
    points = np.stack([x, np.broadcast_to(width * np.sin(s)[None], x.shape), z], -1).reshape(-1, 3)
    return points + np.asarray(centre), grid_faces(len(t), len(s), closed=True)


def turned(
    shape: tuple[Array, Array], degrees: float, axis: str, about: Sequence[float] = (0, 0, 0)
) -> tuple[Array, Array]:
    """The same shape turned around a point."""
    turn = np.array(Matrix.Rotation(math.radians(degrees), 3, axis))
    return (shape[0] - np.asarray(about)) @ turn.T + np.asarray(about), shape[1]


def leaves(
    rng: np.random.Generator, centre: Sequence[float], radii: Sequence[float], count: int, size: float
) -> tuple[Array, Array]:
    """Small diamond leaves scattered near the skin of an ellipsoid, facing roughly outwards."""
    way = rng.normal(size=(count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    place = way * (0.72 + 0.33 * rng.random((count, 1))) * np.asarray(radii) + np.asarray(centre)
    normal = way + rng.normal(scale=0.45, size=way.shape)
    side = np.cross(normal, rng.normal(size=way.shape))
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    along = np.cross(normal, side)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    scale = size * rng.uniform(0.6, 1.3, (count, 1))
    corner = [
        place - along * scale,
        place + side * scale * 0.6,
        place + along * scale,
        place - side * scale * 0.6,
    ]
    return np.stack(corner, 1).reshape(-1, 3), np.arange(count * 4).reshape(-1, 4)
