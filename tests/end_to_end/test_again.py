"""Rendering again: what is there is kept where it is this request's, told as stale where not, never lost unasked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from end_to_end_tools import FRAMES, Command, environment, picture
from fault_tools import until

from stylebridge import stamp
from stylebridge.stamp import spans
from stylebridge_server import media

LOOK = """
schema = "look.1"
[background]
style = "great-wave"
strength = {strength}
"""


def look(folder: Path, strength: object, style: str = "great-wave") -> Path:
    path = folder / "a.toml"
    path.write_text(LOOK.format(strength=strength).replace("great-wave", style))
    return path


def marks(folder: Path, stem: str = "out") -> dict[int, tuple[int, bytes]]:
    """Of each file of a sequence, when it was written and what is in it."""
    found = {}
    for path in folder.glob(f"{stem}.*.png"):
        found[int(path.name.split(".")[-2])] = (path.stat().st_mtime_ns, path.read_bytes())
    return found


def rewritten(before: dict[int, tuple[int, bytes]], after: dict[int, tuple[int, bytes]]) -> list[int]:
    return sorted(number for number in after if before.get(number, (0,))[0] != after[number][0])


def test_a_cut_off_sequence_is_gone_on_with(stylebridge: Command, movie: Path) -> None:
    words = ("render", movie, "out.####.png", "--style", "great-wave")
    assert stylebridge(*words).status == 0
    whole = marks(stylebridge.folder)
    for number in (3, 4, 9):
        (stylebridge.folder / f"out.{number:04d}.png").unlink()
    cut = stylebridge.folder / "out.0007.png"
    cut.write_bytes(cut.read_bytes()[:-30])  # the notes are there, the picture is not
    check = stylebridge(*words, "--check")
    assert (check.status, check.out.splitlines()[1:]) == (4, ["cut off or damaged: 7", "missing: 3-4, 9"])
    done = stylebridge(*words)
    assert done.status == 0 and "out.####.png: 4 frames in" in done.out, done
    assert "8 frames there already and kept" in done.out
    after = marks(stylebridge.folder)
    assert rewritten(whole, after) == [3, 4, 7, 9]
    assert {number: data for number, (_, data) in after.items()} == {
        n: data for n, (_, data) in whole.items()
    }
    again = stylebridge(*words, "--contact-sheet", "sheet.png")
    assert again.status == 0 and "12 frames there already" in again.out and "nothing to do" in again.out
    assert rewritten(after, marks(stylebridge.folder)) == []
    assert (stylebridge.folder / "sheet.png").exists()
    assert stylebridge(*words, "--check").status == 0


def test_a_killed_render_is_gone_on_with(
    stylebridge: Command, movie: Path, home: Path, server: str, tmp_path: Path
) -> None:
    words = [
        sys.executable,
        "-m",
        "stylebridge",
        "render",
        str(movie),
        "out.####.png",
        "--style",
        "great-wave",
    ]
    words += ["--window", "3", "--quiet", "--server", server]
    running = subprocess.Popen(words, cwd=tmp_path, env=environment(home), start_new_session=True)
    until(lambda: running.poll() is not None or (tmp_path / "out.0001.png").exists(), "the second frame")
    with contextlib.suppress(ProcessLookupError):  # a machine that was faster
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = marks(tmp_path)
    done = stylebridge(*words[3:-2])
    assert done.status == 0, done.err
    after = marks(tmp_path)
    assert sorted(after) == list(range(FRAMES))
    assert set(rewritten(before, after)) == set(range(FRAMES)) - set(before)
    assert not list(tmp_path.glob(".*"))


def test_a_moved_key_renders_the_frames_that_it_moves(stylebridge: Command, movie: Path) -> None:
    folder = stylebridge.folder
    words = ("render", movie, "out.####.png", "--look", look(folder, "[[0, 0.2], [6, 0.8], [8, 0.8]]"))
    assert stylebridge(*words).status == 0
    before = marks(folder)
    look(folder, "[[0, 0.2], [6, 0.8], [8, 0.8], [9, 0.5]]")
    check = stylebridge(*words, "--check")
    assert check.status == 4 and check.out.splitlines() == [
        "out.####.png: 9 of 12 frames are as this request makes them.",
        "stale: 9-11",
    ]
    refused = stylebridge(*words)
    assert refused.status == 2 and "9-11" in refused.err and len(refused.err.strip().split("\n")) == 1
    assert "--overwrite" in refused.err and "--next-version" in refused.err
    assert marks(folder) == before
    done = stylebridge(*words, "--overwrite")
    assert done.status == 0 and "9 frames there already and kept" in done.out
    assert rewritten(before, marks(folder)) == [9, 10, 11]
    assert stylebridge(*words, "--check").status == 0


def test_a_movie_of_another_request_is_not_replaced_unasked(stylebridge: Command, movie: Path) -> None:
    folder = stylebridge.folder
    words = ("render", movie, "out.mp4", "--frames", "2-5", "--style")
    assert stylebridge(*words, "great-wave").status == 0
    first = (folder / "out.mp4").read_bytes()
    same = stylebridge(*words, "great-wave")
    assert same.status == 0 and "nothing to do" in same.out
    for other in (
        stylebridge(*words, "starry-night"),
        stylebridge("render", movie, "out.mp4", "--frames", "2-4", "--style", "great-wave"),
    ):
        assert other.status == 2 and len(other.err.strip().split("\n")) == 1
        assert "--overwrite" in other.err and "out_v001.mp4" in other.err
    assert (folder / "out.mp4").read_bytes() == first
    assert stylebridge(*words, "starry-night", "--check").out.splitlines()[1] == "stale: 2-5"
    assert stylebridge(*words, "starry-night", "--overwrite").status == 0
    assert (folder / "out.mp4").read_bytes() != first
    assert stylebridge(*words, "starry-night", "--check").status == 0
    assert sorted(one.name for one in folder.iterdir()) == ["out.mp4"]


def test_versions_count_on_and_a_request_keeps_its_own(stylebridge: Command, movie: Path) -> None:
    def names() -> list[str]:
        return sorted(one.name for one in stylebridge.folder.iterdir())

    words = ("render", movie, "out.####.png", "--frames", "0-1", "--next-version", "--style")
    assert stylebridge(*words, "great-wave").status == 0
    assert names() == ["out_v001.0000.png", "out_v001.0001.png"]
    (stylebridge.folder / "out_v001.0001.png").unlink()  # as if it had been cut off
    done = stylebridge(*words, "great-wave")
    assert done.status == 0 and "out_v001.####.png: 1 frame in" in done.out
    done = stylebridge(*words, "starry-night")
    assert done.status == 0 and "out_v002.####.png" in done.out
    assert names() == [f"out_v00{version}.000{frame}.png" for version in (1, 2) for frame in (0, 1)]
    refused = stylebridge("render", movie, "out_v001.####.png", "--frames", "0-1", "--style", "starry-night")
    assert refused.status == 2 and "out_v003.####.png" in refused.err


@pytest.mark.parametrize("name", ["out.mp4", "out.png"])
def test_what_nobody_rendered_is_refused_before_any_work(
    stylebridge: Command, movie: Path, name: str
) -> None:
    (stylebridge.folder / name).write_bytes(b"a holiday")
    words = ("render", movie, name, "--frames", "0-0", "--style", "great-wave")
    done = stylebridge(*words, "--server", "tcp://127.0.0.1:1?key=x", server=False)
    assert done.status == 2 and "there already" in done.err and done.err.count("\n") == 1
    assert (stylebridge.folder / name).read_bytes() == b"a holiday"
    assert sorted(one.name for one in stylebridge.folder.iterdir()) == [name]


def test_a_result_carries_its_look_and_no_path(stylebridge: Command, movie: Path) -> None:
    folder = stylebridge.folder
    media.save_image(folder / "stripes.png", np.ascontiguousarray(picture(0)[:, ::-1]))
    words = ("render", movie, "out.mp4", "--frames", "0-1", "--style", "stripes.png", "--strength", 0.5)
    assert stylebridge(*words).status == 0
    notes = media.read_notes(folder / "out.mp4")
    assert 'style = "stripes.png"' in notes[stamp.LOOK] and "strength = 0.5" in notes[stamp.LOOK]
    assert str(folder).encode() not in (folder / "out.mp4").read_bytes()
    (folder / "again.toml").write_text(notes[stamp.LOOK])
    again = ("render", movie, "out.mp4", "--frames", "0-1", "--look", "again.toml")
    assert stylebridge(*again, "--check").status == 0
    media.save_image(folder / "stripes.png", picture(0))  # the same name, another picture
    assert stylebridge(*again, "--check").out.splitlines()[1] == f"stale: {spans([0, 1])}"


def test_check_and_the_next_version_exclude_one_another(stylebridge: Command, movie: Path) -> None:
    done = stylebridge("render", movie, "out.mp4", "--style", "great-wave", "--check", "--next-version")
    assert done.status == 2 and done.err.count("\n") == 1
