"""Output frames are those of `stylebridge render`, frame for frame: of the media where Blender does not change them,
else of the plate that Blender rendered.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from plates_tools import HEIGHT, WIDTH, new_effect, samples, write_rgb

STYLE = "great-wave"


def waves(number: int) -> Callable[[int, int], tuple[int, int, int]]:
    """A picture that is different in each place and for each number."""

    def colour(x: int, y: int) -> tuple[int, int, int]:
        return (x * 5 + y * 3 + number * 7) % 256, (x * 2 + number * 11) % 256, (255 - y * 3) % 256

    return colour


@pytest.fixture(scope="session")
def waving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, 1001 to 1012, without 1004 and 1008 to 1010."""
    folder = tmp_path_factory.mktemp("waving")
    for number in (1001, 1002, 1003, 1005, 1006, 1007, 1011, 1012):
        write_rgb(folder / f"wave.{number}.png", WIDTH, HEIGHT, waves(number))
    return folder


def command_line(source: str, folder: Path, first: int, last: int) -> Path:
    """`stylebridge render` of some frames into numbered pictures."""
    folder.mkdir()
    line = [
        os.environ["STYLEBRIDGE_PYTHON"],
        "-m",
        "stylebridge",
        "render",
        source,
        str(folder / "cli.####.png"),
    ]
    options = ["--style", STYLE, "--frames", f"{first}-{last}"]
    done = subprocess.run([*line, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def compare(
    sb: Any, scene: Any, strip: Any, folder: Path, numbers: list[int], source: str | None = None
) -> None:
    """Renders a strip by the add-on, and what went in by the command line."""
    settings = sb.strips.begin(strip)
    settings.layers[0].style, settings.output = STYLE, "flat"
    job = sb.ops_render_ops.start(scene, strip)
    sb.engine_lanes.wait(job)
    assert job.state == "done", job.message
    plate = sb.plates.plan(scene, strip)
    assert [number for _, number in plate.frames] == numbers
    assert (plate.work is None) == (source is not None)
    cli = command_line(source or plate.path, folder / "cli", min(numbers), max(numbers))
    (made,) = [made for _, made in sb.strips.made_of(strip.stylebridge.uid)]
    assert (made.frame_final_start, made.frame_final_end) == (strip.frame_final_start, strip.frame_final_end)
    files = [Path(bpy.path.abspath(made.directory)) / element.filename for element in made.elements]
    assert len(files) == len(numbers)
    for file, number in zip(files, numbers, strict=True):
        same = samples(file) == samples(next(cli.glob(f"cli.{number:04d}.png")))
        assert same, number


def add_movie(sb: Any, scene: Any, movie: Path, start: int = 10, last: int = 6) -> Any:
    """The example shot, its first frames."""
    strip = sb.compat.strips(scene.sequence_editor).new_movie("shot", str(movie), 1, start)
    strip.frame_final_end = start + last
    return strip


pytestmark = pytest.mark.usefixtures("server")


def test_plain(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    strip = add_movie(sb, scene, movie)
    compare(sb, scene, strip, tmp_path, list(range(6)), str(movie))


def test_trimmed_at_both_ends_and_moved(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    strip = add_movie(sb, scene, movie, 101)
    strip.frame_start = 1
    strip.frame_final_end = 36
    strip.frame_final_start = 31
    compare(sb, scene, strip, tmp_path, [30, 31, 32, 33, 34], str(movie))


def test_sequence_with_gaps(scene: Any, sb: SimpleNamespace, waving: Path, tmp_path: Path) -> None:
    """Blender shows one after another: so does a sequence of the same pictures numbered without gaps."""
    names = sorted(file.name for file in waving.iterdir())
    strip = sb.compat.new_image(scene.sequence_editor, "waving", str(waving / names[0]), 1, 10)
    for name in names[1:]:
        strip.elements.append(name)
    strip.frame_final_duration = len(names)
    whole = tmp_path / "whole"
    whole.mkdir()
    for number, name in enumerate(names):
        shutil.copy(waving / name, whole / f"w.{number:04d}.png")
    compare(sb, scene, strip, tmp_path, list(range(8)), str(whole / "w.####.png"))


def test_of_another_rate_frame_by_frame(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    """24 frames per second in a scene of 30."""
    scene.render.fps = 30
    strip = add_movie(sb, scene, movie)
    compare(sb, scene, strip, tmp_path, list(range(6)), str(movie))


def test_at_its_own_rate(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    """The same, at the movie's own speed: Blender repeats frames."""
    scene.render.fps = 30
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    if hasattr(window.workspace, "sequencer_scene"):
        window.workspace.sequencer_scene = scene
    with bpy.context.temp_override(window=window, area=area, scene=scene):
        bpy.ops.sequencer.movie_strip_add(
            filepath=str(movie),
            files=[{"name": movie.name}],
            directory=f"{movie.parent}/",
            frame_start=10,
            channel=1,
            use_framerate=False,
            sound=False,
            fit_method="ORIGINAL",
        )
    strip = sb.compat.strips(scene.sequence_editor)[0]
    strip.frame_final_end = 17
    compare(sb, scene, strip, tmp_path, list(range(7)))


def test_reversed(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    strip = add_movie(sb, scene, movie)
    strip.use_reverse_frames = True
    compare(sb, scene, strip, tmp_path, list(range(6)))


def test_twice_as_fast(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    strip = add_movie(sb, scene, movie, last=5)
    fast = new_effect(scene, "fast", "SPEED", 2, 10, 5, strip)
    fast.speed_control, fast.speed_factor = "MULTIPLY", 2.0
    compare(sb, scene, fast, tmp_path, list(range(5)))


def test_meta(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    meta = sb.compat.strips(scene.sequence_editor).new_meta("meta", 1, 10)
    inner = sb.compat.strips(meta).new_movie("inner", str(movie), 1, 10)
    text = sb.compat.strips(meta).new_movie("over", str(movie), 2, 12)
    inner.frame_final_end, text.frame_final_end = 15, 15
    text.transform.scale_x = text.transform.scale_y = 0.1
    meta.frame_final_end = 15
    compare(sb, scene, meta, tmp_path, list(range(5)))


def test_cropped_and_scaled(scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path) -> None:
    """Smaller than the picture: the rest is transparent, in what comes back too."""
    strip = add_movie(sb, scene, movie, last=4)
    strip.crop.min_x, strip.transform.scale_x, strip.transform.scale_y = 100, 0.12, 0.12
    compare(sb, scene, strip, tmp_path, list(range(4)))
    (made,) = [made for _, made in sb.strips.made_of(strip.stylebridge.uid)]
    file = Path(bpy.path.abspath(made.directory)) / made.elements[0].filename
    alphas = samples(file)[2][3::4]
    assert 0.0 in alphas and 1.0 in alphas


def test_alpha_over(scene: Any, sb: SimpleNamespace, movie: Path, waving: Path, tmp_path: Path) -> None:
    below = add_movie(sb, scene, movie, last=4)
    above = sb.compat.new_image(scene.sequence_editor, "above", str(waving / "wave.1001.png"), 2, 10)
    above.frame_final_duration = 4
    above.transform.scale_x, above.blend_alpha = 0.5, 0.5
    over = new_effect(scene, "over", "ALPHA_OVER", 3, 10, 4, below, above)
    compare(sb, scene, over, tmp_path, list(range(4)))


def test_a_varying_rate_is_refused_and_a_meta_helps(
    scene: Any, sb: SimpleNamespace, movie: Path, tmp_path: Path
) -> None:
    """Blender goes by the clock, the server by the frame: better none than frames that do not belong together."""
    path = tmp_path / "phone.mkv"
    write = (
        "import av, sys; s = av.open(sys.argv[1]); i = s.streams.video[0]; o = av.open(sys.argv[2], 'w')\n"
        "t = o.add_stream_from_template(i)\n"
        "for n, p in enumerate(p for p in s.demux(i) if p.dts is not None):\n"
        "    f = lambda at: at * (1 if at * p.time_base < 1 else 2)\n"
        "    p.pts, p.dts, p.stream = f(p.pts), f(p.dts), t\n"
        "    o.mux(p)\n"
        "o.close()\n"
    )
    subprocess.run([os.environ["STYLEBRIDGE_PYTHON"], "-c", write, str(movie), str(path)], check=True)
    strip = add_movie(sb, scene, path, last=4)
    sb.strips.begin(strip).layers[0].style = STYLE
    job = sb.ops_render_ops.start(scene, strip)
    sb.engine_lanes.wait(job)
    assert job.state == "failed" and "phone.mkv has a varying frame rate" in job.message
    meta = sb.compat.strips(scene.sequence_editor).new_meta("meta", 3, 10)
    strip.move_to_meta(meta)
    meta.frame_final_end = 14
    compare(sb, scene, meta, tmp_path, list(range(4)))
