"""What results say about themselves, in every kind of file, and frames that are there already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media.samples import colours

from stylebridge import stamp
from stylebridge.stamp import Record
from stylebridge_server.media import is_whole, open_sink, open_source, read_notes, read_record
from stylebridge_server.values import Frame, SourceInfo

LOOK = 'schema = "look.1"\n[background]\nstyle = "grünes Bild.jpg" # 画\n'
RECORD = Record(((0, 1, "0123456789abcdef"), (2, 2, "fedcba9876543210")))


def write(path: Path, frames: np.ndarray, like: SourceInfo | None = None, kept: tuple[int, ...] = ()) -> None:
    count, height, width, channels = frames.shape
    made = SourceInfo("frames", width, height, 0, count - 1, channels, str(frames.dtype))
    with open_sink(path, like or made, 0, count - 1) as sink:
        sink.annotate({stamp.LOOK: LOOK}, RECORD)
        sink.keep(kept)
        for number in range(count):
            if number not in kept:
                sink.write(Frame(number, np.ascontiguousarray(frames[number])))
        assert sink.written == count - len(kept)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm"])
def test_a_movie_says_what_it_was_made_from(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    write(path, colours(3, 32, 32))
    assert read_notes(path) == {stamp.REQUEST: str(RECORD), stamp.LOOK: LOOK}
    assert read_record(path) == RECORD
    assert is_whole(path, 3) and not is_whole(path, 4)
    # What is made from it does not carry its stamps on.
    with open_source(path) as source, open_sink(tmp_path / f"b.{ending}", source.info, 0, 2) as sink:
        for frame in source.frames():
            sink.write(frame)
    assert read_notes(tmp_path / f"b.{ending}") == {}


@pytest.mark.parametrize(
    ("ending", "dtype"),
    [("png", "uint8"), ("png", "uint16"), ("tif", "uint8"), ("tif", "uint16"), ("jpg", "uint8")],
)
def test_each_picture_says_what_it_was_made_from(tmp_path: Path, ending: str, dtype: str) -> None:
    frames = colours(3, 31, 17, dtype=dtype)
    write(tmp_path / f"a.####.{ending}", frames)
    for number in range(3):
        path = tmp_path / f"a.{number:04d}.{ending}"
        assert read_notes(path) == {stamp.REQUEST: str(RECORD.only(number)), stamp.LOOK: LOOK}
        assert is_whole(path, 1)
        if ending != "jpg":
            with open_source(path) as source:
                np.testing.assert_array_equal(source.read(0).pixels, frames[number])


def test_a_picture_styled_again_says_it_once(tmp_path: Path) -> None:
    write(tmp_path / "a.####.png", colours(3, 8, 8))
    with open_source(tmp_path / "a.0002.png") as source:
        like = replace(source.info, tags={**source.info.tags, "path": None})
        write(tmp_path / "b.png", colours(1, 8, 8), like)
    assert (tmp_path / "b.png").read_bytes().count(b"stylebridge:request") == 1
    assert read_record(tmp_path / "b.png") == RECORD.only(0)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "mp4"])
def test_files_of_others_and_damaged_ones_say_nothing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    assert read_notes(path) == {} and not is_whole(path, 1)
    write(tmp_path / f"b.{ending}", colours(1, 64, 64))
    whole = (tmp_path / f"b.{ending}").read_bytes()
    for data in (b"", b"nothing", whole[: len(whole) // 2], whole[:40]):
        path.write_bytes(data)
        read_notes(path)
        assert not is_whole(path, 1)


def test_frames_that_are_kept_are_passed_over(tmp_path: Path) -> None:
    frames = colours(3, 8, 8)
    write(tmp_path / "a.####.png", frames)
    before = {number: (tmp_path / f"a.{number:04d}.png").stat().st_mtime_ns for number in range(3)}
    (tmp_path / "a.0001.png").unlink()
    write(tmp_path / "a.####.png", frames, kept=(0, 2))
    after = {number: (tmp_path / f"a.{number:04d}.png").stat().st_mtime_ns for number in range(3)}
    assert [number for number in range(3) if before[number] == after[number]] == [0, 2]
    write(tmp_path / "a.####.png", frames, kept=(0, 1, 2))
