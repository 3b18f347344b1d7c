"""Numbered files: names, numbers, gaps, and every file whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media.samples import make_movie

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import of_view, parse_pattern, views_there
from stylebridge_server.media import open_sink, open_source, read_notes, save_image
from stylebridge_server.values import Frame, SourceInfo

plain = st.text("abcXYZ09._- ", max_size=8)


@given(
    before=plain,
    after=plain,
    digits=st.integers(1, 9),
    style=st.booleans(),
    number=st.integers(-(10**9), 10**9),
)
def test_pattern_finds_the_number_it_wrote(
    before: str, after: str, digits: int, style: bool, number: int
) -> None:
    place = "#" * digits if style else f"%0{digits}d"
    pattern = parse_pattern(f"folder/{before}{place}{after}.png")
    assert pattern is not None
    path = pattern.path(number)
    assert path.parent.name == "folder"
    assert pattern.number(path.name) == number
    inside = path.name[len(before) : len(path.name) - len(after) - 4]
    assert len(inside.lstrip("-")) == max(digits, len(str(abs(number))))


@given(name=st.text(max_size=24), digits=st.integers(1, 6))
def test_pattern_takes_only_names_it_would_write(name: str, digits: int) -> None:
    pattern = parse_pattern(f"a.{'#' * digits}.png")
    assert pattern is not None
    number = pattern.number(name)
    # A negative number may count its sign as a digit, as C has it.
    assert number is None or name in (pattern.path(number).name, f"a.{number:0{digits}d}.png")


def test_patterns_and_what_is_none() -> None:
    assert parse_pattern("a/plate.png") is None
    assert parse_pattern("a####/plate.png") is None
    short = parse_pattern("plate.%d.png")
    assert short is not None and short.path(7).name == "plate.7.png" and short.number("plate.007.png") is None
    long = parse_pattern("plate.####.png")
    assert (
        long is not None and long.path(12345).name == "plate.12345.png" and long.number("plate.7.png") is None
    )
    assert str(long) == "plate.####.png"
    for same in ("plate.@@@@.png", "plate.$F4.png", "plate.%04d.png"):
        assert parse_pattern(same) == long
    one = parse_pattern("plate.$F.png")
    assert one is not None and one.digits == 1
    for none in ("clip@home.png", "a$Fred.png", "cost$F4x.png"):
        assert parse_pattern(none) is None
    for bad in ("a.####.b.####.png", "a.%04d.####.png", "a.%099d.png"):
        with pytest.raises(StylebridgeError):
            parse_pattern(bad)


def write_sequence(
    folder: Path, numbers: range, dtype: str = "uint16", channels: int = 4
) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    made = []
    for number in numbers:
        pixels = random.integers(0, np.iinfo(dtype).max + 1, (5, 7, channels)).astype(dtype)
        save_image(folder / f"plate.{number:04}.png", pixels)
        made.append(pixels)
    return made


@pytest.mark.parametrize("pattern", ["plate.####.png", "plate.%04d.png"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_sequence_round_trip_keeps_numbers_and_bits(tmp_path: Path, pattern: str, dtype: str) -> None:
    made = write_sequence(tmp_path, range(1001, 1009), dtype)
    (tmp_path / "plate.copy.png").write_bytes(b"")
    (tmp_path / "plate.01003.png").write_bytes(b"")
    (tmp_path / "out").mkdir()
    with open_source(tmp_path / pattern) as source:
        assert (source.info.kind, source.info.first, source.info.last) == ("sequence", 1001, 1008)
        assert (source.info.dtype, source.info.channels, source.info.rate) == (dtype, 4, Fraction(24))
        assert np.array_equal(source.read(1005).pixels, made[4])
        with open_sink(tmp_path / "out" / pattern, source.info, 1003, 1006) as sink:
            for frame in source.frames(1003, 1006):
                sink.write(frame)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        f"plate.{n}.png" for n in range(1003, 1007)
    ]
    with open_source(tmp_path / "out" / pattern) as back:
        for frame in back.frames():
            assert np.array_equal(frame.pixels, made[frame.number - 1001])


def test_gap_names_the_first_missing_frame(tmp_path: Path) -> None:
    write_sequence(tmp_path, range(8, 15))
    (tmp_path / "plate.0011.png").unlink()
    (tmp_path / "plate.0013.png").unlink()
    with pytest.raises(StylebridgeError) as caught:
        open_source(tmp_path / "plate.####.png")
    assert caught.value.code == Code.NOT_FOUND
    assert "frame 11 " in caught.value.message and caught.value.details["missing"] == 2


def test_pictures_that_differ_are_named(tmp_path: Path) -> None:
    write_sequence(tmp_path, range(1, 4))
    save_image(tmp_path / "plate.0003.png", np.zeros((4, 4, 3), np.uint8))
    with open_source(tmp_path / "plate.####.png") as source:
        source.read(2)
        with pytest.raises(StylebridgeError) as caught:
            source.read(3)
    assert "plate.0003.png" in caught.value.message and "4x4" in caught.value.message


def test_hash_depends_on_pixels_and_numbers_but_not_on_names(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, start in zip(folders, (1, 1, 2), strict=True):
        folder.mkdir()
        write_sequence(folder, range(start, start + 3))
    for file in list(folders[1].iterdir()):
        file.rename(file.with_name(file.name.replace("plate", "other")))
    hashes = [
        open_source(tmp_path / path).content_hash()
        for path in ("a/plate.####.png", "b/other.%04d.png", "c/plate.####.png")
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_exception_leaves_only_whole_files(tmp_path: Path) -> None:
    info = SourceInfo("frames", 7, 5, 1, 9, 3)
    with pytest.raises(KeyError), open_sink(tmp_path / "a.####.png", info, 1, 9) as sink:
        sink.write(Frame(1, np.zeros((5, 7, 3), np.uint8)))
        raise KeyError
    assert [p.name for p in tmp_path.iterdir()] == ["a.0001.png"]


def test_source_sequence_is_never_overwritten(tmp_path: Path) -> None:
    write_sequence(tmp_path, range(1, 4))
    with open_source(tmp_path / "plate.####.png") as source:
        for target in ("plate.####.png", "plate.%04d.png", "../" + tmp_path.name + "/plate.####.png"):
            with pytest.raises(StylebridgeError) as caught:
                open_sink(tmp_path / target, source.info, 2, 3)
            assert caught.value.code == Code.NOT_WRITABLE
        with pytest.raises(StylebridgeError):
            open_sink(tmp_path / "plate.0002.png", source.info, 2, 2)
        open_sink(tmp_path / "styled.####.png", source.info, 2, 3).abort()


def test_movie_to_pictures_and_pictures_to_movie(tmp_path: Path) -> None:
    movie = make_movie(tmp_path / "a.mp4", count=4)
    with open_source(movie) as source, open_sink(tmp_path / "a.####.png", source.info, 0, 3) as sink:
        for frame in source.frames():
            sink.write(frame)
        truth = [frame.pixels for frame in source.frames()]
    with open_source(tmp_path / "a.####.png") as source:
        assert all(np.array_equal(f.pixels, t) for f, t in zip(source.frames(), truth, strict=True))
        with open_sink(tmp_path / "b.mp4", source.info, 0, 3) as sink:
            for frame in source.frames():
                sink.write(frame)
    with open_source(tmp_path / "b.mp4") as back:
        assert (back.info.rate, back.info.count) == (Fraction(24), 4)
        assert (back.info.tags["colorspace"], back.info.tags["color_trc"]) == (1, 13)


def test_file_whose_own_name_looks_like_a_pattern(tmp_path: Path) -> None:
    save_image(tmp_path / "take.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "take.png").rename(tmp_path / "take #1.png")
    assert open_source(tmp_path / "take #1.png").info.kind == "still"


def test_negative_numbers_in_both_ways_of_writing_them(tmp_path: Path) -> None:
    for name in ("plate.-0002.png", "plate.-001.png", "plate.0000.png"):
        save_image(tmp_path / name, np.full((4, 4, 3), len(name), np.uint8))
    with open_source(tmp_path / "plate.####.png") as source:
        assert (source.info.first, source.info.last) == (-2, 0)
        assert [int(frame.pixels[0, 0, 0]) for frame in source.frames()] == [15, 14, 14]
    save_image(tmp_path / "plate.-0001.png", np.zeros((4, 4, 3), np.uint8))  # where both are there, ours
    with open_source(tmp_path / "plate.####.png") as source:
        assert not source.read(-1).pixels.any()


@pytest.mark.parametrize("policy", ["hold", "black"])
def test_gaps_are_stood_for_by_choice_and_never_silently(tmp_path: Path, policy: str) -> None:
    made = dict(zip((1, 2, 5, 7), write_sequence(tmp_path, range(1, 5)), strict=True))
    for number in (7, 5):
        (tmp_path / f"plate.{4 if number == 7 else 3:04}.png").rename(tmp_path / f"plate.{number:04}.png")
    with open_source(tmp_path / "plate.####.png", gaps=policy) as source:
        assert source.info.count == 7 and "3-4, 6" in source.gaps
        for number, held in ((1, 1), (3, 2), (4, 2), (5, 5), (6, 5), (7, 7)):
            expected = made[held] if policy == "hold" or number in made else made[held] * 0
            assert np.array_equal(source.read(number).pixels, expected)
        kept = source.content_hash()
        with open_sink(tmp_path / "out.####.png", source.info, 2, 4) as sink:
            for frame in source.frames(2, 4):
                sink.write(frame)
    assert read_notes(tmp_path / "out.0002.png")["stylebridge:gaps"] == f"{policy} 3-4"
    other = open_source(tmp_path / "plate.####.png", gaps="hold" if policy == "black" else "black")
    assert other.content_hash() != kept
    (tmp_path / "plate.900000.png").write_bytes((tmp_path / "plate.0001.png").read_bytes())
    with pytest.raises(StylebridgeError, match="from 1 to 900000 with gaps"):
        open_source(tmp_path / "plate.####.png", gaps=policy)


def test_views_in_names(tmp_path: Path) -> None:
    for name in (
        "right/a_right.0001.exr",
        "left/a_left.0001.exr",
        "mid/a_mid.0001.exr",
        "mid/a_left.0002.exr",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    assert views_there(tmp_path / "%V" / "a_%V.####.exr") == ["left", "right", "mid"]
    assert views_there(tmp_path / "left" / "a_%V.0001.exr") == ["left"]
    assert views_there(tmp_path / "%V" / "b.####.exr") == [] == views_there(tmp_path / "none" / "%V.exr")
    assert of_view("%V/a_%v.####.exr", "right") == "right/a_r.####.exr"
    (tmp_path / "l.exr").write_bytes(b"x")
    assert views_there(tmp_path / "%v.exr") == ["left"]
    with pytest.raises(StylebridgeError, match="several views"):
        open_source(tmp_path / "%V" / "a_%V.####.exr")
