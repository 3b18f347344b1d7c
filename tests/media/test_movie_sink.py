"""Movies out: what goes in comes back, sound is untouched, and a file is whole or not there."""

from __future__ import annotations

import dataclasses
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media.samples import colours, frame_times, make_movie, sound_packets

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import open_sink, open_source
from stylebridge_server.media.files import PartFile
from stylebridge_server.media.timecode import shifted_timecode
from stylebridge_server.values import Frame, SourceInfo


def copy(
    source_path: Path, target: Path, first: int | None = None, last: int | None = None, **more: Any
) -> str:
    """Source to sink, nothing done to the pixels."""
    with open_source(source_path) as source:
        first = source.info.first if first is None else first
        last = source.info.last if last is None else last
        more.setdefault("sound_from", source_path)
        with open_sink(target, source.info, first, last, **more) as sink:
            for frame in source.frames(first, last):
                sink.write(frame)
        return sink.description


def pushed(frames: np.ndarray, **more: Any) -> SourceInfo:
    """The info of frames that were never a file."""
    _, height, width, channels = frames.shape
    return SourceInfo("frames", width, height, 0, len(frames) - 1, channels, str(frames.dtype), **more)


def write(path: Path, frames: np.ndarray, **more: Any) -> str:
    with open_sink(path, pushed(frames, rate=Fraction(25)), 0, len(frames) - 1, **more) as sink:
        for number, pixels in enumerate(frames):
            sink.write(Frame(number, np.ascontiguousarray(pixels)))
    return sink.description


def read(path: Path) -> np.ndarray:
    with open_source(path) as source:
        return np.stack([frame.pixels for frame in source.frames()])


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("sound", [("aac",), ("aac", "aac"), ("mp2",)])
def test_sound_packets_are_identical(tmp_path: Path, ending: str, sound: tuple[str, ...]) -> None:
    path = make_movie(tmp_path / f"a.{ending}", count=40, sound=sound, options={"bf": "2"})
    description = copy(path, tmp_path / f"b.{ending}")
    before, after = sound_packets(path), sound_packets(tmp_path / f"b.{ending}")
    assert len(before) == len(after) == len(sound)
    assert f"{len(sound)} sound" in description
    for one, other in zip(before, after, strict=True):
        assert [payload for _, payload in one] == [payload for _, payload in other]
        offset = other[0][0] - one[0][0]
        assert all(
            abs((b - a) - offset) <= Fraction(1, 1000) for (a, _), (b, _) in zip(one, other, strict=True)
        )
    video, video_after = frame_times(path), frame_times(tmp_path / f"b.{ending}")
    shift = video_after[0] - video[0]
    assert abs(shift - offset) <= Fraction(1, 500)  # in step with the pictures


def test_pieces_hold_every_sound_packet_once_and_in_step(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=60, sound=("aac", "aac"), options={"bf": "2", "g": "12"})
    with open_source(path) as source:
        rate = source.info.rate
        assert rate is not None
    whole = sound_packets(path)
    pieces: list[list[bytes]] = [[], []]
    for first, last in ((0, 9), (10, 34), (35, 59)):
        piece = tmp_path / f"{first}.mp4"
        copy(path, piece, first, last)
        with open_source(piece) as cut:
            assert cut.info.count == last - first + 1
            assert cut.info.rate == rate
        for stream, packets in enumerate(sound_packets(piece)):
            pieces[stream] += [payload for _, payload in packets]
            start = next(time for time, payload in whole[stream] if payload == packets[0][1])
            video_start = frame_times(piece)[0]
            assert abs((packets[0][0] - video_start) - (start - first / rate)) < Fraction(1, 400)
    assert pieces == [[payload for _, payload in stream] for stream in whole]


