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
from stylebridge.pattern import parse_pattern
from stylebridge_server.media import open_sink, open_source, save_image
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
    assert number is None or pattern.path(number).name == name


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
