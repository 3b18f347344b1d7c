"""The playroom of the second shot: a robot walks, a ball bounces past it, a drone leaves the picture and comes back.

The camera looks along +y at a papered wall; the floor is z = 0. Each instance is hung on one empty whose name the
mattes go by. All placement comes from one seeded generator, all motion is a function of the frame alone.
"""

from __future__ import annotations

import math

import bpy
import numpy as np
from materials import Nodes, surface
from mathutils import Vector
from motion import key
from shapes import Soup, box, ellipsoid, empty, lathe, pillow, tube, turned

FRAMES = 60
INSTANCES = ("robot", "ball", "drone")
WALL = 3.2  # y of the wall
LEG = 0.40  # metres from the hip to the sole
STRIDE = 16  # frames of two steps
BALL = 0.23  # radius


def stage() -> bpy.types.Scene:
    """The whole scene, animated past both ends of the shot."""
    scene = bpy.context.scene
    rng = np.random.default_rng(11)
    shell()
    rug()
    shelf(rng)
    pictures(rng)
    blocks(rng)
    light(scene)
    toy, limbs = robot()
    sphere = ball()
    flyer, rotors = drone()
    eye = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    eye.data.lens = 34
    scene.collection.objects.link(eye)
    scene.camera = eye
    for frame in range(-2, FRAMES + 2):
        walk(toy, limbs, frame)
        bounce(sphere, frame)
        fly(flyer, rotors, frame)
        aim(eye, frame)
    return scene


def settings(scene: bpy.types.Scene) -> None:
    """What differs from the first shot: the shutter is open for 0.4 frames."""
    scene.render.use_motion_blur = True
    scene.render.motion_blur_shutter = 0.4
    scene.view_settings.exposure = 0.35


def hide(scene: bpy.types.Scene) -> None:
    """Leave out what hides no instance."""
    for name in ("floor", "wall", "trim", "rug", "shelf", "furniture"):
        scene.objects[name].hide_render = True


def shell() -> None:
    """Floorboards, papered walls with a skirting board."""

    def boards(n: Nodes) -> bpy.types.NodeSocket:
        grain = n.add("ShaderNodeMapping", {0: n.where(), "Scale": (1.2, 14.0, 1.0)}).outputs[0]
        streak = n.ramp(n.noise(3.0, 5.0, grain), (0.3, (0.24, 0.12, 0.05)), (0.7, (0.50, 0.29, 0.13)))
        brick = n.add(
            "ShaderNodeTexBrick",
            {"Vector": n.where(), "Color1": (0.75, 0.75, 0.75, 1), "Color2": (1.25, 1.2, 1.1, 1),
             "Mortar": (0.12, 0.1, 0.08, 1), "Scale": 1.0, "Mortar Size": 0.006, "Brick Width": 1.6,
             "Row Height": 0.16},
        ).outputs[0]  # fmt: skip
        return n.mix(1.0, streak, brick, "MULTIPLY")

    def paper(n: Nodes) -> bpy.types.NodeSocket:
        turn = n.add(
            "ShaderNodeMapping", {0: n.where(), "Scale": (4.2, 4.2, 4.2), "Rotation": (0, math.pi / 4, 0)}
        ).outputs[0]
        split = n.add("ShaderNodeSeparateXYZ", {0: turn}).outputs
        cell = [n.maths("ABSOLUTE", n.maths("SUBTRACT", n.maths("FRACT", split[k]), 0.5)) for k in (0, 2)]
        dot = n.maths("ADD", n.maths("POWER", cell[0], 2.0), n.maths("POWER", cell[1], 2.0))
        motif = n.ramp(
            dot, (0.012, (0.62, 0.25, 0.16)), (0.02, (0.70, 0.62, 0.46)), (0.2, (0.62, 0.60, 0.47))
        )
        stain = n.ramp(n.noise(1.3, 6.0), (0.3, (0.78,) * 3), (0.7, (1.08,) * 3))
        return n.mix(1.0, motif, stain, "MULTIPLY")

    Soup().add(*box((-8, -8, -0.1), (8, WALL, 0))).build(
        "floor", surface("boards", boards, roughness=0.6), smooth=False
    )
    Soup().add(*box((-8, WALL, 0), (8, WALL + 0.1, 5))).build(
        "wall", surface("paper", paper, roughness=0.9), smooth=False
    )
    trim = Soup().add(*box((-8, WALL - 0.04, 0), (8, WALL, 0.16)), (0.72, 0.70, 0.64))
    for x in (-2.75, 0.15):  # a window frame with dusk behind it
        trim.add(*box((x - 0.06, WALL - 0.06, 1.3), (x + 0.06, WALL, 2.9)), (0.75, 0.73, 0.68))
    for z in (1.3, 2.1, 2.9):
        trim.add(*box((-2.8, WALL - 0.06, z - 0.05), (0.2, WALL, z + 0.05)), (0.75, 0.73, 0.68))
    trim.add(*box((-2.75, WALL - 0.02, 1.3), (0.15, WALL - 0.01, 2.9)), (0.10, 0.16, 0.30))
    trim.build("trim", surface("trim", roughness=0.6, grain=0.12, grain_scale=5), smooth=False)


