"""Instances: found, listed, styled each by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def prompt(strip: Any, name: str, frame: int, box: tuple[float, ...]) -> None:
    made = strip.stylebridge.prompts.add()
    made.name, made.frame = name, frame
    made.has_box, made.box = True, box


def test_instances_have_styles_and_keys_of_their_own(
    image_strip: Any, scene: Any, sb: SimpleNamespace, server: Any
) -> None:
    strip = image_strip
    settings = sb.strips.begin(strip)
    settings.segmenter = "embedded"
    prompt(strip, "balloon", 1003, (0.2, 0.2, 0.58, 0.8))
    job = sb.ops_instance_ops.start(scene, strip)
    assert job.state == "done", job.message
    assert [(layer.id, layer.label) for layer in settings.layers] == [(0, "Background"), (1, "balloon")]
    assert sb.parameters.key("strength", 1) in strip and sb.parameters.key("matte_grow", 1) in strip
    settings.layers[1].style = "great-wave"
    strip[sb.parameters.key("strength", 1)] = 0.25
    assert strip.keyframe_insert(sb.parameters.path("strength", 1), frame=1)
    job = sb.ops_render_ops.start(scene, strip)
    assert job.state == "done", job.message
    assert job.order.looks == [
        {"schema": "look.1", "instance": [{"select": 1, "style": "great-wave", "strength": 0.25}]}
    ]
    # Found once more, with nothing else changed: what was set stays.
    assert sb.ops_instance_ops.start(scene, strip).state == "done"
    assert settings.layers[1].style == "great-wave"
    sb.ops_instance_ops.take_over(strip, [])
    assert [layer.label for layer in settings.layers] == ["Whole picture"]
    assert sb.parameters.key("strength", 1) not in strip
