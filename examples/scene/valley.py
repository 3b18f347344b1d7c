"""The first shot: the valley with its balloon, car and bird, its light and its camera, animated."""

from __future__ import annotations

import math

import bpy
import landscape
import motion
import toys
from mathutils import Vector

FRAMES = 96
INSTANCES = ("balloon", "car", "bird")
BEHIND = 12.5  # metres; no instance goes so far


def stage() -> bpy.types.Scene:
    """The whole scene, animated; truth asks for frames -1 and 96 too, so the motion goes past both ends."""
    scene = bpy.context.scene
    wheel = landscape.build()
    balloon, car, bird = toys.balloon(), toys.car(), toys.bird()
    light(scene)
    eye = camera(scene)
    for frame in range(-2, FRAMES + 2):
        motion.move_balloon(balloon, frame)
        motion.move_car(car, frame)
        motion.move_bird(bird, frame)
        motion.key(wheel, frame, rotation_euler=(0, 0.25 + frame * 0.024, 0))
        aim(eye, frame)
    return scene


def light(scene: bpy.types.Scene) -> None:
    """A low warm sun from behind the left shoulder and a bluish sky."""
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle, sun.color = 7.5, math.radians(1.8), (1.0, 0.66, 0.34)
    lamp = bpy.data.objects.new("sun", sun)
    lamp.rotation_euler = Vector((0.90, 0.22, -0.42)).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(lamp)
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.46, 0.60, 0.95, 1)
    scene.world.node_tree.nodes["Background"].inputs[1].default_value = 0.50


def camera(scene: bpy.types.Scene) -> bpy.types.Object:
    eye = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    eye.data.lens = 33
    eye.data.clip_end = 1000
    scene.collection.objects.link(eye)
    scene.camera = eye
    return eye


def aim(eye: bpy.types.Object, frame: int) -> None:
    """A slow truck to the right with a little dolly and crane, and a breath of handheld."""
    t = frame / 95
    ease = t + 0.12 * math.sin(2 * math.pi * t) / math.pi
    at = Vector((-1.5 + 2.6 * ease, -13.2 + 0.9 * ease, 2.45 + 0.35 * ease))
    at += Vector((0.02 * math.sin(frame / 7.3), 0, 0.02 * math.sin(frame / 9.1 + 1)))
    target = Vector((-0.55 + 1.5 * ease, 4.0, 3.15 + 0.15 * ease))
    motion.key(eye, frame, location=at, rotation_euler=(target - at).to_track_quat("-Z", "Y").to_euler())


def settings(scene: bpy.types.Scene) -> None:
    """Nothing differs from what all shots have."""


def hide(scene: bpy.types.Scene) -> None:
    """Leave out what stands behind all instances, which hides none of them."""
    for thing in scene.objects:
        if thing.type == "MESH" and min((thing.matrix_world @ Vector(c)).y for c in thing.bound_box) > BEHIND:
            thing.hide_render = True
    scene.objects["sky"].hide_render = True
