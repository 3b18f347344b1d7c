"""The valley: ground, road, grass, flowers, trees, haystack, fence, windmill, sky. No instance is here.

The camera looks along +y; the road runs along x near y = 0. All placement comes from one seeded generator.
"""

from __future__ import annotations

import math

import bpy
import numpy as np
from materials import Nodes, sky, surface
from shapes import Array, Soup, box, ellipsoid, empty, lathe, leaves, tube, turned

GRASS = ((0.10, 0.20, 0.03), (0.17, 0.27, 0.04), (0.33, 0.33, 0.06), (0.07, 0.15, 0.04))
HAYSTACK = (2.55, -3.3)


def step(low: float, high: float, x: Array) -> Array:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def road(x: Array) -> Array:
    """y of the middle of the road at x."""
    return 0.7 * np.sin(0.22 * np.asarray(x, float) + 0.4)


def height(x: Array, y: Array) -> Array:
    """Height of the ground: a level road, a rising meadow, rolling hills and a far ridge."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    beside = step(0.7, 2.6, np.abs(y - road(x)))
    near = 0.14 * np.sin(0.9 * x + 1.3) * np.cos(0.7 * y) + 0.05 * np.sin(2.3 * x + y)
    roll = step(3, 26, y) * (
        1.0 + 1.1 * np.sin(0.15 * x + 2.3) + 0.7 * np.sin(0.26 * x - 0.2 * y + 1) + 0.055 * y
    )
    ridge = step(38, 110, y) * (7 + 4.5 * np.sin(0.055 * x + 0.6) + 2.2 * np.sin(0.13 * x + 0.05 * y))
    return near * beside + roll + ridge


def ground() -> None:
    """The land as one grid, finer near the camera, painted with road, meadow and a quilt of fields."""
    rows = -13 + 163 * np.linspace(0, 1, 420) ** 1.9
    columns = np.sinh(np.linspace(-3.2, 3.2, 420)) * 8.5
    x, y = np.meshgrid(columns, rows)
    soup = Soup().add(
        np.stack([x, y, height(x, y)], -1).reshape(-1, 3),
        (lambda r, c: np.stack([r * 420 + c, r * 420 + c + 1, r * 420 + c + 421, r * 420 + c + 420], -1))(
            *np.mgrid[0:419, 0:419]
        ).reshape(-1, 4),
    )
    material = bpy.data.materials.new("ground")
    material.use_nodes = True
    n = Nodes(material.node_tree)
    split = n.add("ShaderNodeSeparateXYZ", {0: n.where()}).outputs
    far = n.maths("SMOOTH_MAX", n.maths("DIVIDE", n.maths("SUBTRACT", split[1], 14.0), 14.0), 0.0, 0.1)
    far = n.maths("MINIMUM", far, 1.0)
    meadow = n.ramp(n.noise(0.9, 5.0), (0.3, GRASS[3]), (0.5, GRASS[1]), (0.68, GRASS[2]))
    # Fields: cells of a stretched Voronoi diagram, each with its own crop, sown in rows.
    place = n.add(
        "ShaderNodeMapping", {0: n.where(), "Scale": (0.085, 0.06, 0.0), "Rotation": (0, 0, 0.5)}
    ).outputs[0]
    cell = n.add("ShaderNodeTexVoronoi", {"Vector": place, "Scale": 1.0, "Randomness": 0.85}).outputs["Color"]
    crop = n.ramp(
        n.add("ShaderNodeSeparateColor", {0: cell}).outputs[0],
        (0.0, (0.13, 0.24, 0.04)),
        (0.3, (0.55, 0.38, 0.08)),
        (0.5, (0.22, 0.30, 0.05)),
        (0.7, (0.62, 0.27, 0.10)),
        (0.85, (0.36, 0.17, 0.30)),
    )
    crop.node.color_ramp.interpolation = "CONSTANT"
    sown = n.add(
        "ShaderNodeTexWave",
        {"Vector": n.where(), "Scale": 0.55, "Distortion": 2.5, "Detail": 2.0, "Detail Scale": 0.4},
    )
    crop = n.mix(1.0, crop, n.ramp(sown.outputs[1], (0.2, (0.72,) * 3), (0.8, (1.25,) * 3)), "MULTIPLY")
    edge = n.add(
        "ShaderNodeTexVoronoi", {"Vector": place, "Randomness": 0.85}, feature="DISTANCE_TO_EDGE"
    ).outputs[0]
    crop = n.mix(n.ramp(edge, (0.025, (1, 1, 1)), (0.05, (0, 0, 0))), crop, (0.06, 0.11, 0.03, 1))
    land = n.mix(far, meadow, crop)
    # The road: two pale wheel tracks with grass between, told from y - road(x).
    bend = n.maths("SINE", n.maths("MULTIPLY_ADD", split[0], 0.22, 0.4))
    off = n.maths("ABSOLUTE", n.maths("SUBTRACT", split[1], n.maths("MULTIPLY", bend, 0.7)))
    ragged = n.maths("MULTIPLY_ADD", n.noise(3.0, 2.0), 0.5, off)
    dirt = n.ramp(n.noise(9.0, 4.0), (0.3, (0.30, 0.18, 0.09)), (0.7, (0.62, 0.42, 0.24)))
    track = n.ramp(ragged, (0.40, (0.25,) * 3), (0.52, (1,) * 3), (0.95, (1,) * 3), (1.0, (0,) * 3))
    land = n.mix(track, land, dirt)
    bump = n.add("ShaderNodeBump", {"Strength": 0.6, "Distance": 0.12, "Height": n.noise(5.0, 4.0)}).outputs[
        0
    ]
    n.finish(n.add("ShaderNodeBsdfDiffuse", {"Color": land, "Normal": bump}).outputs[0])
    soup.build("ground", material)


def blades(rng: np.random.Generator) -> None:
    """Tufts of grass over the near meadow, longer towards the camera, none on the road."""
    count = 26000
    y = -11.5 + 24 * rng.random(count) ** 1.5
    x = rng.uniform(-1, 1, count) * (7.5 + (y + 12) * 0.8)
    keep = np.abs(y - road(x)) > 0.85 + 0.25 * rng.random(count)
    keep &= np.hypot(x - HAYSTACK[0], y - HAYSTACK[1]) > 1.3
    x, y = x[keep], y[keep]
    patch = np.sin(0.8 * x + 1.7) + np.sin(1.1 * y + 0.6 * x) + rng.normal(scale=0.5, size=len(x))
    soup = Soup()
    palette = np.array([(0.20, 0.36, 0.05), (0.34, 0.46, 0.06), (0.62, 0.52, 0.12), (0.11, 0.25, 0.06)])
    for lean in range(4):
        tall = (0.20 + 0.16 * rng.random(len(x))) * (1 + 0.25 * np.clip(patch, -1, 2))
        turn = rng.uniform(0, 2 * math.pi, len(x))
        bx, by = x + rng.normal(scale=0.07, size=len(x)), y + rng.normal(scale=0.07, size=len(x))
        bz = height(bx, by) - 0.02
        wide = 0.022 + 0.010 * rng.random(len(x))
        tip = 0.5 * tall * rng.uniform(0.2, 1.0, len(x))
        away = np.stack([np.cos(turn), np.sin(turn), np.zeros(len(x))], -1)
        side = np.stack([-np.sin(turn), np.cos(turn), np.zeros(len(x))], -1) * wide[:, None]
        foot = np.stack([bx, by, bz], -1)
        mid = foot + away * (tip * 0.35)[:, None] + np.stack([0 * tall, 0 * tall, tall * 0.6], -1)
        top = foot + away * tip[:, None] + np.stack([0 * tall, 0 * tall, tall], -1)
        points = np.stack([foot - side, foot + side, mid + side * 0.7, top, mid - side * 0.7], 1).reshape(
            -1, 3
        )
        kind = np.clip(
            np.round(1 + 0.8 * patch + rng.normal(scale=0.6, size=len(x)) - 0.2 * lean), 0, 3
        ).astype(int)
        soup.add(
            points,
            np.arange(len(points)).reshape(-1, 5),
            palette[kind % 4] * rng.uniform(0.75, 1.25, (len(x), 1)),
        )
    soup.build("grass", surface("grass", roughness=0.6, translucent=0.4), smooth=False)


def flowers(rng: np.random.Generator) -> None:
    """Poppies, daisies and cornflowers in drifts."""
    soup = Soup()
    kinds = (
        ((0.85, 0.06, 0.03), (0.03, 0.02, 0.02), 0.085),
        ((0.95, 0.92, 0.85), (0.95, 0.60, 0.05), 0.060),
        ((0.20, 0.22, 0.80), (0.08, 0.05, 0.30), 0.055),
        ((0.98, 0.70, 0.06), (0.50, 0.22, 0.02), 0.060),
    )
    for drift in range(46):
        kind = kinds[int(rng.choice(4, p=(0.45, 0.25, 0.15, 0.15)))]
        cy = -11.0 + 22 * rng.random() ** 1.3
        cx = rng.uniform(-1, 1) * (5.5 + (cy + 12) * 0.75)
        for _ in range(int(rng.integers(8, 22)) if drift else 0):
            x, y = cx + rng.normal(scale=0.7), cy + rng.normal(scale=0.5)
            if abs(y - road(x)) < 1.05 or math.hypot(x - HAYSTACK[0], y - HAYSTACK[1]) < 1.6:
                continue
            z = float(height(x, y)) + rng.uniform(0.22, 0.40)
            tilt = rng.normal(scale=0.35, size=2) + np.array((0, -0.35))
            ring = np.linspace(0, 2 * math.pi, 10, endpoint=False)
            reach = kind[2] * np.where(np.arange(10) % 2, 1.0, 0.72)
            px, py = reach * np.cos(ring), reach * np.sin(ring)
            rim = np.stack([x + px, y + py, z + 0.02 - tilt[0] * px - tilt[1] * py * 2 + 0.02], -1)
            points = np.vstack([rim, [[x, y, z]]])
            faces = np.array([[i, (i + 1) % 10, 10] for i in range(10)])
            soup.add(points, faces, np.array(kind[0]) * rng.uniform(0.8, 1.15))
            soup.add(*ellipsoid((x, y, z + 0.012), (kind[2] * 0.32,) * 3, 5, 6), kind[1])
            soup.add(*tube((x, y, z - 0.4), (x, y, z), 0.008, sides=4), (0.10, 0.20, 0.04))
    soup.build("flowers", surface("petals", roughness=0.5, translucent=0.35))


def tree(
    rng: np.random.Generator, x: float, y: float, tall: float, palette: Array, poplar: bool = False
) -> None:
    """A trunk with boughs under clouds of leaves."""
    wood, green = Soup(), Soup()
    z = float(height(x, y))
    wood.add(
        *tube((x, y, z - 0.2), (x, y, z + tall * 0.62), 0.055 * tall * (0.6 if poplar else 1), 0.02 * tall),
        (0.16, 0.09, 0.05),
    )
    if poplar:
        blobs = [(0, 0, f, 0.13 + 0.10 * math.sin(math.pi * f)) for f in np.linspace(0.18, 0.95, 6)]
    else:
        blobs = [(0, 0, 0.78, 0.27)]
        for turn in np.linspace(0, 2 * math.pi, 7, endpoint=False) + rng.random():
            out, up = rng.uniform(0.20, 0.30), rng.uniform(0.50, 0.80)
            blobs.append((out * math.cos(turn), out * math.sin(turn), up, rng.uniform(0.15, 0.21)))
            tip = (x + out * math.cos(turn) * tall, y + out * math.sin(turn) * tall, z + up * tall)
            wood.add(*tube((x, y, z + tall * 0.36), tip, 0.022 * tall, 0.008 * tall, 6), (0.16, 0.09, 0.05))
    for dx, dy, dz, r in blobs:
        centre = np.array([x + dx * tall, y + dy * tall, z + dz * tall])
        radii = np.array([r, r, r * (1.25 if poplar else 0.85)]) * tall
        count = int(np.clip(900 * r * 4, 250, 900))
        shape = leaves(rng, centre, radii, count, 0.030 * tall)
        colour = palette[rng.integers(len(palette), size=count)] * rng.uniform(0.7, 1.25, (count, 1))
        green.add(*shape, colour)
        core = ellipsoid(centre, radii * 0.8, 8, 12)
        green.add(*core, palette[0] * 0.45)
    wood.build(f"trunk {x:.1f}", bpy.data.materials["bark"])
    green.build(f"crown {x:.1f}", bpy.data.materials["leaf"], smooth=False)


def trees(rng: np.random.Generator) -> None:
    surface("bark", roughness=0.9, grain=0.3, grain_scale=14, bump=0.6)
    surface("leaf", roughness=0.55, translucent=0.35)
    green = np.array([(0.10, 0.22, 0.03), (0.16, 0.30, 0.05), (0.25, 0.34, 0.05)])
    amber = np.array([(0.42, 0.20, 0.03), (0.62, 0.30, 0.04), (0.70, 0.42, 0.06)])
    rust = np.array([(0.36, 0.09, 0.02), (0.55, 0.15, 0.03), (0.66, 0.26, 0.04)])
    dark = np.array([(0.05, 0.12, 0.03), (0.08, 0.17, 0.04), (0.12, 0.20, 0.05)])
    tree(rng, -7.6, 3.6, 5.6, green)
    tree(rng, 11.5, 8.5, 5.2, amber)
    tree(rng, 8.6, 13.0, 4.4, rust)
    for x, y, tall, palette in (
        (-17, 16, 4.6, amber), (-14.5, 22, 4.0, green), (1.5, 24, 3.6, green), (4.0, 27, 4.2, amber),
        (16.5, 22, 5.0, green), (20, 28, 5.0, rust), (-24, 30, 5.5, rust), (11, 38, 5.0, green),
        (-3, 44, 5.0, amber),
    ):  # fmt: skip
        tree(rng, x, y, tall, palette)
    for i in range(6):
        tree(rng, 12.5 + 1.5 * i, 30 + 1.2 * i, 6.5 + 0.5 * math.sin(2.2 * i), dark, poplar=True)
    for i in range(22):  # a far hedge line
        tree(
            rng,
            -46 + 4.4 * i + rng.normal(),
            58 + 5 * math.sin(i) + rng.normal(),
            4.5,
            (green, amber, dark)[i % 3],
        )


def haystack(rng: np.random.Generator) -> None:
    """A big stack of straw in the foreground, for things to vanish behind."""
    x, y = HAYSTACK
    z = float(height(x, y)) - 0.05
    soup = Soup()
    profile = [
        (1.38, 0),
        (1.5, 0.5),
        (1.48, 1.1),
        (1.32, 1.6),
        (1.02, 2.05),
        (0.62, 2.4),
        (0.25, 2.62),
        (0.02, 2.68),
    ]
    points, faces = lathe(profile, 48)
    soup.add(points * (0.97, 0.97, 0.98) + (x, y, z), faces, (0.42, 0.25, 0.06))
    count = 9000
    up = 2.68 * rng.random(count) ** 1.15
    r = np.interp(up, [p[1] for p in profile], [p[0] for p in profile])
    turn = rng.uniform(0, 2 * math.pi, count)
    out = np.stack([np.cos(turn), np.sin(turn), np.zeros(count)], -1)
    side = np.stack([-np.sin(turn), np.cos(turn), np.zeros(count)], -1)
    slope = np.interp(up, [0, 0.8, 1.5, 2.2, 2.7], [0.05, -0.1, -0.45, -0.9, -2.2])
    fall = np.stack([-slope * out[:, 0], -slope * out[:, 1], -np.ones(count)], -1)
    way = fall + side * rng.normal(scale=0.45, size=(count, 1)) + out * rng.uniform(0, 0.45, (count, 1))
    root = out * r[:, None] + np.stack([0 * up, 0 * up, up], -1) + (x, y, z)
    tip = root + way * rng.uniform(0.12, 0.30, (count, 1))
    tip[:, 2] = np.maximum(tip[:, 2], z)
    wide = side * 0.011
    straw = np.array([(0.85, 0.56, 0.16), (0.68, 0.40, 0.10), (0.95, 0.70, 0.26), (0.50, 0.29, 0.07)])
    soup.add(
        np.stack([root - wide, root + wide, tip], 1).reshape(-1, 3),
        np.arange(count * 3).reshape(-1, 3),
        straw[rng.integers(4, size=count)] * rng.uniform(0.8, 1.15, (count, 1)),
    )
    soup.add(*tube((x, y, z + 2.5), (x + 0.05, y, z + 2.95), 0.035), (0.20, 0.11, 0.05))
    soup.build(
        "haystack",
        surface("straw", roughness=0.8, translucent=0.15, grain=0.25, grain_scale=12),
        smooth=False,
    )


def fence(rng: np.random.Generator) -> None:
    """Weathered posts and rails along the far side of the road."""
    soup = Soup()
    wood = np.array((0.34, 0.23, 0.15))
    xs = np.arange(-16, 17, 1.5)
    spots = [(x, float(road(x)) + 1.75 + 0.1 * math.sin(3 * x)) for x in xs]
    for i, (x, y) in enumerate(spots):
        z, lean = float(height(x, y)), rng.normal(scale=0.03)
        soup.add(
            *box((x - 0.06, y - 0.06, z - 0.1), (x + 0.06 + lean, y + 0.06, z + 0.95)),
            wood * rng.uniform(0.7, 1.2),
        )
        if i + 1 < len(spots):
            u, v = spots[i + 1]
            w = float(height(u, v))
            for rail in (0.42, 0.78):
                a = (x - 0.1, y - 0.07, z + rail + rng.normal(scale=0.02))
                b = (u + 0.1, v - 0.07, w + rail + rng.normal(scale=0.02))
                soup.add(*tube(a, b, 0.045, 0.040, 6), wood * rng.uniform(0.75, 1.25))
    soup.build(
        "fence", surface("weathered wood", roughness=0.9, grain=0.35, grain_scale=18, bump=0.4), smooth=False
    )


def windmill(x: float = -7.0, y: float = 21.0) -> bpy.types.Object:
    """A brick tower mill; returns the wheel of sails, which turns around its local y axis."""
    z = float(height(x, y)) - 0.3

    def bricks(n: Nodes) -> bpy.types.NodeSocket:
        split = n.add("ShaderNodeSeparateXYZ", {0: n.where()}).outputs
        around = n.maths("MULTIPLY", n.maths("ARCTAN2", split[0], split[1]), 1.9)
        place = n.add("ShaderNodeCombineXYZ", {0: around, 1: split[2]}).outputs[0]
        wall = n.add(
            "ShaderNodeTexBrick",
            {
                "Vector": place, "Scale": 1.0,
                "Color1": (0.55, 0.17, 0.08, 1), "Color2": (0.74, 0.33, 0.16, 1),
                "Mortar": (0.78, 0.66, 0.52, 1), "Mortar Size": 0.025,
                "Brick Width": 0.62, "Row Height": 0.27,
            },
        )  # fmt: skip
        return n.mix(
            1.0, wall.outputs[0], n.ramp(n.noise(0.8), (0.3, (0.75,) * 3), (0.7, (1.2,) * 3)), "MULTIPLY"
        )

    base = empty("windmill", at=(x, y, z))
    tower = [(2.15, 0), (2.0, 1.2), (1.75, 3.2), (1.55, 5.2), (1.45, 6.6)]
    Soup().add(*lathe(tower, 40)).build("mill tower", surface("brick", bricks, roughness=0.85), base)
    trim = Soup()
    white, dark = (0.85, 0.78, 0.66), (0.07, 0.05, 0.05)
    trim.add(*lathe([(1.75, 3.15), (2.5, 3.2), (2.5, 3.32), (1.7, 3.36)], 40), (0.33, 0.2, 0.12))
    for turn in np.linspace(0, 2 * math.pi, 28, endpoint=False):
        c, s = 2.42 * math.cos(turn), 2.42 * math.sin(turn)
        trim.add(*tube((c, s, 3.3), (c, s, 3.95), 0.03, sides=5), white)
    trim.add(*lathe([(2.39, 3.92), (2.45, 3.92), (2.45, 4.0), (2.39, 4.0)], 40), white)
    trim.add(*lathe([(1.45, 6.55), (1.72, 6.6), (1.72, 6.78), (1.5, 6.85)], 40), white)
    trim.add(*turned(box((-0.4, -2.2, 0.2), (0.4, -1.9, 1.75)), 14, "Z"), (0.10, 0.24, 0.26))
    for up, r, turn in (
        (2.25, 1.86, 14),
        (4.5, 1.62, 14),
        (5.6, 1.52, 14),
        (4.5, 1.62, -40),
        (2.25, 1.86, -44),
    ):
        trim.add(*turned(box((-0.3, -r - 0.05, up), (0.3, -r + 0.2, up + 0.62)), turn, "Z"), white)
        trim.add(*turned(box((-0.22, -r - 0.09, up + 0.07), (0.22, -r + 0.2, up + 0.55)), turn, "Z"), dark)
    trim.build("mill trim", surface("mill paint", roughness=0.6), base, smooth=False)
    cap = [(1.62, 6.8), (1.66, 7.1), (1.45, 7.75), (0.95, 8.4), (0.3, 8.8), (0.02, 8.86)]

    def shingles(n: Nodes) -> bpy.types.NodeSocket:
        rows = n.add(
            "ShaderNodeTexWave", {"Vector": n.where(), "Scale": 1.6, "Distortion": 0.6}, bands_direction="Z"
        )
        return n.ramp(rows.outputs[1], (0.1, (0.08, 0.18, 0.20)), (0.9, (0.18, 0.36, 0.36)))

    Soup().add(*lathe(cap, 40)).build("mill cap", surface("shingles", shingles, roughness=0.7), base)
    wheel = empty("mill wheel", base, (0.45, -2.15, 7.3))
    wheel.rotation_mode = "XYZ"
    sails = Soup().add(*tube((0, -0.25, 0), (0, 1.2, 0), 0.14), (0.2, 0.12, 0.07))
    for quarter in range(4):
        turn = 90 * quarter
        sails.add(*turned(tube((0, 0, 0), (0, 0, 4.6), 0.085, 0.05), turn, "Y"), (0.25, 0.15, 0.09))
        for rung in np.linspace(0.9, 4.5, 11):
            sails.add(
                *turned(tube((-0.12, 0, rung), (0.95, 0.12, rung), 0.03, sides=5), turn, "Y"),
                (0.32, 0.2, 0.12),
            )
        for rail in (0.5, 0.95):
            side = (rail, 0.06 * rail, 0.9), (rail, 0.06 * rail, 4.5)
            sails.add(*turned(tube(*side, 0.03, sides=5), turn, "Y"), (0.32, 0.2, 0.12))
        cloth = np.array([(0.08, 0.03, 1.0), (0.88, 0.13, 1.0), (0.88, 0.13, 4.4), (0.08, 0.03, 4.4)])
        sails.add(*turned((cloth, np.array([[0, 1, 2, 3]])), turn, "Y"), (0.88, 0.74, 0.52))
    sails.build("mill sails", surface("sailcloth", roughness=0.8, translucent=0.3), wheel, smooth=False)
    return wheel


def stones(rng: np.random.Generator) -> None:
    """Boulders by the road."""
    soup = Soup()
    for _ in range(60):
        x = rng.uniform(-9, 9)
        y = float(road(x)) + rng.choice((-1, 1)) * rng.uniform(0.95, 1.5)
        r = rng.uniform(0.05, 0.16)
        points, faces = ellipsoid((0, 0, 0), (r * 1.3, r, r * 0.7), 7, 9)
        points *= 1 + 0.18 * rng.normal(size=(len(points), 1))
        soup.add(
            points + np.array((x, y, float(height(x, y)) + r * 0.2)),
            faces,
            np.array((0.42, 0.37, 0.32)) * rng.uniform(0.6, 1.2),
        )
    soup.build("stones", surface("stone", roughness=0.9, grain=0.3, grain_scale=10), smooth=False)


def dome() -> None:
    """The sky, a big half ball that only the camera sees, so that it has depth and flow as all else."""
    a = np.linspace(-0.12, math.pi / 2, 40)
    profile = [(max(300 * math.cos(t), 0.01), 300 * math.sin(t)) for t in a]
    thing = Soup().add(*lathe(profile, 96)).build("sky", sky())
    for way in ("diffuse", "glossy", "transmission", "shadow", "volume_scatter"):
        setattr(thing, f"visible_{way}", False)


def build() -> bpy.types.Object:
    """Make the whole valley; returns the windmill's wheel, to be turned."""
    rng = np.random.default_rng(7)
    ground()
    blades(rng)
    flowers(rng)
    trees(rng)
    haystack(rng)
    fence(rng)
    stones(rng)
    dome()
    return windmill()
