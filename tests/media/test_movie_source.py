"""Movies in: exact frame numbers, and everything a file says about itself."""

from __future__ import annotations

import gc
import random
import resource
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media.samples import all_frames, colours, make_movie

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import open_source
from stylebridge_server.media.movie_source import MovieSource

KINDS: dict[str, dict[str, Any]] = {
    "b_frames.mp4": {"options": {"bf": "3", "g": "9", "x264-params": "b-pyramid=normal"}},
    "open_gop.mkv": {"options": {"bf": "3", "g": "8", "x264-params": "open-gop=1:scenecut=0"}},
    "intra_refresh.mp4": {"options": {"x264-params": "intra-refresh=1:keyint=8:scenecut=0"}},
    "one_key.mp4": {"options": {"bf": "2", "g": "1000"}},
    "stream.ts": {"options": {"bf": "2", "g": "8"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=8:bframes=3"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "8", "deadline": "realtime", "cpu-used": "8"}},
    "intra.mkv": {"codec": "ffv1", "pix_fmt": "yuv420p"},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "8"}},
    "raw.h264": {"options": {"bf": "2", "g": "8"}},
    "motion.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
}


@pytest.mark.parametrize("name", KINDS)
def test_random_access_equals_reading_in_order(tmp_path: Path, name: str) -> None:
    path = make_movie(tmp_path / name, count=26, **KINDS[name])
    with open_source(path) as source:
        assert (source.info.first, source.info.last, source.readable_last) == (0, 25, 25)
        in_order = [frame.pixels for frame in source.frames()]
    truth = all_frames(path)
    assert len(truth) == 26
    put = colours(26, 64, 48).astype(int)
    for number, ours in enumerate(in_order):  # each is most like the picture put in at its place
        assert np.abs(put - ours).mean((1, 2, 3)).argmin() == number
    numbers = [25, 0, 13, 12, 11, 24, 8, 9, 10, 7, *random.Random(1).sample(range(26), 26)]
    with open_source(path) as source:
        for number in numbers:
            frame = source.read(number)
            assert frame.number == number
            assert np.array_equal(frame.pixels, in_order[number]), number


def test_frames_are_the_ones_put_in(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=20)
    with open_source(path) as source:
        for frame, put in zip(source.frames(), colours(20, 64, 48), strict=True):
            assert np.abs(frame.pixels.astype(int) - put).mean() < 4


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(10)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "webm"])
def test_rate_is_exact(tmp_path: Path, ending: str, rate: Fraction) -> None:
    codec = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}} if ending == "webm" else {}
    path = make_movie(tmp_path / f"a.{ending}", count=5, size=(32, 32), rate=rate, **codec)  # type: ignore[arg-type]
    with open_source(path) as source:
        assert source.info.rate == rate
        assert "times" not in source.info.tags


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotation_is_applied(tmp_path: Path, degrees: int, turns: int) -> None:
    plain = make_movie(tmp_path / "plain.mp4", count=2)
    turned = make_movie(tmp_path / "turned.mp4", count=2, rotation=degrees, aspect=Fraction(2))
    with open_source(plain) as a, open_source(turned) as b:
        assert (b.info.width, b.info.height) == ((48, 64) if turns % 2 else (64, 48))
        assert b.info.pixel_aspect == (Fraction(1, 2) if turns % 2 else Fraction(2))
        assert np.array_equal(np.rot90(a.read(1).pixels, turns), b.read(1).pixels)
        assert (b.info.tags["rotation"], b.info.tags["mirrored"]) == (360 - degrees, False)


@pytest.mark.parametrize("mirror", [{"hflip": True}, {"vflip": True}])
def test_mirroring_is_applied(tmp_path: Path, mirror: dict[str, bool]) -> None:
    plain = make_movie(tmp_path / "plain.mp4", count=1)
    path = tmp_path / "mirrored.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        stream.set_display_rotation(0, **mirror)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with open_source(plain) as a, open_source(path) as b:
        expected = a.read(0).pixels[:, ::-1] if "hflip" in mirror else a.read(0).pixels[::-1]
        assert np.array_equal(expected, b.read(0).pixels)
        assert b.info.tags["mirrored"]


def test_more_than_eight_bits_and_alpha(tmp_path: Path) -> None:
    ten = make_movie(tmp_path / "ten.mkv", count=1, codec="ffv1", pix_fmt="yuv422p10le")
    alpha = make_movie(tmp_path / "alpha.mov", count=1, codec="prores_ks", pix_fmt="yuva444p10le")
    with open_source(ten) as source:
        assert (source.info.dtype, source.info.channels, source.info.tags["bits"]) == ("uint16", 3, 10)
    with open_source(alpha) as source:
        assert (source.info.dtype, source.info.channels) == ("uint16", 4)
        assert (source.read(0).pixels[..., 3] == 65535).all()


