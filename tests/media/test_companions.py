"""What goes with the pictures: sound, subtitles, chapters, timecode, HDR metadata; and what cannot is said."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media.samples import colours, make_movie, sound_packets

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import Sink, open_sink, open_source
from stylebridge_server.media.hdr import Hdr, not_carried, read_hdr
from stylebridge_server.values import Frame, SourceInfo

MILLISECOND = Fraction(1, 1000)


def copy(source: Path, target: Path, first: int = 0, last: int | None = None, **more: Any) -> Sink:
    with open_source(source) as opened:
        end = opened.info.last if last is None else last
        with open_sink(target, opened.info, first, end, sound_from=source, **more) as sink:
            for frame in opened.frames(first, end):
                sink.write(frame)
        return sink


def tone(path: Path) -> np.ndarray:
    """The first channel of the first sound stream, in [-1, 1]."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", rate=48000)
        frames = [one for frame in container.decode(audio=0) for one in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def movie_with_text(path: Path, chapters: bool = True) -> Path:
    """Two seconds with a line of text in each, and a chapter in each."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        text: Any = container.add_stream("mov_text" if path.suffix == ".mov" else "subrip")
        text.metadata["language"] = "ger"
        text.time_base = MILLISECOND
        text.codec_context.subtitle_header = b"[Script Info]\r\nScriptType: v4.00+\r\n"
        if chapters:
            named: Any = [
                {
                    "id": number,
                    "start": number * 1000,
                    "end": number * 1000 + 1000,
                    "time_base": MILLISECOND,
                    "metadata": {"title": f"Part {number}"},
                }
                for number in range(2)
            ]
            container.set_chapters(named)
        container.start_encoding()
        for picture in colours(50, 64, 48):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        for number in range(2):
            line = f"Line {number}".encode()
            payload = len(line).to_bytes(2, "big") + line if path.suffix == ".mov" else line
            packet: Any = av.Packet(payload)
            packet.stream, packet.time_base = text, MILLISECOND
            packet.pts = packet.dts = number * 1000 + 200
            packet.duration = 500
            container.mux_one(packet)
    return path


def lines(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.size > 4]


@pytest.mark.parametrize(
    ("sound", "start", "target", "said"),
    [
        ("aac", "a.mp4", "b.webm", "encoded as Opus"),
        ("libopus", "a.mkv", "b.mp4", "copied"),
        ("libopus", "a.mkv", "b.mov", "encoded as 24-bit PCM"),
        ("flac", "a.mkv", "b.mov", "encoded as 24-bit PCM"),
        ("pcm_s16le", "a.mov", "b.webm", "encoded as Opus"),
        ("wavpack", "a.mkv", "b.mp4", "encoded as AAC"),
        ("wavpack", "a.mkv", "b.mov", "encoded as 24-bit PCM"),
        ("wavpack", "a.mkv", "b.mkv", "copied"),
    ],
)
def test_sound_is_encoded_where_the_movie_cannot_hold_it(
    tmp_path: Path, sound: str, start: str, target: str, said: str
) -> None:
    source = make_movie(tmp_path / start, count=30, rate=Fraction(25), sound=(sound,))
    sink = copy(source, tmp_path / target, sound="encode")
    assert f"1 sound stream {said}" in sink.description
    before, after = tone(source), tone(tmp_path / target)
    assert abs(len(after) - len(before)) < 4096
    # The same note at the same place.
    middle = slice(16000, 32000)
    spectrum = np.abs(np.fft.rfft(after[middle]))
    assert abs(int(spectrum.argmax()) * 48000 / 16000 - 440) < 6
    assert 0.7 < np.abs(after[middle]).mean() / np.abs(before[middle]).mean() < 1.4


def test_a_piece_has_the_piece_of_the_encoded_sound(tmp_path: Path) -> None:
    source = make_movie(tmp_path / "a.mkv", count=50, rate=Fraction(25), sound=("wavpack",))
    copy(source, tmp_path / "b.mp4", 20, 34, sound="encode")
    seconds = len(tone(tmp_path / "b.mp4")) / 48000
    assert abs(seconds - 15 / 25) < 0.15


def test_sound_that_cannot_be_held_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    source = make_movie(tmp_path / "a.mp4", count=3, sound=("aac",))
    with pytest.raises(StylebridgeError) as caught:
        copy(source, tmp_path / "b.webm")
    assert caught.value.code == Code.NOT_WRITABLE
    for word in ("aac", "--sound encode", "Opus", "--sound none", ".mp4"):
        assert word in caught.value.message
    assert "sound" not in copy(source, tmp_path / "b.webm", sound="none").description
    assert sound_packets(tmp_path / "b.webm") == []
    with pytest.raises(StylebridgeError) as caught:
        copy(source, tmp_path / "b.mkv", sound="encoded")
    assert "'encode'" in caught.value.message


@pytest.mark.parametrize("ending", ["mov", "mkv"])
def test_subtitles_and_chapters_go_along(tmp_path: Path, ending: str) -> None:
    source = movie_with_text(tmp_path / f"a.{ending}")
    sink = copy(source, tmp_path / f"b.{ending}")
    assert "1 subtitle stream copied" in sink.description and not sink.left_out
    assert [at for at, _ in lines(tmp_path / f"b.{ending}")] == pytest.approx([0.2, 1.2], abs=0.002)
    with av.open(str(tmp_path / f"b.{ending}")) as container:
        assert [one["metadata"]["title"] for one in container.chapters()] == ["Part 0", "Part 1"]
        assert container.streams.subtitles[0].metadata["language"] == "ger"
    copy(source, tmp_path / f"c.{ending}", 35, 49)
    assert [at for at, _ in lines(tmp_path / f"c.{ending}")] == []
    with av.open(str(tmp_path / f"c.{ending}")) as container:
        [chapter] = container.chapters()
        assert chapter["metadata"]["title"] == "Part 1"
        assert abs(chapter["end"] * chapter["time_base"] - Fraction(15, 25)) < Fraction(1, 100)


def test_what_does_not_go_along_is_said(tmp_path: Path) -> None:
    source = movie_with_text(tmp_path / "a.mkv")
    assert copy(source, tmp_path / "b.mp4").left_out == ["1 subtitle stream (subrip)"]
    with av.open(str(tmp_path / "c.mkv"), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.add_attachment("notes.txt", "text/plain", b"by hand")
        for picture in colours(3, 64, 48):
            for stream in streams:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    assert copy(tmp_path / "c.mkv", tmp_path / "d.mkv").left_out == ["1 further video stream", "1 attachment"]
    heard = make_movie(tmp_path / "e.mp4", count=2, sound=("aac",))
    assert copy(heard, tmp_path / "e.####.png").left_out == ["the sound, which pictures cannot hold"]
    assert copy(heard, tmp_path / "f.####.png", sound="none").left_out == []


def test_what_pictures_hold_beside_their_pixels_is_named_once() -> None:
    found = {"A53_CC": b"", "DOVI_METADATA": b"", "DOVI_RPU_BUFFER": b"", "SEI_UNREGISTERED": b""}
    assert not_carried(found) == ["closed captions", "Dolby Vision metadata"]
    assert read_hdr({"MASTERING_DISPLAY_METADATA": b"short", "CONTENT_LIGHT_LEVEL": b""}) == Hdr()
    unsaid = struct.pack("<22i", *[0, 1] * 10, 0, 0)
    assert read_hdr({"MASTERING_DISPLAY_METADATA": unsaid}) == Hdr()


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_timecode_goes_along(tmp_path: Path, ending: str) -> None:
    source = make_movie(tmp_path / "a.mov", count=3, rate=Fraction(25), timecode="10:00:59:20")
    sink = copy(source, tmp_path / f"b.{ending}", 1)
    with open_source(tmp_path / f"b.{ending}") as back:
        assert back.info.tags["timecode"] == "10:00:59:21"
    assert not sink.left_out


@pytest.mark.parametrize(("codec", "ending"), [("h265", ".mp4"), ("h264", ".mov"), ("av1", ".mkv")])
def test_hdr_metadata_go_along(tmp_path: Path, codec: str, ending: str) -> None:
    points = (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)
    luminance = (Fraction(50, 10000), Fraction(1000))
    hdr = Hdr((*(Fraction(one, 50000) for one in points), *luminance), (1000, 400))
    tags = {"bits": 10, "color_primaries": 9, "color_trc": 16, "colorspace": 9, "hdr": hdr, "left_out": []}
    like = SourceInfo("movie", 128, 96, 0, 1, 3, "uint16", Fraction(25), tags=tags)
    frames = colours(2, 128, 96, dtype="uint16")
    with open_sink(tmp_path / f"a{ending}", like, 0, 1, codec=codec) as sink:
        for number in range(2):
            sink.write(Frame(number, frames[number]))
    assert sink.left_out == []
    with open_source(tmp_path / f"a{ending}") as back:
        found = back.info.tags["hdr"]
        assert found.light == (1000, 400)
        assert found.mastering is not None
        assert [float(one) for one in found.mastering] == pytest.approx(
            [*map(float, hdr.mastering or ())], abs=1e-4
        )
        copied = copy(tmp_path / f"a{ending}", tmp_path / "b.mov", codec="prores422")
    assert copied.left_out == ["HDR metadata (mastering display, light levels)"]
