"""Render an example shot with Cycles. Needs the `bpy` wheel (4.5).

    python examples/scene/render.py FOLDER --pass picture [--shot playroom]
    python examples/scene/render.py FOLDER --pass matte [--shot playroom]
    python examples/scene/render.py FOLDER --pass truth

Writes FOLDER/picture.NNNN.png (8 bit, display-referred sRGB), FOLDER/matte.NNNN.exr (Cryptomatte) and
FOLDER/truth.NNNN.exr (Depth and Vector at the centre of every pixel). Frames that are there already are kept,
so a stopped render goes on where it was. Then run pack.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parent))

import bpy
import materials
import playroom
import valley
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

SHOTS = {"shot": valley, "playroom": playroom}
WIDTH, HEIGHT, RATE = 640, 360, 24


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


def frame_instances(scene: bpy.types.Scene, names: tuple[str, ...]) -> None:
    """Put the render border around all that may show of the instances on the current frame."""
    seen = []
    for thing in scene.objects:
        root = thing
        while root.parent:
            root = root.parent
        if root.name in names and thing.type == "MESH":
            corners = [thing.matrix_world @ Vector(corner) for corner in thing.bound_box]
            seen += [world_to_camera_view(scene, scene.camera, corner) for corner in corners]
    render, margin = scene.render, 0.01
    render.border_min_x = max(0.0, min(p.x for p in seen) - margin)
    render.border_max_x = min(1.0, max(p.x for p in seen) + margin)
    render.border_min_y = max(0.0, min(p.y for p in seen) - margin)
    render.border_max_y = min(1.0, max(p.y for p in seen) + margin)


def stage(shot: ModuleType, kind: str, samples: int) -> bpy.types.Scene:
    """The scene of a shot, ready for one pass."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = shot.stage()
    settings(scene)
    shot.settings(scene)
    if kind == "picture":
        picture(scene, samples)
    elif kind == "matte":
        matte(scene, samples)
        shot.hide(scene)
    else:
        truth(scene)
    return scene


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--shot", choices=tuple(SHOTS), default="shot")
    options.add_argument("--frames", help="A-B, or A,B,C")
    options.add_argument(
        "--samples", type=int, help="rays a pixel, by default 8 of the picture, 32 of the mattes"
    )
    options.add_argument("--pass", dest="kind", choices=("picture", "matte", "truth"), required=True)
    asked = options.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    shot = SHOTS[asked.shot]
    first, _, last = (asked.frames or f"0-{shot.FRAMES - 1}").partition("-")
    frames = list(range(int(first), int(last) + 1)) if last else [int(f) for f in first.split(",")]
    scene = stage(shot, asked.kind, asked.samples or (8 if asked.kind == "picture" else 32))
    suffix = "png" if asked.kind == "picture" else "exr"
    for frame in frames:
        target = asked.folder / f"{asked.kind}.{frame:04d}.{suffix}"
        if target.exists():
            continue
        began = time.time()
        scene.frame_set(frame)
        if asked.kind == "matte":
            frame_instances(scene, shot.INSTANCES)
        unfinished = target.with_name(f".{target.name}")
        scene.render.filepath = str(unfinished)
        bpy.ops.render.render(write_still=True)
        unfinished.rename(target)
        print(f"{asked.kind} {frame}: {time.time() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the wheel may crash while it is taken down
