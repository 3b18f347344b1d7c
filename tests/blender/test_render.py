"""Rendering a strip: what comes back, where, and that it is what the client gets for the same source."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy


def render(sb: SimpleNamespace, scene: Any, strip: Any) -> Any:
    job = sb.ops_render_ops.start(scene, strip)
    sb.engine_lanes.wait(job)
    return job


def test_one_strip_above_the_source(styled: Any, scene: Any, sb: SimpleNamespace, server: Any) -> None:
    job = render(sb, scene, styled)
    assert job.state == "done", job.message
    made = [strip for _, strip in sb.strips.made_of(styled.stylebridge.uid)]
    assert len(made) == 1
    strip = made[0]
    assert (strip.frame_final_start, strip.frame_final_end) == (
        styled.frame_final_start,
        styled.frame_final_end,
    )
    assert strip.channel == styled.channel + 1
    assert strip.directory.startswith("//stylebridge")
    files = [Path(bpy.path.abspath(strip.directory)) / element.filename for element in strip.elements]
    assert len(files) == 12 and all(file.is_file() for file in files)
