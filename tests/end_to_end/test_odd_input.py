"""Bad input: one clear sentence, the right status, nothing half-written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from end_to_end_tools import Command, write_movie

from stylebridge_server import media

LOOKS = {
    "key": ("[background]\nstile = 'great-wave'", r"line 3.*stile.*style"),
    "type": ("[background]\nstyle = 'great-wave'\nstrength = 'much'", r"line 4.*strength"),
    "range": ("[background]\nstyle = 'great-wave'\nstrength = 1.5", r"line 4.*1\.5.*0 to 1"),
    "twins": (
        "[background]\nstyle = 'great-wave'\nstrength = [[1, 0.0], [1, 1.0]]",
        r"line 4.*two keys at frame 1",
    ),
    "syntax": ("[background\n", r"line 2"),
}


def refused(stylebridge: Command, *arguments: object, says: str, server: bool = True) -> None:
    before = sorted(stylebridge.folder.rglob("*"))
    done = stylebridge("render", *arguments, server=server)
    assert done.status == 2, (done.status, done.out, done.err)
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert "Traceback" not in done.err
    message = lines[-1]
    assert message.startswith("stylebridge: ")
    assert re.search(says, message), message
    assert sorted(stylebridge.folder.rglob("*")) == before


def test_no_such_file(stylebridge: Command) -> None:
    refused(stylebridge, "nowhere.mp4", "out.mp4", "--style", "great-wave", says="nowhere.mp4")


def test_a_text_file_named_mp4(stylebridge: Command) -> None:
    (stylebridge.folder / "text.mp4").write_text("not a movie\n" * 50)
    refused(stylebridge, "text.mp4", "out.mp4", "--style", "great-wave", says="text.mp4")


def test_zero_frames(stylebridge: Command) -> None:
    write_movie(stylebridge.folder / "empty.mp4", frames=0)
    refused(stylebridge, "empty.mp4", "out.mp4", "--style", "great-wave", says="empty.mp4")
    refused(stylebridge, "none.####.png", "out.####.png", "--style", "great-wave", says="none")


def test_style_images(stylebridge: Command, movie: Path) -> None:
    refused(stylebridge, movie, "out.mp4", "--style", "missing.jpg", says="missing.jpg")
    (stylebridge.folder / "words.jpg").write_text("words")
    refused(stylebridge, movie, "out.mp4", "--style", "words.jpg", says="words.jpg")


def test_an_unknown_style_suggests_the_nearest(stylebridge: Command, movie: Path) -> None:
    refused(stylebridge, movie, "out.mp4", "--style", "stary-night", says="stary-night.*starry-night")
    refused(stylebridge, movie, "out.mp4", says="--style")


@pytest.mark.parametrize("name", LOOKS)
def test_wrong_looks_name_line_and_key(stylebridge: Command, movie: Path, name: str) -> None:
    text, says = LOOKS[name]
    (stylebridge.folder / "bad.toml").write_text(f'schema = "look.1"\n{text}\n')
    refused(stylebridge, movie, "out.mp4", "--look", "bad.toml", says=says)


def test_an_instance_that_is_not_there(stylebridge: Command, movie: Path) -> None:
    look = 'schema = "look.1"\n[[instance]]\nselect = "cat"\nstyle = "great-wave"\n'
    (stylebridge.folder / "cat.toml").write_text(look)
    refused(stylebridge, movie, "out.mp4", "--look", "cat.toml", says="cat")


def test_options_out_of_range(stylebridge: Command, movie: Path) -> None:
    refused(stylebridge, movie, "out.mp4", "--style", "great-wave", "--strength", 2, says="strength.*0 to 1")
    refused(stylebridge, movie, "out.mp4", "--style", "great-wave", "--frames", "9-3", says="--frames")
    refused(stylebridge, movie, "out.mp4", "--style", "great-wave", "--frames", "3-40", says="3-40.*0 to 11")


def test_outputs_that_cannot_be_written(stylebridge: Command, movie: Path) -> None:
    refused(stylebridge, movie, "nowhere/out.mp4", "--style", "great-wave", says="nowhere")
    refused(stylebridge, movie, "out.xyz", "--style", "great-wave", says="out.xyz")
    refused(stylebridge, movie, movie, "--style", "great-wave", says="plate.mp4")


def test_an_absent_camera(stylebridge: Command) -> None:
    refused(stylebridge, "camera:77", "--style", "great-wave", says="camera")


def test_an_unreachable_server(stylebridge: Command, movie: Path) -> None:
    refused(
        stylebridge,
        movie,
        "out.mp4",
        "--style",
        "great-wave",
        "--server",
        "tcp://127.0.0.1:9",
        says="does not answer.*stylebridge serve",
        server=False,
    )


def test_a_truncated_movie_gives_what_it_has(stylebridge: Command) -> None:
    whole = write_movie(stylebridge.folder / "whole.mkv", frames=60)
    data = whole.read_bytes()
    cut = stylebridge.folder / "cut.mkv"
    cut.write_bytes(data[: int(len(data) * 0.6)])
    done = stylebridge("render", "cut.mkv", "out.mp4", "--style", "great-wave")
    assert done.status == 3, done.err
    with media.open_source(stylebridge.folder / "out.mp4") as source:
        made = source.info.count
    assert 0 < made < 60
    assert f"up to frame {made - 1}," in done.out
