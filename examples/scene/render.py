"""Render the example shot with Cycles. Needs the `bpy` wheel (4.5).

    python examples/scene/render.py FOLDER --pass picture
    python examples/scene/render.py FOLDER --pass matte
    python examples/scene/render.py FOLDER --pass truth

Writes FOLDER/picture.NNNN.png (8 bit, display-referred sRGB), FOLDER/matte.NNNN.exr (Cryptomatte) and
FOLDER/truth.NNNN.exr (Depth and Vector at the centre of every pixel). Frames that are there already are kept,
so a stopped render goes on where it was. Then run pack.py.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bpy
import landscape
import materials
import motion
import toys
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

FRAMES = 96
BEHIND = 12.5  # metres; no instance goes so far
INSTANCES = ("balloon", "car", "bird")
WIDTH, HEIGHT, RATE = 640, 360, 24


def stage() -> bpy.types.Scene:
    """The whole scene, animated; truth asks for frames -1 and 96 too, so the motion goes past both ends."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
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
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    scene.render.fps = RATE
    scene.render.use_motion_blur = False
    scene.render.use_persistent_data = True
    scene.render.use_compositing = scene.render.use_sequencer = False
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Punchy"
    scene.view_settings.exposure = 0.55
    scene.cycles.device = "CPU"
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_light_tree = False
    scene.cycles.debug_use_spatial_splits = True  # thin slanted blades: a better tree of boxes


def picture(scene: bpy.types.Scene, samples: int) -> None:
    """The beauty. Reflected and bounced light is kept short: the land is dull and the sun does the work."""
    scene.cycles.samples = samples
    scene.cycles.use_denoising = True
    scene.cycles.denoising_prefilter, scene.cycles.denoising_quality = "FAST", "BALANCED"
    # Bounced light is guessed from how open a place is, which costs a third less and shades the grass well.
    scene.cycles.use_fast_gi, scene.cycles.fast_gi_method = True, "REPLACE"
    scene.cycles.ao_bounces_render = 1
    scene.world.light_settings.distance = 6
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 2, 1, 1
    form = scene.render.image_settings
    form.file_format, form.color_mode, form.color_depth = "PNG", "RGB", "8"


def matte(scene: bpy.types.Scene, samples: int) -> None:
    """Cryptomatte of the instances: many rays, no light, only where an instance may be."""
    layer = scene.view_layers[0]
    plain(scene)
    scene.cycles.samples = samples
    scene.render.use_border, scene.render.use_crop_to_border = True, False
    layer.use_pass_cryptomatte_asset = True
    layer.pass_cryptomatte_depth = 6
    for thing in scene.objects:  # what stands behind all instances hides none of them
        if thing.type == "MESH" and min((thing.matrix_world @ Vector(c)).y for c in thing.bound_box) > BEHIND:
            thing.hide_render = True
    scene.objects["sky"].hide_render = True


def truth(scene: bpy.types.Scene) -> None:
    """Depth and flow by one ray through the centre of every pixel: no value is a mix of two things."""
    layer = scene.view_layers[0]
    plain(scene)
    scene.cycles.samples = 1
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.filter_width = 0.01
    layer.use_pass_z = layer.use_pass_vector = True


def plain(scene: bpy.types.Scene) -> None:
    """One flat material for all, and data for a file."""
    flat = bpy.data.materials.new("flat")
    flat.use_nodes = True
    nodes = materials.Nodes(flat.node_tree)
    nodes.finish(nodes.add("ShaderNodeEmission").outputs[0], haze=False)
    scene.view_layers[0].material_override = flat
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 0
    form = scene.render.image_settings
    form.file_format, form.color_depth, form.exr_codec = "OPEN_EXR_MULTILAYER", "32", "ZIP"


def frame_instances(scene: bpy.types.Scene) -> None:
    """Put the render border around all that may show of the instances on the current frame."""
    seen = []
    for thing in scene.objects:
        root = thing
        while root.parent:
            root = root.parent
        if root.name in INSTANCES and thing.type == "MESH":
            corners = [thing.matrix_world @ Vector(corner) for corner in thing.bound_box]
            seen += [world_to_camera_view(scene, scene.camera, corner) for corner in corners]
    render, margin = scene.render, 0.01
    render.border_min_x = max(0.0, min(p.x for p in seen) - margin)
    render.border_max_x = min(1.0, max(p.x for p in seen) + margin)
    render.border_min_y = max(0.0, min(p.y for p in seen) - margin)
    render.border_max_y = min(1.0, max(p.y for p in seen) + margin)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--frames", default=f"0-{FRAMES - 1}", help="A-B, or A,B,C")
    options.add_argument("--samples", type=int, default=8, help="rays a pixel of the picture")
    options.add_argument("--matte-samples", type=int, default=32, help="rays a pixel of the mattes")
    options.add_argument("--pass", dest="kind", choices=("picture", "matte", "truth"), required=True)
    asked = options.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    first, _, last = asked.frames.partition("-")
    frames = list(range(int(first), int(last) + 1)) if last else [int(f) for f in asked.frames.split(",")]
    scene = stage()
    settings(scene)
    if asked.kind == "picture":
        picture(scene, asked.samples)
    elif asked.kind == "matte":
        matte(scene, asked.matte_samples)
    else:
        truth(scene)
    suffix = "png" if asked.kind == "picture" else "exr"
    for frame in frames:
        target = asked.folder / f"{asked.kind}.{frame:04d}.{suffix}"
        if target.exists():
            continue
        began = time.time()
        scene.frame_set(frame)
        if asked.kind == "matte":
            frame_instances(scene)
        unfinished = target.with_name(f".{target.name}")
        scene.render.filepath = str(unfinished)
        bpy.ops.render.render(write_still=True)
        unfinished.rename(target)
        print(f"{asked.kind} {frame}: {time.time() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the wheel may crash while it is taken down
