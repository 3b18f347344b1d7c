"""Rendering a strip: what comes back, where, and that it is what `stylebridge render` makes of the same frames."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest


def render(sb: SimpleNamespace, scene: Any, strip: Any) -> Any:
    job = sb.ops_render_ops.start(scene, strip)
    sb.engine_lanes.wait(job)
    return job


def made_of(sb: SimpleNamespace, strip: Any) -> list[Any]:
    return [made for _, made in sb.strips.made_of(strip.stylebridge.uid)]


def files_of(strip: Any) -> list[Path]:
    folder = Path(bpy.path.abspath(strip.directory))
    return [folder / element.filename for element in strip.elements]


def command_line(source: str, folder: Path, look: str) -> None:
    """`stylebridge render` of the whole source into numbered pictures."""
    folder.mkdir()
    (folder / "look.toml").write_text(look, "utf-8")
    line = [
        os.environ["STYLEBRIDGE_PYTHON"],
        "-m",
        "stylebridge",
        "render",
        source,
        str(folder / "cli.####.png"),
    ]
    subprocess.run([*line, "--look", str(folder / "look.toml")], check=True, capture_output=True)


def test_one_strip_above_the_source(styled: Any, scene: Any, sb: SimpleNamespace, server: Any) -> None:
    job = render(sb, scene, styled)
    assert job.state == "done", job.message
    (strip,) = made_of(sb, styled)
    assert (strip.frame_final_start, strip.frame_final_end) == (
        styled.frame_final_start,
        styled.frame_final_end,
    )
    assert strip.channel == styled.channel + 1
    assert strip.directory == "//stylebridge/plate_v001/"
    assert strip.colorspace_settings.name == styled.colorspace_settings.name
    assert len(files_of(strip)) == 12 and all(file.is_file() for file in files_of(strip))
    assert not list(Path(bpy.path.abspath(strip.directory)).glob("*.part"))
    assert not styled.mute


def test_the_frames_are_those_of_the_command_line(
    styled: Any,
    scene: Any,
    sb: SimpleNamespace,
    server: Any,
    sequence: list[Path],
    tmp_path: Path,
    pixels_of: Any,
) -> None:
    for frame, value in ((1, 0.0), (12, 1.0)):
        styled[sb.parameters.key("strength", 0)] = value
        styled.keyframe_insert(sb.parameters.path("strength", 0), frame=frame)
    for curve in sb.compat.fcurves(scene):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"
    assert render(sb, scene, styled).state == "done"
    look = 'schema = "look.1"\n[background]\nstyle = "great-wave"\nstrength = [[1001, 0.0], [1012, 1.0]]\n'
    command_line(str(sequence[0].parent / "plate.####.png"), tmp_path / "cli", look)
    (strip,) = made_of(sb, styled)
    for number, file in zip(range(1001, 1013), files_of(strip), strict=True):
        assert pixels_of(file) == pixels_of(tmp_path / "cli" / f"cli.{number:04d}.png"), number
    assert pixels_of(files_of(strip)[0]) == pixels_of(sequence[0])
    assert pixels_of(files_of(strip)[11]) != pixels_of(sequence[11])


def test_a_trimmed_and_moved_strip(
    styled: Any, scene: Any, sb: SimpleNamespace, server: Any, sequence: list[Path], pixels_of: Any
) -> None:
    assert render(sb, scene, styled).state == "done"
    (whole,) = made_of(sb, styled)
    before = files_of(whole)
    whole.stylebridge.made_of = ""
    styled.frame_start = 41
    styled.frame_offset_start, styled.frame_offset_end = 3, 2
    job = render(sb, scene, styled)
    assert job.state == "done", job.message
    (strip,) = made_of(sb, styled)
    assert (strip.frame_final_start, strip.frame_final_end) == (44, 51)
    assert [file.name for file in files_of(strip)] == [file.name for file in before[3:10]]
    for one, other in zip(files_of(strip), before[3:10], strict=True):
        assert pixels_of(one) == pixels_of(other)


def test_another_render_gets_a_folder_of_its_own(
    styled: Any, scene: Any, sb: SimpleNamespace, server: Any
) -> None:
    assert render(sb, scene, styled).state == "done"
    (first,) = made_of(sb, styled)
    before = files_of(first)
    bytes_before = [file.read_bytes() for file in before]
    styled.stylebridge.layers[0].style = "starry-night"
    assert render(sb, scene, styled).state == "done"
    (again,) = made_of(sb, styled)  # the strip is the same one, with the new files
    assert again.directory == "//stylebridge/plate_v002/"
    assert [file.read_bytes() for file in before] == bytes_before
    assert [file.read_bytes() for file in files_of(again)] != bytes_before


def test_a_movie_strip(scene: Any, sb: SimpleNamespace, server: Any, movie: Path) -> None:
    strip = sb.compat.strips(scene.sequence_editor).new_movie("shot", str(movie), 2, 10)
    strip.frame_offset_start, strip.frame_offset_end = 40, 50
    settings = sb.strips.begin(strip)
    settings.layers[0].style, settings.output = "great-wave", "flat"
    job = render(sb, scene, strip)
    assert job.state == "done", job.message
    (made,) = made_of(sb, strip)
    assert (made.frame_final_start, made.frame_final_end) == (50, 56)
    assert files_of(made)[0].name == "shot.000040.png"


def test_transform_and_crop_are_the_sources(
    styled: Any, scene: Any, sb: SimpleNamespace, server: Any
) -> None:
    styled.blend_type, styled.blend_alpha = "ALPHA_OVER", 0.5
    job = render(sb, scene, styled)
    assert job.state == "done", job.message
    (strip,) = made_of(sb, styled)
    assert strip.blend_type == "ALPHA_OVER" and strip.blend_alpha == pytest.approx(0.5)
    assert styled.mute and "muted" in job.message
