"""A compositor's plates: half float EXR with overscan, alpha, views and metadata, through the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from end_to_end_tools import Command
from media.exr_samples import all_of, headers_of, ramp, write, write_stereo

from stylebridge_server import media
from stylebridge_server.media.exr_file import read_headers

LOOK = """
schema = "look.1"
[background]
strength = 0.0
style = "starry-night"
[[instance]]
select = "box"
style = "starry-night"
strength = 1.0
[[matte]]
name = "box"
path = "matte.png"
"""


def smooth(size: tuple[int, int], seed: int) -> np.ndarray:
    """(H, W, 4) half floats, premultiplied, some far above 1."""
    random = np.random.default_rng(seed)
    colour = cv2.GaussianBlur(random.random((*size, 3)).astype(np.float32), (0, 0), 3) ** 4 * 30
    alpha = np.clip(cv2.GaussianBlur(random.random(size).astype(np.float32), (0, 0), 6) * 4 - 1.4, 0, 1)
    return np.concatenate([colour * alpha[..., None], alpha[..., None]], -1).astype(np.float16)


def test_strength_0_brings_a_stereo_plate_back_as_it_was(stylebridge: Command) -> None:
    for number in (1001, 1002):
        write_stereo(stylebridge.folder / f"plate.{number}.exr", seed=number)
    done = stylebridge("render", "plate.####.exr", "out.####.exr", "--style", "great-wave", "--strength", "0")
    assert done.status == 0, done.err
    assert "out.####.exr: 2 frames" in done.out and "2 views" in done.out
    for number in (1001, 1002):
        before, after = (stylebridge.folder / f"{name}.{number}.exr" for name in ("plate", "out"))
        assert all_of(before) == all_of(after)
        assert headers_of(before) == headers_of(after)
    assert media.read_notes(stylebridge.folder / "out.1001.exr")["stylebridge:look"].startswith("schema")
    again = stylebridge(
        "render", "plate.####.exr", "out.####.exr", "--style", "great-wave", "--strength", "0"
    )
    assert again.status == 0 and "there already" in again.out


def test_at_full_strength_all_outside_the_matte_is_as_it_was(stylebridge: Command) -> None:
    size, folder = (90, 120), stylebridge.folder
    window = {"at": (-10, -10), "full": (0, 0, 100, 70), "compression": "piz"}
    plates = {
        number: write(folder / f"plate.{number}.exr", smooth(size, number), **window) for number in (7, 8)
    }
    plates[8][0, 0] = np.nan
    write(folder / "plate.8.exr", plates[8], **window)
    matte = np.zeros(size, np.uint8)
    matte[20:60, 30:90] = 255
    media.save_image(folder / "matte.png", matte[10:80, 10:110])  # as large as the display window
    (folder / "look.toml").write_text(LOOK)
    done = stylebridge("render", "plate.#.exr", "out.#.exr", "--look", "look.toml", "--colour", "acescg")
    assert done.status == 0, done.err
    for number, plate in plates.items():
        with media.open_source(folder / f"out.{number}.exr") as source:
            styled = source.read(0).pixels
        same = (styled.view(np.uint16) == plate.view(np.uint16)).all(-1)
        assert same[matte == 0].all()
        assert not same[(matte > 0) & (plate[..., 3] > 0)].mean() > 0.1
        assert (styled[..., 3].view(np.uint16) == plate[..., 3].view(np.uint16)).all()
        assert np.isfinite(styled[matte > 0]).all()
        assert headers_of(folder / f"out.{number}.exr") == headers_of(folder / f"plate.{number}.exr")


def test_views_in_the_names_of_files_are_each_styled(stylebridge: Command) -> None:
    folder = stylebridge.folder
    for view in ("left", "right"):
        (folder / view).mkdir()
        for number in (1, 2):
            write(folder / view / f"a.{number:04}.exr", smooth((40, 50), number))
    done = stylebridge(
        "render", "%V/a.%04d.exr", "out_%v.@@@@.exr", "--style", "great-wave", "--strength", "0"
    )
    assert done.status == 0, done.err
    written = sorted(one.name for one in folder.glob("out*"))
    assert written == ["out_l.0001.exr", "out_l.0002.exr", "out_r.0001.exr", "out_r.0002.exr"]
    assert all_of(folder / "out_r.0002.exr") == all_of(folder / "right" / "a.0002.exr")
    for wrong, words in (
        (("%V/a.####.exr", "b.####.exr"), "several views"),
        (("%V/a.####.exr", "%V.####.exr", "--view", "centre"), "no view 'centre'"),
        (("%V/b.####.exr", "%V.####.exr"), "no file that fits"),
    ):
        done = stylebridge("render", *wrong, "--style", "great-wave")
        assert done.status == 2 and words in done.err, done.err
    one = stylebridge(
        "render", "%V/a.####.exr", "b.####.exr", "--style", "great-wave", "--strength", "0", "--view", "left"
    )
    assert one.status == 0 and (folder / "b.0002.exr").is_file()


def test_gaps_are_refused_or_stood_for_and_said(stylebridge: Command) -> None:
    folder = stylebridge.folder
    for number in (-1, 0, 3):
        write(folder / f"a.{'-' * (number < 0)}{abs(number):03}.exr", ramp((20, 30), 4, number + 5))
    render = ("render", "a.###.exr")
    plain = ("--style", "great-wave", "--strength", "0")
    done = stylebridge(*render, "out.###.exr", *plain)
    assert done.status == 2 and "lacks frame 1" in done.err and "--gaps hold" in done.err
    for policy in ("hold", "black"):
        done = stylebridge(*render, f"{policy}.###.exr", *plain, "--gaps", policy)
        assert done.status == 0, done.err
        assert "missing" in done.out and "1-2" in done.out
        assert media.read_notes(folder / f"{policy}.-001.exr")["stylebridge:gaps"] == f"{policy} 1-2"
        assert all_of(folder / f"{policy}.003.exr") == all_of(folder / "a.003.exr")
    assert all_of(folder / "hold.002.exr") == all_of(folder / "a.000.exr")
    header = read_headers(folder / "hold.002.exr").parts[0].attributes
    assert header["stylebridge:gap"].text == "frame 0 held"
    with media.open_source(folder / "black.002.exr") as source:
        assert not source.read(0).pixels.any()
    wrong = stylebridge(*render, "out.###.exr", *plain, "--gaps", "blak")
    assert wrong.status == 2 and "did you mean 'black'?" in wrong.err


def test_other_sources_become_exr_in_their_own_space(stylebridge: Command) -> None:
    folder = stylebridge.folder
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, -1)
    media.save_image(folder / "a.0001.png", codes)
    done = stylebridge("render", "a.####.png", "a.####.exr", "--style", "great-wave", "--strength", "0")
    assert done.status == 0, done.err
    with media.open_source(folder / "a.0001.exr") as source:
        assert (source.info.colour, source.info.dtype) == ("srgb", "float16")
        assert (np.rint(source.read(0).pixels.astype(np.float32) * 255) == codes).all()


def test_float_plates_are_not_written_where_they_cannot_be(stylebridge: Command) -> None:
    write(stylebridge.folder / "a.exr", smooth((20, 30), 1))
    for target in ("a.png", "a.mp4", "a.jpg"):
        done = stylebridge("render", "a.exr", target, "--style", "great-wave")
        assert done.status == 2 and ".exr" in done.err and not (stylebridge.folder / target).exists(), (
            done.err
        )


def test_a_cut_off_file_keeps_the_frames_before_it(stylebridge: Command) -> None:
    folder: Path = stylebridge.folder
    for number in range(1, 5):
        write(folder / f"a.{number}.exr", smooth((40, 50), number))
    data = (folder / "a.3.exr").read_bytes()
    (folder / "a.3.exr").write_bytes(data[: len(data) // 2])
    done = stylebridge("render", "a.#.exr", "out.#.exr", "--style", "great-wave", "--strength", "0")
    assert done.status == 3 and "a.3.exr" in done.out + done.err, (done.out, done.err)
    assert sorted(one.name for one in folder.glob("out*")) == ["out.1.exr", "out.2.exr"]