def test_sound_that_the_container_cannot_hold_is_refused_by_name(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=3, sound=("aac",))
    with pytest.raises(StylebridgeError) as caught:
        copy(path, tmp_path / "b.webm")
    assert caught.value.code == Code.NOT_WRITABLE
    assert "aac" in caught.value.message and ".mp4" in caught.value.message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]
    opus = make_movie(
        tmp_path / "o.webm", count=3, codec="libvpx-vp9", options={"cpu-used": "8"}, sound=("libopus",)
    )
    copy(opus, tmp_path / "c.webm")
    assert [[p for _, p in s] for s in sound_packets(opus)] == [
        [p for _, p in s] for s in sound_packets(tmp_path / "c.webm")
    ]


def test_movie_without_sound(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=3)
    copy(path, tmp_path / "b.mp4")
    assert sound_packets(tmp_path / "b.mp4") == []


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_rate_times_aspect_and_tags_are_kept(tmp_path: Path, ending: str) -> None:
    color = {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
    source = make_movie(
        tmp_path / f"a.{ending}",
        count=13,
        color=color,
        aspect=Fraction(4, 3),
        metadata={"title": "A plate"},
        options={"bf": "2"},
    )
    copy(source, tmp_path / f"b.{ending}", metadata={"comment": "made here"})
    with open_source(source) as a, open_source(tmp_path / f"b.{ending}") as b:
        assert a.info.rate == b.info.rate
        assert a.info.count == b.info.count
        assert a.info.pixel_aspect == b.info.pixel_aspect == Fraction(4, 3)
        for tag in ("colorspace", "color_range", "color_primaries", "color_trc", "time_base"):
            assert a.info.tags[tag] == b.info.tags[tag], tag
        kept = {key.lower(): value for key, value in b.info.tags["metadata"].items()}
        assert kept["title"] == "A plate" and kept["comment"] == "made here"
    before, after = frame_times(source), frame_times(tmp_path / f"b.{ending}")
    tolerance = Fraction(1, 1000) if ending == "mkv" else 0
    assert all(abs((y - after[0]) - (x - before[0])) <= tolerance for x, y in zip(before, after, strict=True))


def test_varying_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 3, 4, 9, 10, 30, 31, 32]
    path = make_movie(
        tmp_path / "a.mp4", count=8, times=times, time_base=Fraction(1, 90), options={"bf": "2"}
    )
    copy(path, tmp_path / "b.mp4")
    assert frame_times(tmp_path / "b.mp4") == frame_times(path)
    copy(path, tmp_path / "c.mp4", 3, 5)
    assert frame_times(tmp_path / "c.mp4") == [0, Fraction(1, 90), Fraction(21, 90)]


@pytest.mark.parametrize("matrix", [1, 2, 6, 9])
@pytest.mark.parametrize("span", [1, 2])
@pytest.mark.parametrize("size", [(64, 48), (1280, 720)])
def test_no_colour_shift(tmp_path: Path, matrix: int, span: int, size: tuple[int, int]) -> None:
    """Flat colours through two generations: every matrix and range comes back where it was."""
    patches = np.array(
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128], [190, 120, 90]]
    )
    flat = np.kron(patches.reshape(1, 7, 1, 3), np.ones((1, 1, 16, 1))).reshape(1, 1, 112, 3)
    flat = flat.repeat(48, 1)[:, :, :, :].astype(np.uint8)
    if size != (64, 48):
        flat = flat.repeat(15, 1).repeat(12, 2)[:, :720, :1280]
        flat = np.ascontiguousarray(flat)
    tags = {
        "sampling": "444",
        "colorspace": matrix,
        "color_range": span,
        "color_primaries": 1,
        "color_trc": 1,
    }
    info = pushed(flat, rate=Fraction(25), tags=tags)
    with open_sink(tmp_path / "a.mp4", info, 0, 0) as sink:
        sink.write(Frame(0, flat[0]))
    once = read(tmp_path / "a.mp4")
    assert np.abs(once.astype(int) - flat).max() <= 6  # H.264's own loss
    assert np.abs((once.astype(float) - flat).mean((0, 1, 2))).max() < 1
    with open_source(tmp_path / "a.mp4") as source:
        assert source.info.tags["colorspace"] == matrix
        assert source.info.tags["color_range"] == span