def rug() -> None:
    """A round rug of rings, woven."""
    soup = Soup()
    for ring, colour in enumerate(
        ((0.55, 0.10, 0.08), (0.75, 0.62, 0.40), (0.08, 0.20, 0.30), (0.75, 0.62, 0.40), (0.45, 0.08, 0.10))
    ):
        inner, outer = 0.28 * ring, 0.28 * (ring + 1)
        points, faces = lathe([(max(outer, 0.01), 0.004), (max(inner, 0.01), 0.02 - 0.001 * ring)], 64)
        light = np.where((np.arange(len(faces)) % 4 < 2)[:, None], 1.0, 0.7)
        soup.add(points + np.array((0.25, 0.6, 0)), faces, np.array(colour) * light)
    soup.build("rug", surface("wool", roughness=0.95, grain=0.35, grain_scale=40, bump=0.5))


def shelf(rng: np.random.Generator) -> None:
    """A bookcase on the right with rows of books."""
    soup, wood = Soup(), (0.36, 0.20, 0.09)
    left, right, front = 1.1, 3.3, WALL - 0.42
    for z in (0.05, 0.65, 1.25, 1.85, 2.45):
        soup.add(*box((left, front, z - 0.03), (right, WALL, z + 0.02)), wood)
    for x in (left, right):
        soup.add(*box((x - 0.03, front, 0), (x + 0.03, WALL, 2.47)), wood)
    inks = np.array(
        [(0.5, 0.08, 0.06), (0.08, 0.22, 0.14), (0.10, 0.16, 0.40), (0.62, 0.45, 0.12), (0.7, 0.66, 0.56),
         (0.28, 0.10, 0.26)]
    )  # fmt: skip
    for z in (0.07, 0.67, 1.27, 1.87):
        x = left + 0.06
        while x < right - 0.12:
            wide, tall = rng.uniform(0.04, 0.11), rng.uniform(0.32, 0.52)
            ink = inks[rng.integers(len(inks))] * rng.uniform(0.7, 1.2)
            deep = front + rng.uniform(0.04, 0.12)
            soup.add(*box((x, deep, z), (x + wide, WALL - 0.05, z + tall)), ink)
            soup.add(
                *box((x + 0.004, deep - 0.003, z + tall * 0.7), (x + wide - 0.004, deep, z + tall * 0.8)),
                ink * 2.2,
            )
            x += wide + (0.25 if rng.random() < 0.1 else 0.004)
    soup.build("shelf", surface("shelf", roughness=0.65, grain=0.2, grain_scale=9), smooth=False)


