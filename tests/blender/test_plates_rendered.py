"""Plates that a child Blender renders: right pictures, once, to the end or not at all."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from plates_tools import Job, make_movie, new_effect, render_frame, said, samples, shown, write_grey

COUNT = 24


@pytest.fixture(scope="session")
def movie30(tmp_path_factory: pytest.TempPathFactory, switched_on: None) -> Path:
    return make_movie(tmp_path_factory.mktemp("movie30"), COUNT, 30)


@pytest.fixture(autouse=True)
def _no_plates_yet(sb: SimpleNamespace) -> None:
    sb.plates_work.empty(sb.plates.folder())


def movie_strip(sb: Any, scene: Any, path: Path, name: str = "m", start: int = 10, channel: int = 1) -> Any:
    return sb.compat.strips(scene.sequence_editor).new_movie(name, str(path), channel, start)


def make(sb: Any, scene: Any, strip: Any) -> tuple[Any, list[int]]:
    """The plate of a strip, made, and the numbers that its pictures say."""
    plate = sb.plates.plan(scene, strip)
    assert plate.placed
    plate.work.make(Job())
    pattern = plate.work.wanted
    assert pattern.numbers() == [number for _, number in plate.frames]
    return plate, [said(pattern.path(number)) for _, number in plate.frames]


def test_reversed_and_trimmed(scene: Any, sb: SimpleNamespace, movie30: Path, tmp_path: Path) -> None:
    scene.render.fps = 30
    strip = movie_strip(sb, scene, movie30)
    strip.use_reverse_frames = True
    strip.frame_final_start, strip.frame_final_end = 15, 21
    plate, numbers = make(sb, scene, strip)
    assert plate.frames == [(frame, frame - 10) for frame in range(15, 21)]
    assert numbers == [18, 17, 16, 15, 14, 13]
    assert numbers == shown(scene, strip, range(15, 21), tmp_path)


def test_twice_as_fast(scene: Any, sb: SimpleNamespace, movie30: Path) -> None:
    scene.render.fps = 30
    strip = movie_strip(sb, scene, movie30)
    fast = new_effect(scene, "fast", "SPEED", 2, 10, COUNT, strip)
    fast.speed_control, fast.speed_factor = "MULTIPLY", 2.0
    _, numbers = make(sb, scene, fast)
    assert numbers == [min(2 * place, COUNT - 1) for place in range(COUNT)]


def test_only_the_strip_itself(scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    """Whatever lies over it, however it is laid over others, keyframed opacity too, and though it is muted."""
    for number in (3, 20):
        write_grey(tmp_path / f"{number}.png", number)
    strips = sb.compat.strips(scene.sequence_editor)
    below = strips.new_image("below", str(tmp_path / "20.png"), 1, 10)
    strip = strips.new_image("mine", str(tmp_path / "3.png"), 2, 10)
    above = strips.new_image("above", str(tmp_path / "20.png"), 3, 10)
    for one in (below, strip, above):
        one.frame_final_duration = 3
    strip.blend_type, strip.mute = "ADD", True
    strip.blend_alpha = 0.25
    strip.keyframe_insert("blend_alpha", frame=10)
    strip.use_flip_x = True
    _, numbers = make(sb, scene, strip)
    assert numbers == [3, 3, 3]


def test_a_strip_in_metas(scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    """What the metas around it do to it is not part of it, since what comes back lies in them too."""
    write_grey(tmp_path / "5.png", 5)
    outer = sb.compat.strips(scene.sequence_editor).new_meta("outer", 1, 10)
    inner = sb.compat.strips(outer).new_meta("inner", 1, 10)
    strip = sb.compat.strips(inner).new_image("deep", str(tmp_path / "5.png"), 1, 10)
    strip.frame_final_duration = 2
    strip.use_flip_x = True
    for meta in (inner, outer):
        meta.frame_final_end = 12
        meta.transform.offset_x, meta.color_multiply, meta.blend_alpha = 30, 0.5, 0.5
    _, numbers = make(sb, scene, strip)
    assert numbers == [5, 5]
    plate, _ = make(sb, scene, outer)  # itself at full opacity, but with its own grading and place
    width, _, values = samples(plate.work.wanted.path(0))
    assert values[3] == 0.0 and plate.work.transparent
    assert values[4 * (width - 1)] == pytest.approx(35 / 255 * 0.25, abs=0.02)


def test_adjustments_hold_what_lies_below(scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    write_grey(tmp_path / "7.png", 7)
    strips = sb.compat.strips(scene.sequence_editor)
    for channel, number in ((1, 7), (4, 20)):
        write_grey(tmp_path / f"{number}.png", number)
        strips.new_image(
            f"on{channel}", str(tmp_path / f"{number}.png"), channel, 10
        ).frame_final_duration = 2
    adjustment = new_effect(scene, "all", "ADJUSTMENT", 3, 10, 2)
    _, numbers = make(sb, scene, adjustment)
    assert numbers == [7, 7]


def test_values_are_those_of_the_sequencer(scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    """Under AgX too: what is rendered has no view transform in it. 16 bits hold the 8 of the media exactly."""
    scene.view_settings.view_transform = "AgX" if bpy.app.version >= (4, 0) else "Filmic"
    for number in range(12):
        write_grey(tmp_path / f"p{number:02d}.png", 4 * number)
    strip = sb.compat.strips(scene.sequence_editor).new_image("i", str(tmp_path / "p00.png"), 1, 10)
    for number in range(1, 12):
        strip.elements.append(f"p{number:02d}.png")
    strip.frame_final_duration = 12
    strip.use_flip_y = True
    plate = sb.plates.plan(scene, strip)
    plate.work.make(Job())
    for _, number in plate.frames:
        _, _, values = samples(plate.work.wanted.path(number))
        grey = 10 + 5 * 4 * number
        assert values[0] * 255 == pytest.approx(grey, abs=0.02)
        assert values[3] == 1.0
    assert not plate.work.transparent


def test_a_bright_scene_stays_bright(scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    """Values above 1 come as half floats, linear."""
    picture = bpy.data.images.new("hdr", 8, 8, float_buffer=True)
    picture.pixels = [4.0, 0.5, 0.25, 1.0] * 64
    picture.filepath_raw, picture.file_format = str(tmp_path / "hdr.exr"), "OPEN_EXR"
    picture.save()
    bpy.data.images.remove(picture)
    strips = sb.compat.strips(scene.sequence_editor)
    strip = strips.new_image("hdr", str(tmp_path / "hdr.exr"), 1, 10)
    strip.frame_final_duration = 2
    strip.use_flip_x = True
    plate = sb.plates.plan(scene, strip)
    assert plate.path.endswith(".exr") and plate.alpha == "premultiplied"
    plate.work.make(Job())
    width, height, values = samples(plate.work.wanted.path(0))
    at = 4 * (width * (height // 2) + width // 2)
    media = bpy.data.images.load(str(tmp_path / "hdr.exr"))  # as Blender understands it, linear
    assert media.pixels[0] > 1.5
    assert list(values[at : at + 4]) == pytest.approx(list(media.pixels[:4]), rel=2e-3)


def test_the_users_file_is_left_alone(scene: Any, sb: SimpleNamespace, movie30: Path, tmp_path: Path) -> None:
    strip = movie_strip(sb, scene, movie30)
    strip.filepath = bpy.path.relpath(str(movie30))
    strip.use_reverse_frames = True
    bpy.ops.wm.save_mainfile()
    path, relative = bpy.data.filepath, strip.filepath
    before = Path(path).read_bytes()
    plate = sb.plates.plan(scene, strip)
    assert Path(plate.work.blend).is_file()
    assert (bpy.data.filepath, strip.filepath, strip.mute) == (path, relative, False)
    plate.work.make(Job())
    assert Path(path).read_bytes() == before
    assert not list(sb.plates.folder().glob("*.blend*"))


def test_what_is_there_is_not_rendered_again(scene: Any, sb: SimpleNamespace, movie30: Path) -> None:
    strip = movie_strip(sb, scene, movie30)
    strip.color_multiply = 0.5
    strip.frame_final_start, strip.frame_final_end = 12, 18
    plate = sb.plates.plan(scene, strip)
    assert plate.work.lacking() == [2, 3, 4, 5, 6, 7]
    plate.work.make(Job())
    strip.frame_start += 50
    strip.frame_final_start += 1
    strip.frame_final_end += 2
    strip.channel, strip.name, strip.blend_alpha = 5, "renamed", 0.3
    moved = sb.plates.plan(scene, strip)
    assert moved.key == plate.key and moved.work.lacking() == [8, 9]
    moved.work.make(Job())
    assert moved.work.wanted.numbers() == [3, 4, 5, 6, 7, 8, 9]
    again = sb.plates.plan(scene, strip)
    assert not again.work.lacking() and again.work.blend == ""
    again.work.make(Job())


def test_what_changes_the_picture_changes_the_key(
    scene: Any, sb: SimpleNamespace, movie30: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(movie30.read_bytes())
    meta = sb.compat.strips(scene.sequence_editor).new_meta("meta", 2, 10)
    inner = sb.compat.strips(meta).new_movie("inner", str(copy), 1, 10)
    meta.frame_final_end = inner.frame_final_end

    def key() -> str:
        return sb.plates.plan(scene, meta, prepare=False).key

    seen = [key()]

    def changed() -> None:
        now = key()
        assert now not in seen
        seen.append(now)

    meta.frame_start += 20
    meta.frame_final_start += 2
    meta.frame_final_end -= 2
    assert key() == seen[-1]
    inner.transform.rotation = 0.2
    changed()
    inner.frame_offset_start = 3
    changed()
    inner.blend_alpha = 0.5
    changed()
    meta.crop.min_x = 4
    changed()
    meta.transform.keyframe_insert("scale_x", frame=12)
    changed()
    meta.transform.scale_x = 2.0
    meta.transform.keyframe_insert("scale_x", frame=20)
    changed()
    scene.render.resolution_x = 128
    changed()
    os.utime(copy, (1, 1))
    changed()


def test_cancelled_while_it_renders(scene: Any, sb: SimpleNamespace, movie30: Path) -> None:
    """The child ends, nothing half-made stays, and what was whole is used the next time."""
    strip = movie_strip(sb, scene, movie30)
    strip.use_reverse_frames = True
    plate = sb.plates.plan(scene, strip)

    class Impatient(Job):
        cancelled = False

        def progress(self, done: int, total: int, stage: str) -> None:
            super().progress(done, total, stage)
            if done == 2 and not self.cancelled:
                self.cancelled = True
                killer = threading.Thread(target=self.functions[-1])  # as the interface does
                killer.start()
                killer.join()

        def step(self) -> None:
            if self.cancelled:
                raise InterruptedError

    job = Impatient()
    with pytest.raises(InterruptedError):
        plate.work.make(job)
    there = plate.work.made.numbers()
    assert there[:2] == [0, 1] and len(there) < COUNT
    assert [entry.name for entry in plate.work.made.folder.parent.iterdir()] == ["made"]
    assert not list(sb.plates.folder().glob("*.blend*"))
    plate = sb.plates.plan(scene, strip)
    assert plate.work.lacking() == list(range(len(there), COUNT))
    plate.work.make(Job())
    assert said(plate.work.wanted.path(0)) == COUNT - 1


def test_a_child_that_fails_says_why(scene: Any, sb: SimpleNamespace, movie30: Path) -> None:
    strip = movie_strip(sb, scene, movie30)
    strip.use_reverse_frames = True
    plate = sb.plates.plan(scene, strip)
    plate.work.strip = "deleted"
    with pytest.raises(
        Exception, match=r'could not render the strip "deleted" .There is no strip "deleted"'
    ) as caught:
        plate.work.make(Job())
    assert caught.value.code == "not_readable"
    assert not plate.work.blend


def test_two_jobs_want_the_same(scene: Any, sb: SimpleNamespace, movie30: Path) -> None:
    strip = movie_strip(sb, scene, movie30)
    strip.use_reverse_frames = True
    strip.frame_final_end = 14
    one, other = sb.plates.plan(scene, strip), sb.plates.plan(scene, strip)
    job = Job()
    thread = threading.Thread(target=one.work.make, args=(Job(),))
    thread.start()
    other.work.make(job)
    thread.join()
    assert one.work.wanted.numbers() == [0, 1, 2, 3]
    assert not one.work.lacking() and not other.work.lacking()


def test_shown_in_the_sequencer(scene: Any, sb: SimpleNamespace, movie30: Path, tmp_path: Path) -> None:
    """A cropped and scaled strip: the plate is what Blender shows, pixel by pixel."""
    strip = movie_strip(sb, scene, movie30)
    strip.crop.min_x, strip.transform.scale_x, strip.transform.rotation = 10, 0.6, 0.3
    strip.frame_final_end = 13
    plate = sb.plates.plan(scene, strip)
    plate.work.make(Job())
    for frame, number in plate.frames:
        ours = samples(plate.work.wanted.path(number))[2]
        blenders = samples(render_frame(scene, frame, tmp_path / "shown.png"))[2]
        assert max(abs(a - b) for a, b in zip(ours, blenders, strict=True)) <= 1 / 65535


def test_the_child_ends_with_its_parent(
    scene: Any, sb: SimpleNamespace, movie30: Path, tmp_path: Path
) -> None:
    """Blender may quit or crash in the middle: no renderer goes on behind anybody's back."""
    strip = movie_strip(sb, scene, movie30)
    strip.use_reverse_frames = True
    work = sb.plates.plan(scene, strip).work
    order = {"blend": work.blend, "scene": scene.name, "strip": strip.name, "origin": 10, "format": "png"}
    order |= {"scripts": False, "frames": [[0, str(tmp_path / "part.png"), str(tmp_path / "0.png")]] * 10_000}
    (tmp_path / "job.json").write_text(json.dumps(order))
    child = subprocess.Popen(
        [*work.command, str(tmp_path / "job.json")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        next(line for line in child.stdout if line.startswith(sb.plates_child.MARK.encode()))
        child.stdin.close()
        for _ in child.stdout:
            pass
        assert child.wait(60) == 1
    finally:
        child.kill()


def test_one_frame_alone(scene: Any, sb: SimpleNamespace, movie30: Path) -> None:
    """For a preview: nothing else is rendered, and the whole plate knows it afterwards."""
    strip = movie_strip(sb, scene, movie30)
    strip.use_reverse_frames = True
    whole = sb.plates.plan(scene, strip, prepare=False)
    one = sb.plates.only(strip, whole, 15)
    copy = Path(one.work.blend)
    assert one.frames == [(15, 5)] and one.path != whole.path and copy.is_file()
    one.work.make(Job())
    assert said(one.work.wanted.path(5)) == COUNT - 6
    assert one.work.wanted.numbers() == [5] and 5 not in whole.work.lacking()
    assert sb.plates.only(strip, whole, 15).work.blend == ""


def test_a_copy_goes_with_what_it_was_for(scene: Any, sb: SimpleNamespace, movie30: Path) -> None:
    """Also where a job ends before it begins."""
    strip = movie_strip(sb, scene, movie30)
    strip.use_reverse_frames = True
    plate = sb.plates.plan(scene, strip)
    copy = Path(plate.work.blend)
    assert copy.is_file()
    del plate
    gc.collect()
    assert not copy.exists()
