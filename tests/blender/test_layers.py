"""Layers: one strip with alpha for each instance, whose opacity is the instance's strength."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest


@pytest.fixture
def layered(image_strip: Any, scene: Any, sb: SimpleNamespace, server: Any) -> Any:
    """The red square styled one way, what is behind it another way, rendered as layers."""
    settings = sb.strips.begin(image_strip)
    settings.segmenter = "embedded"
    prompt = settings.prompts.add()
    prompt.name, prompt.frame = "square", 1003
    prompt.has_box, prompt.box = True, (0.2, 0.2, 0.58, 0.8)
    job = sb.ops_instance_ops.start(scene, image_strip)
    assert job.state == "done", job.message
    settings.layers[0].style, settings.layers[1].style = "starry-night", "great-wave"
    assert settings.output == "layers"
    job = sb.ops_render_ops.start(scene, image_strip)
    assert job.state == "done", job.message
    return image_strip


def made(sb: SimpleNamespace, strip: Any) -> dict[int, Any]:
    return {one.stylebridge.made_layer: one for _, one in sb.strips.made_of(strip.stylebridge.uid)}


def shown(scene: Any, frame: int, path: Path) -> Path:
    """What the sequencer shows at a frame, in 8 bits, as a file."""
    scene.frame_set(frame)
    scene.render.filepath = str(path)
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    bpy.ops.render.render(write_still=True)
    return path


def test_a_strip_for_each_layer_driven_by_strength(layered: Any, scene: Any, sb: SimpleNamespace) -> None:
    found = made(sb, layered)
    assert sorted(found) == [0, 1]
    assert found[0].channel == layered.channel + 1 and found[1].channel == layered.channel + 2
    for strip in found.values():
        assert strip.blend_type == "ALPHA_OVER" and strip.alpha_mode == "PREMUL"
        assert strip.frame_final_start == layered.frame_final_start
        assert strip.frame_final_end == layered.frame_final_end
    for frame, value in ((1, 0.0), (11, 1.0)):
        layered[sb.parameters.key("strength", 1)] = value
        layered.keyframe_insert(sb.parameters.path("strength", 1), frame=frame)
    layered[sb.parameters.key("strength")] = 0.5
    scene.update_tag()
    for frame in (1, 4, 6, 11):
        scene.frame_set(frame)
        assert found[1].blend_alpha == pytest.approx(0.5 * layered[sb.parameters.key("strength", 1)])
        assert found[0].blend_alpha == pytest.approx(0.5)
    layered[sb.parameters.key("visibility", 0)] = False
    scene.update_tag()  # as the panel does
    scene.frame_set(7)
    assert found[0].blend_alpha == 0.0


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_blender_mixes_them_as_the_server_does(
    strength: float, layered: Any, scene: Any, sb: SimpleNamespace, tmp_path: Path, pixels_of: Any
) -> None:
    """At most 2/255 apart where one matte alone is not zero: with the background off, everywhere."""
    layered[sb.parameters.key("strength", 0)] = 0.0
    layered[sb.parameters.key("strength", 1)] = strength
    scene.update_tag()
    shown(scene, 5, tmp_path / "layers.png")
    layered.stylebridge.output = "flat"
    job = sb.ops_render_ops.start(scene, layered)
    assert job.state == "done", job.message
    found = made(sb, layered)
    assert found[0].mute and found[1].mute and not found[-1].mute
    shown(scene, 5, tmp_path / "flat.png")
    one, other = pixels_of(tmp_path / "layers.png"), pixels_of(tmp_path / "flat.png")
    assert max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 2
    found[-1].mute = True
    shown(scene, 5, tmp_path / "source.png")
    assert (pixels_of(tmp_path / "source.png") == one) is (strength == 0.0)


@pytest.mark.parametrize("interpolation", ["LINEAR", "BEZIER"])
def test_blender_mixes_them_as_the_server_does_under_a_keyframed_ramp(
    interpolation: str, layered: Any, scene: Any, sb: SimpleNamespace, tmp_path: Path, pixels_of: Any
) -> None:
    layered[sb.parameters.key("strength", 0)] = 0.0
    for frame, value in ((2, 0.0), (11, 1.0)):
        layered[sb.parameters.key("strength", 1)] = value
        layered.keyframe_insert(sb.parameters.path("strength", 1), frame=frame)
    (curve,) = sb.compat.fcurves(scene)
    for point in curve.keyframe_points:
        point.interpolation = interpolation
    curve.update()
    frames = (1, 3, 5, 8, 10, 12)
    one = [pixels_of(shown(scene, frame, tmp_path / f"layers{frame}.png")) for frame in frames]
    layered.stylebridge.output = "flat"
    job = sb.ops_render_ops.start(scene, layered)
    assert job.state == "done", job.message
    found = made(sb, layered)
    assert found[0].mute and found[1].mute and not found[-1].mute
    other = [pixels_of(shown(scene, frame, tmp_path / f"flat{frame}.png")) for frame in frames]
    for mixed, flat in zip(one, other, strict=True):
        assert max(abs(a - b) for a, b in zip(mixed, flat, strict=True)) <= 2
    found[-1].mute = True
    source = [pixels_of(shown(scene, frame, tmp_path / f"source{frame}.png")) for frame in frames]
    styled = [
        sum(abs(a - b) for a, b in zip(mixed, plain, strict=True))
        for mixed, plain in zip(one, source, strict=True)
    ]
    assert styled[0] == 0 and styled == sorted(styled) and styled[-1] > 2 * styled[2] > 0  # the ramp is seen


def test_another_strength_renders_nothing(layered: Any, scene: Any, sb: SimpleNamespace, server: Any) -> None:
    layered[sb.parameters.key("strength", 1)] = 0.3
    sb.engine_pump.post(sb.freshness.look, layered.stylebridge.uid)
    while sb.engine_pump.drain():
        pass
    assert sb.freshness.known[layered.stylebridge.uid] == ""
    before = {layer: strip.name for layer, strip in made(sb, layered).items()}
    job = sb.ops_render_ops.start(scene, layered)
    assert job.state == "done" and "12 of them as they were" in job.message, job.message
    assert {layer: strip.name for layer, strip in made(sb, layered).items()} == before


def test_a_changed_strength_is_noticed(layered: Any, scene: Any, sb: SimpleNamespace) -> None:
    """Blender's own cache of pictures is not told by drivers."""
    changed = sb.results_layers.changed
    changed(scene)
    assert not changed(scene)
    layered[sb.parameters.key("strength", 1)] = 0.7
    assert changed(scene) and not changed(scene)
    layered.keyframe_insert(sb.parameters.path("strength", 1), frame=3)
    assert changed(scene)
    (curve,) = sb.compat.fcurves(scene)
    curve.keyframe_points[0].co[1] = 0.1
    assert changed(scene)
    scene.frame_set(9)
    assert not changed(scene)


def test_only_frames_whose_request_changed_are_rendered(
    styled: Any, scene: Any, sb: SimpleNamespace, server: Any
) -> None:
    key, path = sb.parameters.key("strength", 0), sb.parameters.path("strength", 0)
    for frame, value in ((1, 0.2), (8, 0.2), (12, 1.0)):
        styled[key] = value
        styled.keyframe_insert(path, frame=frame)
    for curve in sb.compat.fcurves(scene):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    assert sb.ops_render_ops.start(scene, styled).state == "done"
    (strip,) = made(sb, styled).values()
    first = [Path(bpy.path.abspath(strip.directory)) / element.filename for element in strip.elements]
    old = [file.read_bytes() for file in first]
    styled[key] = 0.6
    styled.keyframe_insert(path, frame=12)
    for curve in sb.compat.fcurves(scene):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    job = sb.ops_render_ops.start(scene, styled)
    assert "8 of them as they were" in job.message, job.message
    (again,) = made(sb, styled).values()
    second = [Path(bpy.path.abspath(again.directory)) / element.filename for element in again.elements]
    assert [file.read_bytes() == before for file, before in zip(second, old, strict=True)] == [True] * 8 + [
        False
    ] * 4
    assert [file.read_bytes() for file in first] == old