def test_varying_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 3, 4, 9, 10, 30, 31, 32]
    path = make_movie(tmp_path / "a.mp4", count=8, times=times, time_base=Fraction(1, 90))
    with open_source(path) as source:
        base = source.info.tags["time_base"]
        assert [time * base for time in source.info.tags["times"]] == [Fraction(t, 90) for t in times]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_truncated_movie_is_served_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    whole = tmp_path / name
    made = make_movie(tmp_path / f"made_{name}", count=60, options={"g": "10", "bf": "2"}, sound=("aac",))
    with av.open(str(made)) as source, av.open(str(whole), "w", options=options) as target:
        streams = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    cut = tmp_path / f"cut_{name}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with open_source(whole) as full, open_source(cut) as part:
        assert full.readable_last == 59
        assert part.info.last == 59
        assert 20 < part.readable_last < 50
        for number in (part.readable_last, 0, part.readable_last // 2):
            assert np.array_equal(full.read(number).pixels, part.read(number).pixels)
        with pytest.raises(StylebridgeError) as caught:
            list(part.frames())
        assert caught.value.code == Code.PARTIAL
        assert caught.value.details["last"] == part.readable_last
        assert str(part.readable_last) in caught.value.message


def test_damaged_middle_names_the_frame(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.avi", count=20, codec="ffv1", options={"level": "3", "slicecrc": "1"})
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    position, size = packets[11]
    data[position : position + size] = bytes(size)
    path.write_bytes(bytes(data))
    with open_source(path) as source:
        assert source.read(10).number == 10
        try:
            source.read(11)
        except StylebridgeError as error:
            assert error.code == Code.PARTIAL
        assert source.read(12).number == 12


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("text.mp4", b"this is a text, and no movie\n" * 50, Code.NOT_READABLE),
        ("empty.mp4", b"", Code.NOT_READABLE),
        ("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n", Code.NOT_READABLE),
        ("list.ffconcat", b"ffconcat version 1.0\nfile other.mp4\n", Code.NOT_READABLE),
    ],
)
def test_what_is_no_movie_is_refused_in_a_sentence(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(StylebridgeError) as caught:
        open_source(path)
    assert caught.value.code == code
    assert name in caught.value.message and caught.value.message.endswith(".")


def test_absent_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.mp4", tmp_path / "absent.png", tmp_path, tmp_path / "a.####.png"):
        with pytest.raises(StylebridgeError) as caught:
            open_source(path)
        assert caught.value.code == Code.NOT_FOUND


def test_movie_without_frames_or_pictures_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        container.add_stream("aac", rate=48000)
        container.start_encoding()
    with av.open(str(tmp_path / "none.mkv"), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width = stream.height = 32
        container.start_encoding()
    for name in ("sound.mp4", "none.mkv"):
        with pytest.raises(StylebridgeError) as caught:
            open_source(tmp_path / name)
        assert caught.value.code == Code.NOT_READABLE


@pytest.mark.parametrize("side", [20_000, 100_000])
def test_giant_header_is_refused_before_memory_is_taken(tmp_path: Path, side: int) -> None:
    path = make_movie(tmp_path / "a.avi", count=2, codec="ffv1")
    size = struct.pack("<II", 64, 48)
    data = path.read_bytes()
    assert size in data
    path.write_bytes(data.replace(size, struct.pack("<II", side, side)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StylebridgeError) as caught:
        open_source(path)
    assert caught.value.code in (Code.TOO_LARGE, Code.NOT_READABLE)
    assert "size" in caught.value.message or "20000x20000" in caught.value.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # kilobytes


def test_numbers_outside_the_range_are_refused(tmp_path: Path) -> None:
    with open_source(make_movie(tmp_path / "a.mp4", count=3)) as source:
        for number in (-1, 3):
            with pytest.raises(StylebridgeError) as caught:
                source.read(number)
            assert caught.value.code == Code.NOT_FOUND


def test_content_hash_is_of_the_contents(tmp_path: Path) -> None:
    a = make_movie(tmp_path / "a.mp4", count=3)
    b = tmp_path / "b.mp4"
    b.write_bytes(a.read_bytes())
    with open_source(a) as one, open_source(b) as two:
        assert one.content_hash() == two.content_hash()
    b.write_bytes(a.read_bytes() + b"\0")
    with open_source(b) as two:
        assert two.content_hash() != one.content_hash()


def test_stepping_backwards_and_looking_back_decode_little(tmp_path: Path) -> None:
    """One key packet for 120 frames: a window of five frames at each step, and then all backwards."""
    path = make_movie(tmp_path / "a.mp4", count=120, options={"g": "1000", "bf": "2"})
    with MovieSource(path) as source:
        decoded = 0
        keep = source._decoder._keep

        def count(number: int, picture: av.VideoFrame) -> None:
            nonlocal decoded
            decoded += 1
            keep(number, picture)

        source._decoder._keep = count  # type: ignore[method-assign]
        for number in range(120):
            for back in range(min(number, 4) + 1):
                assert source.read(number - back).number == number - back
        assert decoded <= 125
        decoded = 0
        for number in reversed(range(120)):
            source.read(number)
        assert decoded <= 120 + 90 + 60 + 30


def test_pictures_are_let_go_without_the_garbage_collector(tmp_path: Path) -> None:
    """Memory must not follow the clip's length; a cycle of references would keep pictures for long."""
    path = make_movie(tmp_path / "a.mp4", count=150)
    gc.collect()
    gc.disable()
    try:
        with open_source(path) as source:
            for _ in source.frames():
                pass
            alive = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive < 40
