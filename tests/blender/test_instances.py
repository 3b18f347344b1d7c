"""Instances: found, listed, styled each by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


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


def test_what_is_pointed_at_stays_on_the_thing(
    image_strip: Any, scene: Any, sb: SimpleNamespace, server: Any
) -> None:
    prompts, strip = sb.prompts, image_strip
    scene.frame_set(3)  # shows 1003; the red square reaches from x 22 to 52 of 96, y 16 to 48 of 64
    assert prompts.target(strip) == "thing 1"
    assert prompts.set_box(scene, strip, "thing 1", (-28.0, 18.0), (6.0, -18.0))
    assert prompts.add_point(scene, strip, "thing 1", (-11.0, 0.0))
    assert prompts.add_point(scene, strip, "thing 1", (30.0, 25.0), inside=False)
    assert not prompts.add_point(scene, strip, "thing 1", (90.0, 0.0))
    (made,) = [sb.ops_instance_ops.plain(one) for one in strip.stylebridge.prompts]
    assert made["name"] == "thing 1" and made["frame"] == 1003
    assert made["points"] == [[pytest.approx(37 / 96, abs=0.01), pytest.approx(0.5)]]
    assert made["not_points"] == [[pytest.approx(78 / 96, abs=0.01), pytest.approx(7 / 64, abs=0.01)]]
    assert made["box"] == pytest.approx([20 / 96, 14 / 64, 54 / 96, 50 / 64], abs=0.01)
    # Trimmed, moved and scaled, it is still there.
    strip.frame_start += 30
    strip.frame_offset_start = 1
    strip.transform.offset_x, strip.transform.scale_x = 7, 0.5
    assert [sb.ops_instance_ops.plain(one) for one in strip.stylebridge.prompts] == [made]
    scene.frame_set(33)
    assert [prompt.name for prompt in prompts.here(scene, strip)] == ["thing 1"]
    scene.frame_set(34)
    assert not prompts.here(scene, strip)
    strip.transform.offset_x, strip.transform.scale_x = 0, 1.0
    strip.frame_start -= 30
    job = sb.ops_instance_ops.start(scene, strip)
    assert job.state == "done", job.message
    assert [layer.name for layer in strip.stylebridge.layers][1:] == ["thing 1"]
    strip.stylebridge.active_layer = 1
    assert prompts.target(strip) == "thing 1"  # what is pointed at now corrects it
    prompts.forget(strip, "thing 1")
    assert not len(strip.stylebridge.prompts)


def test_instances_are_shown_where_they_are(
    image_strip: Any, scene: Any, sb: SimpleNamespace, server: Any
) -> None:
    strip = image_strip
    sb.strips.begin(strip).segmenter = "embedded"
    prompt(strip, "square", 1003, (0.2, 0.2, 0.58, 0.8))
    assert sb.ops_instance_ops.start(scene, strip).state == "done"
    strip.stylebridge.layers[1].colour = (1.0, 0.5, 0.25)
    scene.frame_set(5)
    uid, analysis = strip.stylebridge.uid, strip.stylebridge.analysis
    job = sb.ui_overlay._job(scene, strip, (uid, 5, analysis, strip.frame_start))
    seen = []
    job.finish = lambda made: seen.append(made) or ""
    sb.engine_lanes.submit(job, "preview")
    assert job.state == "done", job.message
    (made,) = seen
    assert (made.width, made.height) == (96, 64)
    x, y = made.places[1]  # the square reaches from 24 to 54 of 96, and 16 to 48 of 64
    assert x == pytest.approx(39 / 96, abs=0.03) and y == pytest.approx(0.5, abs=0.03)
    middle = ((64 - 1 - 32) * 96 + 39) * 4
    assert list(made.samples[middle : middle + 4]) == pytest.approx([1.0, 0.5, 0.25, 0.55], abs=0.02)
    assert made.samples[3] == 0.0