def pictures(rng: np.random.Generator) -> None:
    """Two framed children's drawings, a chest and a plush bear: things that look like things and stand still."""
    soup = Soup()
    for x, z, w, h in ((-4.0, 1.5, 0.9, 0.7), (0.32, 0.75, 0.6, 0.5)):
        soup.add(*box((x, WALL - 0.05, z), (x + w, WALL, z + h)), (0.12, 0.07, 0.04))
        soup.add(
            *box((x + 0.05, WALL - 0.055, z + 0.05), (x + w - 0.05, WALL, z + h - 0.05)), (0.85, 0.82, 0.72)
        )
        for _ in range(14):
            at = (x + rng.uniform(0.15, w - 0.15), WALL - 0.056, z + rng.uniform(0.15, h - 0.15))
            soup.add(
                *ellipsoid(at, (rng.uniform(0.02, 0.09), 0.004, rng.uniform(0.02, 0.07)), 8, 12),
                rng.uniform(0.03, 0.8, 3),
            )
    soup.add(*box((-3.4, WALL - 0.75, 0), (-2.0, WALL - 0.1, 0.6)), (0.10, 0.26, 0.28))
    soup.add(*box((-3.45, WALL - 0.8, 0.6), (-1.95, WALL - 0.08, 0.72)), (0.55, 0.36, 0.14))
    for k in range(4):
        soup.add(
            *box((-3.3 + 0.34 * k, WALL - 0.77, 0.1), (-3.1 + 0.34 * k, WALL - 0.74, 0.5)), (0.62, 0.5, 0.2)
        )
    fur = (0.33, 0.19, 0.09)
    at = np.array((-2.55, WALL - 0.45, 0.72))
    for centre, radii, colour in (
        ((0, 0, 0.22), (0.22, 0.18, 0.24), fur), ((0, -0.03, 0.56), (0.18, 0.16, 0.16), fur),
        ((-0.14, 0, 0.70), (0.07, 0.04, 0.07), fur), ((0.14, 0, 0.70), (0.07, 0.04, 0.07), fur),
        ((0, -0.18, 0.52), (0.07, 0.06, 0.06), (0.62, 0.44, 0.25)), ((-0.17, -0.2, 0.08), (0.09, 0.18, 0.09), fur),
        ((0.17, -0.2, 0.08), (0.09, 0.18, 0.09), fur), ((-0.06, -0.16, 0.61), (0.02,) * 3, (0.01,) * 3),
        ((0.06, -0.16, 0.61), (0.02,) * 3, (0.01,) * 3),
    ):  # fmt: skip
        soup.add(*ellipsoid(at + centre, radii), colour)
    soup.build(
        "furniture", surface("furniture", roughness=0.7, grain=0.2, grain_scale=12, bump=0.2), smooth=False
    )


def blocks(rng: np.random.Generator) -> None:
    """A tower of wooden blocks near the camera, which hides what walks behind it, and strewn ones."""
    soup = Soup()
    inks = np.array(
        [(0.60, 0.09, 0.06), (0.06, 0.24, 0.42), (0.68, 0.47, 0.08), (0.10, 0.32, 0.14), (0.62, 0.44, 0.25)]
    )
    for level in range(5):
        shape = turned(box((-0.12, -0.12, 0), (0.12, 0.12, 0.17)), rng.uniform(-14, 14), "Z")
        soup.add(shape[0] + (-0.45 + rng.normal(scale=0.012), -1.35, 0.171 * level), shape[1], inks[level])
    for _ in range(13):
        shape = turned(box((-0.1, -0.1, 0), (0.1, 0.1, 0.16)), rng.uniform(0, 90), "Z")
        x, y = rng.uniform(-3, 3), rng.uniform(1.7, 2.3)
        soup.add(shape[0] + (x, y, 0), shape[1], inks[rng.integers(5)])
    soup.build("blocks", surface("block paint", roughness=0.6, grain=0.25, grain_scale=9), smooth=False)


def light(scene: bpy.types.Scene) -> None:
    """Sun through a window behind the camera on the left, and a soft room."""
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle, sun.color = 4.2, math.radians(3), (1.0, 0.86, 0.66)
    lamp = bpy.data.objects.new("sun", sun)
    lamp.rotation_euler = Vector((0.55, 0.75, -0.80)).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(lamp)
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.62, 0.70, 0.88, 1)
    scene.world.node_tree.nodes["Background"].inputs[1].default_value = 0.55


