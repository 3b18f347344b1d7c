"""Where values live: what is keyframed, copied, split, renamed and saved with the strip."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest


def test_parameters_come_from_the_effects_table(styled: Any, sb: SimpleNamespace) -> None:
    effect = sb.parameters.effect
    layer = styled.stylebridge.layers[0]
    for name, row in sb.parameters.fixed(effect.LAYER, effect.INSTANCE).items():
        if name not in ("select", "style"):
            assert getattr(layer, name) == pytest.approx(row.default), name
    for name, row in sb.parameters.of_layer(0).items():
        assert sb.parameters.value(styled, name, 0) == row.default
        described = styled.id_properties_ui(sb.parameters.key(name, 0)).as_dict()
        assert described["description"].startswith(row.hint.rstrip("."))
        if row.kind == "float":
            assert (described["min"], described["max"]) == (row.minimum, row.maximum)


def test_keys_follow_split_rename_and_saving(
    styled: Any, scene: Any, sb: SimpleNamespace, tmp_path: Path
) -> None:
    path = sb.parameters.path("strength", 0)
    for frame, value in ((1, 0.0), (11, 1.0)):
        styled[sb.parameters.key("strength", 0)] = value
        assert styled.keyframe_insert(path, frame=frame)
    styled.name = "another name"
    right = styled.split(frame=7, split_method="SOFT")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "again.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "again.blend"))
    scene = bpy.context.scene
    found = {strip.name: strip for strip in sb.compat.strips_all(scene.sequence_editor)}
    assert len(found) == 2 and "another name" in found
    scene.frame_set(6)
    for strip in found.values():
        assert strip[sb.parameters.key("strength", 0)] == pytest.approx(0.5)
        assert strip.stylebridge.layers[0].style == "great-wave"
    del right


def test_a_split_strip_gets_an_identity_of_its_own(styled: Any, sb: SimpleNamespace) -> None:
    before = styled.stylebridge.uid
    right = styled.split(frame=7, split_method="SOFT")
    assert right.stylebridge.uid == before
    sb.strips.claim(right)
    assert before == styled.stylebridge.uid != right.stylebridge.uid
    assert sb.strips.find(before)[1].name == styled.name


def test_a_style_is_chosen_among_pictures(styled: Any, sb: SimpleNamespace, server: Any) -> None:
    server.look()
    layer = styled.stylebridge.layers[0]
    assert layer.choice == "great-wave"
    layer.choice = "starry-night"
    assert layer.style == "starry-night"
    layer.style = "/some/where/my painting.jpg"
    assert layer.choice == "OWN"
    layer.choice = "OWN"
    assert layer.style == "/some/where/my painting.jpg"
    layer.choice = "NONE"
    assert layer.style == ""


def test_results_are_known_to_be_stale(styled: Any, scene: Any, sb: SimpleNamespace, server: Any) -> None:
    def stale() -> str:
        sb.engine_pump.post(sb.freshness.look, styled.stylebridge.uid)
        while sb.engine_pump.drain():
            pass
        return str(sb.freshness.known[styled.stylebridge.uid])

    assert stale() == ""
    sb.engine_lanes.wait(sb.ops_render_ops.start(scene, styled))
    assert stale() == ""
    styled.frame_start += 10
    assert stale() == ""
    styled[sb.parameters.key("strength", 0)] = 0.5
    assert "render again" in stale()
    styled[sb.parameters.key("strength", 0)] = 1.0
    assert stale() == ""
    styled.frame_offset_end = 1
    assert "render again" in stale()
