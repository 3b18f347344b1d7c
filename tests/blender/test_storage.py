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