def robot() -> tuple[bpy.types.Object, dict[str, bpy.types.Object]]:
    """A tin robot 1.1 m tall that faces +x; its origin is the ground between its feet."""
    root = empty("robot")
    tin = surface("tin", roughness=0.45, grain=0.15, grain_scale=14, bump=0.1)
    body = empty("robot body", root, (0, 0, LEG))
    teal, steel, amber, dark = (0.05, 0.27, 0.30), (0.45, 0.46, 0.48), (0.80, 0.38, 0.04), (0.03, 0.03, 0.04)
    soup = Soup()
    soup.add(*pillow((-0.15, -0.21, 0.0), (0.15, 0.21, 0.40), 6), teal)
    soup.add(*pillow((0.10, -0.14, 0.10), (0.17, 0.14, 0.32), 6), steel)
    for k, ink in enumerate(((0.8, 0.08, 0.05), amber, (0.1, 0.5, 0.1))):
        soup.add(*ellipsoid((0.175, -0.08 + 0.08 * k, 0.25), (0.02, 0.028, 0.028), 8, 10), ink)
        soup.add(*ellipsoid((-0.05 + 0.08 * k, -0.213, 0.28), (0.026, 0.012, 0.026), 8, 10), ink)
    soup.add(*pillow((-0.11, -0.218, 0.06), (0.11, -0.20, 0.20), 6), steel)
    soup.add(*tube((0, 0, 0.39), (0, 0, 0.46), 0.07), dark)
    soup.add(*pillow((-0.13, -0.14, 0.44), (0.13, 0.14, 0.66), 6), steel)
    for side in (-1, 1):
        soup.add(*ellipsoid((0.13, 0.06 * side, 0.57), (0.03, 0.04, 0.04), 8, 12), amber)
        soup.add(*tube((0, 0.14 * side, 0.56), (0, 0.19 * side, 0.56), 0.045), amber)
    soup.add(*pillow((0.11, -0.08, 0.47), (0.14, 0.08, 0.50), 6), dark)
    soup.add(*tube((0, 0, 0.66), (0, 0, 0.78), 0.012), dark)
    soup.add(*ellipsoid((0, 0, 0.80), (0.03,) * 3, 8, 10), (0.8, 0.08, 0.05))
    soup.build("robot trunk", tin, body)
    limbs = {"body": body}
    for name, side in (("left", 1), ("right", -1)):
        hip = limbs[f"{name} leg"] = empty(f"{name} hip", body, (0, 0.11 * side, 0.02))
        Soup().add(*pillow((-0.07, -0.07, -LEG + 0.05), (0.07, 0.07, 0.03), 5), amber).add(
            *pillow((-0.10, -0.085, -LEG - 0.02), (0.16, 0.085, -LEG + 0.08), 5), dark
        ).build(f"{name} leg", tin, hip)
        shoulder = limbs[f"{name} arm"] = empty(f"{name} shoulder", body, (0, 0.25 * side, 0.34))
        Soup().add(*ellipsoid((0, 0, 0), (0.08, 0.06, 0.08)), steel).add(
            *pillow((-0.055, -0.045, -0.32), (0.055, 0.045, 0.0), 5), amber
        ).add(*ellipsoid((0, 0, -0.34), (0.07, 0.055, 0.07)), dark).build(f"{name} arm", tin, shoulder)
    return root, limbs


def ball() -> bpy.types.Object:
    """A beach ball of six gores; its origin is its middle."""
    root = empty("ball")
    points, faces = ellipsoid((0, 0, 0), (BALL,) * 3, 25, 48)
    gore = (np.arange(len(faces)) % 48) // 8
    inks = np.array(
        [
            (0.85, 0.80, 0.70),
            (0.75, 0.07, 0.10),
            (0.85, 0.80, 0.70),
            (0.05, 0.20, 0.60),
            (0.85, 0.80, 0.70),
            (0.85, 0.50, 0.04),
        ]
    )
    colour = inks[gore]
    ring = np.arange(len(faces)) // 48
    colour = np.where(((ring < 2) | (ring > 21))[:, None], (0.1, 0.35, 0.2), colour)
    Soup().add(points, faces, colour).build("gores", surface("rubber", roughness=0.5), root)
    return root


def drone() -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """A toy quadcopter 0.8 m across that heads for +x; its origin is its middle."""
    root = empty("drone")
    shellac = surface("shellac", roughness=0.4, grain=0.08, grain_scale=10)
    white, violet, dark = (0.80, 0.80, 0.78), (0.30, 0.05, 0.38), (0.02, 0.02, 0.025)
    soup = Soup()
    soup.add(*pillow((-0.24, -0.14, -0.05), (0.24, 0.14, 0.09), 3), white)
    soup.add(*pillow((-0.10, -0.145, -0.02), (0.20, 0.145, 0.05), 3), violet)
    soup.add(*ellipsoid((0.2, 0, -0.06), (0.07, 0.06, 0.06), 10, 14), dark)
    soup.add(*ellipsoid((0.255, 0, -0.06), (0.02, 0.03, 0.03), 8, 10), (0.1, 0.4, 0.7))
    rotors = []
    for k in range(4):
        x, y = 0.30 * (1 if k < 2 else -1), 0.30 * (1 if k % 2 else -1)
        soup.add(*tube((0.4 * x, 0.35 * y, 0.03), (x, y, 0.05), 0.035, 0.025), violet)
        soup.add(*tube((x, y, 0.0), (x, y, 0.12), 0.045), dark)
        soup.add(*tube((x, y * 0.9, 0.0), (x, y * 0.9, -0.16), 0.018, 0.022), white)
        rotor = empty(f"rotor {k}", root, (x, y, 0.13))
        Soup().add(*box((-0.19, -0.022, -0.004), (0.19, 0.022, 0.004)), (0.75, 0.45, 0.05)).build(
            f"blades {k}", shellac, rotor, smooth=False
        )
        rotors.append(rotor)
    soup.build("drone hull", shellac, root)
    return root, rotors


