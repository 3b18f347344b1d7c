"""Which frames of its media a strip shows: what the plate says against what Blender renders."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from plates_tools import Job, make_movie, new_effect, said, shown, write_grey

COUNT = 24


@pytest.fixture(scope="session")
def movies(tmp_path_factory: pytest.TempPathFactory, switched_on: None) -> dict[int, Path]:
    """Movies of 24 frames at 24 and 30 frames per second, whose frames say their numbers."""
    folder = tmp_path_factory.mktemp("movies")
    return {rate: make_movie(folder, COUNT, rate) for rate in (24, 30)}


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Pictures 1001 to 1012, which say 1 to 12."""
    folder = tmp_path / "numbered"
    folder.mkdir()
    for number in range(1, 13):
        write_grey(folder / f"plate_v2.{1000 + number}.png", number)
    return folder


def movie_strip(sb: Any, scene: Any, path: Path, start: int = 10, name: str = "m", channel: int = 1) -> Any:
    return sb.compat.strips(scene.sequence_editor).new_movie(name, str(path), channel, start)


def image_strip(sb: Any, scene: Any, folder: Path, names: list[str], start: int = 10) -> Any:
    strip = sb.compat.strips(scene.sequence_editor).new_image("i", str(folder / names[0]), 1, start)
    for name in names[1:]:
        strip.elements.append(name)
    strip.frame_final_duration = len(names)
    return strip


def check(scene: Any, strip: Any, plate: Any, folder: Path, first: int = 0) -> None:
    """What the plate says is what Blender shows; `first` is the number of the picture that says 0."""
    frames = [frame for frame, _ in plate.frames]
    assert frames == list(range(strip.frame_final_start, strip.frame_final_end))
    assert [number - first for _, number in plate.frames] == shown(scene, strip, frames, folder)


def test_movie_as_it_is(scene: Any, sb: SimpleNamespace, movies: dict[int, Path], tmp_path: Path) -> None:
    strip = movie_strip(sb, scene, movies[24])
    plate = sb.plates.plan(scene, strip)
    assert (plate.path, plate.placed, plate.start, plate.rate) == (str(movies[24]), False, 10, 24.0)
    assert (plate.label, plate.colour_space, plate.work) == ("numbers24.mp4", "sRGB", None)
    assert plate.size == (96, 64)
    check(scene, strip, plate, tmp_path)
    assert pickle.loads(pickle.dumps(plate)) == plate


def test_movie_trimmed_moved_and_held(
    scene: Any, sb: SimpleNamespace, movies: dict[int, Path], tmp_path: Path
) -> None:
    strip = movie_strip(sb, scene, movies[24])
    strip.frame_final_start, strip.frame_final_end = 15, 27
    check(scene, strip, sb.plates.plan(scene, strip), tmp_path)
    strip.frame_start += 100
    plate = sb.plates.plan(scene, strip)
    assert plate.start == 110 and plate.frames[0] == (115, 5)
    check(scene, strip, plate, tmp_path)
    strip.frame_offset_start, strip.frame_offset_end = -3, -4
    plate = sb.plates.plan(scene, strip)
    assert plate.frames[0] == (107, 0) and plate.frames[-1] == (137, COUNT - 1)
    check(scene, strip, plate, tmp_path)


def test_movie_cut_off_hard(scene: Any, sb: SimpleNamespace, movies: dict[int, Path], tmp_path: Path) -> None:
    strip = movie_strip(sb, scene, movies[24])
    strip.animation_offset_start, strip.animation_offset_end = 4, 6
    plate = sb.plates.plan(scene, strip)
    assert plate.frames[0] == (10, 4) and plate.frames[-1] == (10 + COUNT - 11, COUNT - 7)
    check(scene, strip, plate, tmp_path)


def test_movie_of_another_rate_frame_by_frame(
    scene: Any, sb: SimpleNamespace, movies: dict[int, Path], tmp_path: Path
) -> None:
    scene.render.fps = 30
    strip = movie_strip(sb, scene, movies[24])
    plate = sb.plates.plan(scene, strip)
    assert not plate.why and len(plate.frames) == COUNT
    check(scene, strip, plate, tmp_path)