SIZES = [(1, 1), (7, 5), (2, 2), (33, 3), (4097, 3), (3, 65)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm"])
def test_odd_sizes(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    frames = colours(2, *size)
    write(tmp_path / f"a.{ending}", frames)
    back = read(tmp_path / f"a.{ending}")
    assert back.shape == frames.shape
    assert np.abs(back.astype(int) - frames).mean() < 6


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 48), (4097, 3)])
def test_more_bits(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = colours(2, *size, dtype="uint16")
    for ending in ("mp4", "mkv"):
        assert "10 bit" in write(tmp_path / f"a.{ending}", frames)
        back = read(tmp_path / f"a.{ending}")
        assert back.dtype == np.uint16
        assert np.abs(back.astype(int) - frames).mean() < 2000


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(64, 48), (7, 5), (1, 1)])
def test_lossless_is_bit_exact(tmp_path: Path, dtype: str, channels: int, size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    frames = random.integers(0, np.iinfo(dtype).max + 1, (3, size[1], size[0], channels)).astype(dtype)
    write(tmp_path / "a.mkv", frames, lossless=True)
    assert np.array_equal(read(tmp_path / "a.mkv"), frames)


@pytest.mark.parametrize("ending", ["mov", "webm"])
@pytest.mark.parametrize("size", [(64, 48), (33, 17), (1, 1)])
def test_alpha_in_lossy_movies(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    frames = np.concatenate([colours(5, *size), colours(5, *size, seed=3)[..., :1]], -1)
    assert "alpha" in write(tmp_path / f"a.{ending}", frames)
    back = read(tmp_path / f"a.{ending}")
    assert back.shape == frames.shape
    eight = back / 257 if back.dtype == np.uint16 else back
    assert np.abs(eight - frames.astype(float)).mean((0, 1, 2)).max() < 4
    with open_source(tmp_path / f"a.{ending}") as source:
        for number in (3, 1, 4, 0):
            assert np.array_equal(source.read(number).pixels, back[number])


def test_grey_is_written_as_colour(tmp_path: Path) -> None:
    frames = colours(2, 64, 48)[..., :1]
    write(tmp_path / "a.mkv", frames, lossless=True)
    assert np.array_equal(read(tmp_path / "a.mkv"), frames.repeat(3, -1))


def test_rotated_source_is_written_upright(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=3, rotation=90)
    copy(path, tmp_path / "b.mkv", lossless=True)
    assert np.array_equal(read(path), read(tmp_path / "b.mkv"))


def test_metadata_of_ours_is_kept(tmp_path: Path) -> None:
    frames = colours(1, 32, 32)
    for ending in ("mp4", "mov", "mkv", "webm"):
        write(tmp_path / f"a.{ending}", frames, metadata={"stylebridge:request": "abc123"})
        with open_source(tmp_path / f"a.{ending}") as source:
            kept = {key.lower(): value for key, value in source.info.tags["metadata"].items()}
            assert kept["stylebridge:request"] == "abc123", ending


def test_timecode_moves_with_the_piece(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mov", count=9, rate=Fraction(25), timecode="10:00:59:20")
    copy(path, tmp_path / "b.mov", 6, 8)
    with open_source(path) as a, open_source(tmp_path / "b.mov") as b:
        assert (a.info.tags["timecode"], b.info.tags["timecode"]) == ("10:00:59:20", "10:01:00:01")


def test_drop_frame_timecode_counts_every_number_that_exists() -> None:
    rate, at = Fraction(30000, 1001), (0, 0, 0, 0)
    for frames in range(30 * 60 * 21):
        text = f"{at[0]:02}:{at[1]:02}:{at[2]:02};{at[3]:02}"
        if frames % 7 == 0 or at[3] < 4:
            assert shifted_timecode("00:00:00;00", frames, rate) == text
        hours, minutes, seconds, count = at
        count += 1
        if count == 30:
            seconds, count = seconds + 1, 0
        if seconds == 60:
            minutes, seconds = minutes + 1, 0
            count = 0 if minutes % 10 == 0 else 2
        at = (hours, minutes, seconds, count)
    assert shifted_timecode("23:59:59:24", 1, Fraction(25)) == "00:00:00:00"
    assert shifted_timecode("no timecode", 5, Fraction(25)) == "no timecode"


def test_exception_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=8, sound=("aac",))
    out = tmp_path / "out"
    out.mkdir()
    (out / "b.mp4").write_bytes(b"older")
    with open_source(path) as source:
        for target in ("b.mp4", "c.mkv"):
            with pytest.raises(KeyError), open_sink(out / target, source.info, 0, 7, path) as sink:
                sink.write(source.read(0))
                assert len([p for p in out.iterdir() if p.name.endswith(".part")]) == 1
                raise KeyError
    assert [p.name for p in out.iterdir()] == ["b.mp4"]
    assert (out / "b.mp4").read_bytes() == b"older"


def test_missing_frames_are_an_error_unless_partial_is_asked_for(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=30, sound=("aac",))
    with open_source(path) as source:
        with (
            pytest.raises(StylebridgeError) as caught,
            open_sink(tmp_path / "b.mp4", source.info, 0, 29) as sink,
        ):
            sink.write(source.read(0))
        assert caught.value.code == Code.PARTIAL
        assert not (tmp_path / "b.mp4").exists()
        with open_sink(tmp_path / "b.mp4", source.info, 0, 29, path) as sink:
            for number in range(11):
                sink.write(source.read(number))
            sink.finish(partial=True)
        with open_sink(tmp_path / "c.mp4", source.info, 0, 29, path) as sink:
            sink.finish(partial=True)  # of nothing, nothing
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
    with open_source(tmp_path / "b.mp4") as part:
        assert part.info.count == 11
    whole, cut = sound_packets(path)[0], sound_packets(tmp_path / "b.mp4")[0]
    assert [p for _, p in cut] == [p for _, p in whole][: len(cut)]
    assert abs(cut[-1][0] - Fraction(11 * 1001, 30000)) < Fraction(1, 20)


def test_truncated_source_is_copied_as_far_as_it_goes(tmp_path: Path) -> None:
    made = make_movie(tmp_path / "a.mkv", count=50, sound=("aac",), options={"g": "10"})
    made.write_bytes(made.read_bytes()[: made.stat().st_size // 2])
    with open_source(made) as source, open_sink(tmp_path / "b.mp4", source.info, 0, 49, made) as sink:
        try:
            for frame in source.frames():
                sink.write(frame)
        except StylebridgeError as error:
            assert error.code == Code.PARTIAL
            sink.finish(partial=True)
        readable = source.readable_last
    with open_source(tmp_path / "b.mp4") as part:
        assert part.info.last == part.readable_last == readable < 49


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    frames = colours(3, 32, 32)
    sink = open_sink(tmp_path / "a.mp4", pushed(frames), 0, 2)
    for bad in (Frame(1, frames[0]), Frame(0, frames[0][:16]), Frame(0, frames[0].astype(np.uint16))):
        with pytest.raises(StylebridgeError) as caught:
            sink.write(bad)
        assert caught.value.code == Code.BAD_VALUE
    sink.abort()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["absent/out.mp4", "file/out.mp4", "folder.mp4", "absent/out.####.png"])
def test_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(StylebridgeError) as caught:
        open_sink(tmp_path / name, pushed(colours(2, 32, 32)), 0, 1)
    assert caught.value.code == Code.NOT_WRITABLE
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StylebridgeError) as caught:
        open_sink(tmp_path / "a.mp4", pushed(colours(2, 32, 32)), 0, 1)
    tmp_path.chmod(0o700)
    assert caught.value.code == Code.NOT_WRITABLE


@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
def test_source_is_never_overwritten(tmp_path: Path, link: str | None) -> None:
    path = make_movie(tmp_path / "a.mp4", count=2)
    target = tmp_path / "b.mp4"
    if link is None:
        target = tmp_path / ".." / tmp_path.name / "a.mp4"
    elif link == "symbolic":
        target.symlink_to(path)
    else:
        target.hardlink_to(path)
    with open_source(path) as source, pytest.raises(StylebridgeError) as caught:
        open_sink(target, source.info, 0, 1)
    assert caught.value.code == Code.NOT_WRITABLE and "source" in caught.value.message


@pytest.mark.parametrize(
    ("name", "channels", "more"),
    [("a.mp4", 4, {}), ("a.mp4", 3, {"lossless": True}), ("a.xyz", 3, {}), ("a", 3, {})],
)
def test_what_cannot_be_kept_is_refused(
    tmp_path: Path, name: str, channels: int, more: dict[str, Any]
) -> None:
    frames = np.zeros((1, 8, 8, channels), np.uint8)
    with pytest.raises(StylebridgeError) as caught:
        open_sink(tmp_path / name, pushed(frames), 0, 0, **more)
    assert caught.value.code == Code.BAD_VALUE
    assert list(tmp_path.iterdir()) == []


def test_webm_refuses_more_bits_than_it_is_written_with(tmp_path: Path) -> None:
    with pytest.raises(StylebridgeError) as caught:
        open_sink(tmp_path / "a.webm", pushed(colours(1, 8, 8, dtype="uint16")), 0, 0)
    assert "8 bits" in caught.value.message


def test_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("no /dev/full here")
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    sink = open_sink(tmp_path / "a.mkv", pushed(frames.repeat(40, 0)), 0, 39, lossless=True)
    (part,) = tmp_path.iterdir()
    part.unlink()
    part.symlink_to("/dev/full")
    with pytest.raises(StylebridgeError) as caught, sink:
        for number in range(40):
            sink.write(Frame(number, frames[0]))
    assert caught.value.code == Code.NOT_WRITABLE
    assert list(tmp_path.iterdir()) == []


def test_real_clip_keeps_frames_duration_and_sound(shared: Path, tmp_path: Path) -> None:
    clip = shared / "data" / "clips" / "sam2_01_dog.mp4"
    local = tmp_path / "dog.mp4"
    shutil.copy(clip, local)
    with open_source(local) as source:
        assert source.info.count == 289
        assert source.info.rate == Fraction(30000, 1001)
        small = np.ascontiguousarray(source.read(0).pixels[:48, :64])
        info = dataclasses.replace(source.info, width=64, height=48)
        with open_sink(tmp_path / "out.mp4", info, 0, 288, local) as sink:
            for number in range(289):  # the pictures are not the point here
                sink.write(Frame(number, small))
        assert [[p for _, p in s] for s in sound_packets(local)] == [
            [p for _, p in s] for s in sound_packets(tmp_path / "out.mp4")
        ]
        assert frame_times(local) == frame_times(tmp_path / "out.mp4")


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    (tmp_path / ".a.mp4.part").write_bytes(b"half a movie")
    first = PartFile(target)
    assert first.path == tmp_path / ".a.mp4.part" and first.path.read_bytes() == b""
    second = PartFile(target)
    assert second.path != first.path, "two that write at once have a file each"
    first.path.write_bytes(b"1")
    first.keep()
    third = PartFile(target)
    first.discard()
    assert third.path.exists(), "what was kept is no longer the first one's to remove"
    third.discard()
    second.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"] and target.read_bytes() == b"1"