def walk(root: bpy.types.Object, limbs: dict[str, bpy.types.Object], frame: int) -> None:
    """The robot steps to the right along a shallow curve, and passes behind the tower."""
    t = frame / (FRAMES - 1)
    phase = 2 * math.pi * frame / STRIDE
    key(
        root,
        frame,
        location=(-1.75 + 2.75 * t, 0.75 - 0.25 * math.sin(math.pi * t), 0.02),
        rotation_euler=(0, 0, -0.22 + 0.35 * t),
    )
    bob = 0.02 * abs(math.sin(phase))
    key(
        limbs["body"],
        frame,
        location=(0, 0, LEG - 0.015 + bob),
        rotation_euler=(0.05 * math.sin(phase), 0.04, 0.03 * math.sin(phase)),
    )
    for name, side in (("left", 1), ("right", -1)):
        key(limbs[f"{name} leg"], frame, rotation_euler=(0, 0.42 * side * math.sin(phase), 0))
        key(limbs[f"{name} arm"], frame, rotation_euler=(0.08 * side, -0.5 * side * math.sin(phase), 0))


def bounce(root: bpy.types.Object, frame: int) -> None:
    """The ball comes from the right in three hops, passes before the robot and the tower, and rolls away left."""
    t = frame / (FRAMES - 1)
    x, y = 1.75 - 3.9 * t, -0.15 - 0.25 * t
    hop, tall = frame / 19.0 + 0.35, 0.62 * 0.62 ** math.floor(frame / 19.0 + 0.35)
    share = hop % 1
    key(
        root,
        frame,
        location=(x, y, BALL + 4 * tall * share * (1 - share)),
        rotation_euler=(0.5, -x / BALL * 0.6, 0.3),
    )


def fly(root: bpy.types.Object, rotors: list[bpy.types.Object], frame: int) -> None:
    """The drone flies out at the top right, and comes back lower to pass before the robot's head."""
    marks = np.array([-4, 8, 16, 24, 34, 40, 50, 64])
    path = np.array(
        [(-1.5, 1.5, 1.75), (-0.2, 1.3, 1.85), (0.9, 1.0, 2.0), (3.0, 0.9, 2.2), (3.3, 0.5, 1.9), (2.1, 0.25, 1.55),
         (0.75, 0.05, 1.30), (-0.9, -0.1, 1.55)]
    )  # fmt: skip

    def at(moment: float) -> np.ndarray:
        """The path, its corners rounded by a running mean."""
        near = [[np.interp(moment + d, marks, path[:, k]) for k in range(3)] for d in range(-3, 4)]
        return np.mean(near, axis=0)

    here, ahead = at(frame), at(frame + 1)
    way = ahead - here
    key(
        root,
        frame,
        location=(here[0], here[1], here[2] + 0.03 * math.sin(frame / 4)),
        rotation_euler=(0.10 * math.sin(frame / 6), 1.6 * way[0], 0.25 + 0.1 * math.sin(frame / 11)),
    )
    for k, rotor in enumerate(rotors):
        key(rotor, frame, rotation_euler=(0, 0, frame * (1.9 if k % 2 else -1.9) + k))


def aim(eye: bpy.types.Object, frame: int) -> None:
    """A truck to the left with a push in, panning against it, and a breath of handheld."""
    t = frame / (FRAMES - 1)
    ease = t * t * (3 - 2 * t)
    at = Vector((0.75 - 1.0 * ease, -4.6 + 0.35 * ease, 1.25 - 0.12 * ease))
    at += Vector((0.012 * math.sin(frame / 5.3), 0, 0.012 * math.sin(frame / 6.7 + 1)))
    target = Vector((0.10 - 0.15 * ease, 1.5, 0.98))
    key(eye, frame, location=at, rotation_euler=(target - at).to_track_quat("-Z", "Y").to_euler())