def test_movie_at_its_own_rate_is_rendered(scene: Any, sb: SimpleNamespace, movies: dict[int, Path]) -> None:
    """Added by the operator, Blender plays it at its own speed, each version in its own way."""
    scene.render.fps = 30
    add_by_operator(scene, movies[24])
    strip = sb.compat.strips(scene.sequence_editor)[0]
    assert strip.frame_final_duration == COUNT * 30 / 24
    plate = sb.plates.plan(scene, strip, prepare=False)
    assert plate.work is not None and plate.why
    assert [number for _, number in plate.frames] == list(range(30))


def add_by_operator(scene: Any, path: Path) -> None:
    """Adds a movie as the menu does."""
    windows = bpy.context.window_manager.windows
    if not len(windows):
        pytest.skip("there is no window here that the operator could be used in")
    window = windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    if hasattr(window.workspace, "sequencer_scene"):
        window.workspace.sequencer_scene = scene
    with bpy.context.temp_override(window=window, area=area, scene=scene):
        bpy.ops.sequencer.movie_strip_add(
            filepath=str(path),
            files=[{"name": path.name}],
            directory=f"{path.parent}/",
            frame_start=10,
            channel=1,
            use_framerate=False,
            sound=False,
        )


def test_sequence_keeps_its_numbers(scene: Any, sb: SimpleNamespace, numbered: Path, tmp_path: Path) -> None:
    """Of a longer sequence, from its fourth file on: the whole of it is declared."""
    names = [f"plate_v2.{number}.png" for number in range(1004, 1011)]
    strip = image_strip(sb, scene, numbered, names)
    strip.frame_final_start = 12
    plate = sb.plates.plan(scene, strip)
    assert plate.path == str(numbered / "plate_v2.####.png") and plate.files is None
    assert plate.frames[0] == (12, 1006)
    check(scene, strip, plate, tmp_path, first=1000)


def test_sequence_with_gaps_is_put_together(
    scene: Any, sb: SimpleNamespace, numbered: Path, tmp_path: Path
) -> None:
    names = [f"plate_v2.{number}.png" for number in (1001, 1002, 1005, 1006, 1011)]
    strip = image_strip(sb, scene, numbered, names)
    strip.frame_offset_start = 1
    plate = sb.plates.plan(scene, strip)
    assert not plate.why and plate.frames == [(11, 1), (12, 2), (13, 3), (14, 4)]
    sb.plates_gather.gather(plate.files, sb.plates_plate.pattern_of(plate.path), Job().step)
    made = sb.plates_plate.pattern_of(plate.path)
    assert made.numbers() == [0, 1, 2, 3, 4]
    frames = [frame for frame, _ in plate.frames]
    assert [said(made.path(number)) for _, number in plate.frames] == shown(scene, strip, frames, tmp_path)


def test_numbers_stay_where_a_file_beyond_is_missing(scene: Any, sb: SimpleNamespace, numbered: Path) -> None:
    """A gap elsewhere in the folder: the server could not read the sequence, and the numbers of prompts stay."""
    names = [f"plate_v2.{number}.png" for number in range(1004, 1008)]
    strip = image_strip(sb, scene, numbered, names)
    before = sb.plates.plan(scene, strip)
    (numbered / "plate_v2.1011.png").unlink()
    after = sb.plates.plan(scene, strip)
    assert before.files is None and after.files is not None
    assert after.frames == before.frames
    assert sorted(after.files) == [1004, 1005, 1006, 1007]


