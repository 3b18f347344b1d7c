"""What comes back looks as its source did, under the Standard view and under the usual one."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from plates_tools import HEIGHT, WIDTH, all_strips, render_frame, samples

pytestmark = pytest.mark.usefixtures("server")

#: What is styled, and the file that it is in.
KINDS = ("movie", "png", "alpha", "exr", "scaled", "scaled exr", "scene")


def write_picture(path: Path, file_format: str, brightest: float, transparent: bool) -> None:
    """A picture of ramps."""
    image = bpy.data.images.new("made", WIDTH, HEIGHT, alpha=True, float_buffer=file_format == "OPEN_EXR")
    values: list[float] = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            alpha = x / (WIDTH - 1) if transparent else 1.0
            values += [brightest * x / WIDTH, y / HEIGHT, 0.5 + 0.5 * math.sin(x / 7), alpha]
    image.pixels = values
    image.filepath_raw, image.file_format = str(path), file_format
    image.save()
    bpy.data.images.remove(image)


def make_strip(sb: Any, scene: Any, kind: str, movie: Path, folder: Path) -> Any:
    strips = sb.compat.strips(scene.sequence_editor)
    if kind == "movie":
        strip = strips.new_movie(kind, str(movie), 1, 1)
        strip.frame_final_end = 3
        return strip
    if kind == "scene":
        other = bpy.data.scenes.new("Shown")
        other.render.engine = "CYCLES"
        other.cycles.samples, other.cycles.use_denoising = 1, False
        other.world = bpy.data.worlds.new("Sky")
        other.world.use_nodes = True
        other.world.node_tree.nodes["Background"].inputs[0].default_value = (2.5, 0.4, 0.1, 1.0)
        camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        other.collection.objects.link(camera)
        other.camera = camera
        strip = strips.new_scene(kind, other, 1, 1)
        strip.frame_final_end = 3
        return strip
    file_format = "OPEN_EXR" if "exr" in kind else "PNG"
    path = folder / ("made.exr" if "exr" in kind else "made.png")
    write_picture(path, file_format, 3.0 if "exr" in kind else 1.0, kind == "alpha")
    strip = strips.new_image(kind, str(path), 1, 1)
    strip.frame_final_duration = 2
    if "scaled" in kind:
        strip.transform.scale_x = strip.transform.scale_y = 0.5
    return strip


@pytest.mark.parametrize("kind", KINDS)
def test_it_looks_the_same(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path, kind: str) -> None:
    """At strength 0 what comes back is the source's pixels: what Blender shows of both is the same."""
    strip = make_strip(sb, scene, kind, movie, tmp_path)
    strip.blend_type = "ALPHA_OVER"
    settings = sb.strips.begin(strip)
    settings.layers[0].style, settings.output = "great-wave", "flat"
    strip[sb.parameters.key("strength", 0)] = 0.0
    job = sb.ops_render_ops.start(scene, strip)
    sb.engine_lanes.wait(job)
    assert job.state == "done", job.message
    (made,) = [made for _, made in sb.strips.made_of(strip.stylebridge.uid)]
    assert made.elements[0].filename.endswith(".exr" if kind in ("exr", "scaled exr", "scene") else ".png")
    for view in ("Standard", "AgX" if bpy.app.version >= (4, 0) else "Filmic"):
        scene.view_settings.view_transform = view
        seen = []
        for one in (strip, made):
            for other in all_strips(scene):
                other.mute = other.name != one.name
            one.mute = False
            seen.append(samples(render_frame(scene, 2, tmp_path / "seen.png"))[2])
        brightest = max(seen[0])
        apart = sorted(abs(a - b) * 255 for a, b in zip(*seen, strict=True))
        mean, most = sum(apart) / len(apart), apart[-1]
        del seen, apart  # else a failure prints them
        print(f"REPORT {bpy.app.version_string} {kind} {view}: mean {mean:.4f}, most {most:.4f} of 255")
        assert brightest > 0.1
        if kind == "movie":  # colours of half resolution are made whole in two ways
            assert mean <= 2.0, (view, mean)
        else:
            assert most <= 1.0, (view, most)