def test_pictures_of_any_names(scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    for number, name in enumerate(("zeta.png", "x 9 y.png", "a.png")):
        write_grey(tmp_path / name, number)
    strip = image_strip(sb, scene, tmp_path, ["zeta.png", "x 9 y.png", "a.png"])
    plate = sb.plates.plan(scene, strip)
    assert [Path(plate.files[number]).name for _, number in plate.frames] == [
        "zeta.png",
        "x 9 y.png",
        "a.png",
    ]


def test_still(scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    write_grey(tmp_path / "still_07.png", 7)
    strip = image_strip(sb, scene, tmp_path, ["still_07.png"])
    strip.frame_final_duration = 20
    plate = sb.plates.plan(scene, strip)
    assert plate.path == str(tmp_path / "still_07.png")
    assert plate.frames == [(frame, 0) for frame in range(10, 30)]


def test_what_blender_changes_is_rendered(scene: Any, sb: SimpleNamespace, movies: dict[int, Path]) -> None:
    strip = movie_strip(sb, scene, movies[24])

    def why() -> str:
        return sb.plates.plan(scene, strip, prepare=False).why

    assert why() == ""
    changes = [
        (strip, "use_reverse_frames", True, False),
        (strip, "strobe", 3.0, 1.0),
        (strip, "color_saturation", 0.5, 1.0),
        (strip, "color_multiply", 0.5, 1.0),
        (strip, "use_flip_x", True, False),
        (strip, "use_deinterlace", True, False),
        (strip.crop, "min_x", 8, 0),
        (strip.transform, "scale_x", 0.5, 1.0),
        (strip.transform, "offset_y", 5, 0),
        (strip.transform, "rotation", 0.1, 0.0),
        (strip.colorspace_settings, "name", "Non-Color", "sRGB"),
    ]
    if hasattr(strip, "speed_factor"):
        changes.append((strip, "speed_factor", 2.0, 1.0))
    for owner, name, value, plain in changes:
        setattr(owner, name, value)
        assert why(), name
        setattr(owner, name, plain)
        assert why() == "", name
    if bpy.app.version >= (5, 0):
        return  # making a modifier from Python crashes there
    strip.modifiers.new("grade", "BRIGHT_CONTRAST")
    assert why() == "it has modifiers"
    strip.modifiers[0].mute = True
    assert why() == ""


def test_what_leaves_the_pixels_alone_does_not_matter(
    scene: Any, sb: SimpleNamespace, movies: dict[int, Path]
) -> None:
    strip = movie_strip(sb, scene, movies[24])
    strip.blend_type, strip.blend_alpha, strip.mute, strip.lock = "ADD", 0.5, True, True
    strip.color_tag, strip.name = "COLOR_03", "another"
    strip.keyframe_insert("blend_alpha", frame=12)
    strip.stylebridge.uid = "x"
    assert sb.plates.plan(scene, strip).why == ""
    strip.transform.keyframe_insert("offset_x", frame=12)
    assert sb.plates.plan(scene, strip, prepare=False).why == '"transform.offset_x" is animated'


def test_other_strips_are_rendered(scene: Any, sb: SimpleNamespace, movies: dict[int, Path]) -> None:
    movie = movie_strip(sb, scene, movies[24])
    for kind, inputs in (("COLOR", ()), ("TEXT", ()), ("SPEED", (movie,)), ("ADJUSTMENT", ())):
        strip = new_effect(scene, kind, kind, 5, 10, 12, *inputs)
        plate = sb.plates.plan(scene, strip, prepare=False)
        assert plate.placed and plate.work and kind.lower() in plate.why
        strips = sb.compat.strips(scene.sequence_editor)
        strips.remove(strip)


def test_proxies_are_for_looking_only(
    scene: Any, sb: SimpleNamespace, movies: dict[int, Path], tmp_path: Path
) -> None:
    """Blender renders from the originals: so are they styled."""
    strip = movie_strip(sb, scene, movies[24])
    strip.use_proxy = True
    strip.proxy.use_proxy_custom_file = True
    write_grey(tmp_path / "other.png", 23)
    strip.proxy.filepath = str(tmp_path / "other.png")
    plate = sb.plates.plan(scene, strip)
    assert plate.path == str(movies[24])
    check(scene, strip, plate, tmp_path)


def test_missing_media_are_named(scene: Any, sb: SimpleNamespace, numbered: Path, tmp_path: Path) -> None:
    names = [f"plate_v2.{number}.png" for number in range(1001, 1005)]
    strip = image_strip(sb, scene, numbered, names)
    (numbered / names[2]).unlink()
    with pytest.raises(Exception, match=rf'strip "i" are not there: .*{names[2]}\. Put') as caught:
        sb.plates.plan(scene, strip)
    assert caught.value.code == "not_found"
    strip = sb.compat.strips(scene.sequence_editor).new_movie("gone", str(tmp_path / "gone.mp4"), 3, 1)
    if strip is None or not strip.frame_final_duration:
        pytest.skip("this version makes no strip of a missing movie")
    with pytest.raises(Exception, match='strip "gone" is not there'):
        sb.plates.plan(scene, strip)


def test_media_that_are_missing_inside_a_meta_are_named(
    scene: Any, sb: SimpleNamespace, movies: dict[int, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(movies[24].read_bytes())
    meta = sb.compat.strips(scene.sequence_editor).new_meta("meta", 2, 1)
    sb.compat.strips(meta).new_movie("inner", str(copy), 1, 1)
    sb.plates.plan(scene, meta, prepare=False)
    copy.unlink()
    with pytest.raises(Exception, match='strip "inner" is not there'):
        sb.plates.plan(scene, meta, prepare=False)
