"""Every codec in every movie that holds it: pixels, bits, alpha, times, colour tags and pixel aspect come back."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media.samples import colours, frame_times, make_movie

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import CODECS, MOVIES, form_of, open_sink, open_source
from stylebridge_server.values import Frame, SourceInfo

WIDTH, HEIGHT = 256, 128
BASE = Fraction(1, 1000)
TIMES = [0, 40, 80, 200, 210, 250]  # in units of it: the rate varies

CELLS = [
    (codec.name, ending, bits, alpha)
    for codec in CODECS.values()
    for ending in codec.endings
    for alpha in (False, True)
    for bits in (codec.alpha if alpha else codec.bits)
]


def source(bits: int, alpha: bool, **tags: Any) -> tuple[np.ndarray, SourceInfo]:
    """Frames as a movie of so many bits holds them, and what it says of itself."""
    dtype = "uint8" if bits == 8 else "uint16"
    frames = colours(len(TIMES), WIDTH, HEIGHT, dtype=dtype)
    if alpha:
        ramp = np.linspace(0, np.iinfo(dtype).max, WIDTH).astype(dtype)
        frames = np.concatenate([frames, np.broadcast_to(ramp[:, None], (*frames.shape[:3], 1))], -1)
    named = {"bits": bits, "time_base": BASE, "times": TIMES, "duration_last": 40, "sampling": "422", **tags}
    like = SourceInfo(
        "movie", WIDTH, HEIGHT, 0, len(TIMES) - 1, frames.shape[-1], dtype, Fraction(25), tags=named
    )
    return frames, like


def write(path: Path, frames: np.ndarray, like: SourceInfo, codec: str | None) -> str:
    with open_sink(path, like, like.first, like.last, codec=codec) as sink:
        for number, pixels in enumerate(frames):
            sink.write(Frame(like.first + number, np.ascontiguousarray(pixels)))
    assert sink.form == form_of(path, like, codec)
    return sink.description


@pytest.mark.parametrize(("name", "ending", "bits", "alpha"), CELLS)
def test_what_is_written_comes_back(tmp_path: Path, name: str, ending: str, bits: int, alpha: bool) -> None:
    colour = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    frames, like = source(bits, alpha, **colour)
    like = replace(like, pixel_aspect=Fraction(4, 3))
    path = tmp_path / f"a{ending}"
    said = write(path, frames, like, name)
    assert f"{bits} bit" in said and ("alpha" in said or "RGBA" in said) == alpha
    with open_source(path) as back:
        info = back.info
        assert (info.width, info.height, info.count) == (WIDTH, HEIGHT, len(TIMES))
        assert (info.channels, info.dtype) == (like.channels, like.dtype)
        tags = info.tags
        assert (tags["color_primaries"], tags["color_trc"]) == (9, 16)
        # The matrix that the pixels are decoded by is the one that they were coded by; RGB has none.
        assert tags["colorspace"] == {"ffv1": 0, "dnxhr": 1}.get(name, 9)
        assert info.pixel_aspect == Fraction(4, 3)
        for number, pixels in enumerate(frames):
            difference = back.read(number).pixels.astype(np.float32) - pixels
            top = np.iinfo(like.dtype).max
            assert np.abs(difference[..., :3]).mean() / top < (1e-9 if name == "ffv1" else 0.012)
            if alpha:
                assert np.abs(difference[..., 3]).max() / top < 0.012
    assert frame_times(path) == [time * BASE for time in TIMES]


@pytest.mark.parametrize(("name", "ending"), [(name, ending) for name in CODECS for ending in MOVIES])
def test_what_does_not_go_together_is_refused_with_what_does(tmp_path: Path, name: str, ending: str) -> None:
    codec = CODECS[name]
    for alpha in (False, True):
        frames, like = source(8, alpha)
        if ending in codec.endings and (codec.alpha or not alpha):
            continue
        with pytest.raises(StylebridgeError) as caught:
            write(tmp_path / f"a{ending}", frames, like, name)
        assert caught.value.code == Code.BAD_VALUE and "what works is" in caught.value.message
        assert codec.title in caught.value.message
    assert list(tmp_path.glob("*a.*")) == [] or ending in codec.endings


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 17), (4096, 4)])
@pytest.mark.parametrize("name", [*CODECS])
def test_odd_and_tiny_sizes_are_written_or_refused(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    codec, (width, height) = CODECS[name], size
    like = SourceInfo("frames", width, height, 0, 0, 3, "uint8", Fraction(25))
    path = tmp_path / f"a{codec.endings[0]}"
    if width < codec.smallest[0] or height < codec.smallest[1]:
        with pytest.raises(StylebridgeError) as caught:
            write(path, colours(1, width, height), like, name)
        assert f"{codec.smallest[0]}x{codec.smallest[1]}" in caught.value.message
        return
    write(path, colours(1, width, height), like, name)
    with open_source(path) as back:
        assert back.read(0).pixels.shape == (height, width, 3)


@pytest.mark.parametrize(("name", "ending", "bits", "alpha"), [cell for cell in CELLS if cell[1] != ".webm"])
def test_a_movie_is_written_again_in_its_own_codec(
    tmp_path: Path, name: str, ending: str, bits: int, alpha: bool
) -> None:
    frames, like = source(bits, alpha)
    write(tmp_path / f"a{ending}", frames, like, name)
    with open_source(tmp_path / f"a{ending}") as first:
        said = write(tmp_path / f"b{ending}", [f.pixels for f in first.frames()], first.info, None)
    assert said.startswith(CODECS[name].title), said
    assert f"{bits} bit" in said


@pytest.mark.parametrize(
    ("codec", "options", "pix_fmt", "expected"),
    [
        ("mpeg4", {}, "yuv420p", "H.264, 4:2:0, 8 bit"),
        ("mjpeg", {}, "yuvj422p", "H.264, 4:2:2, 8 bit"),
        ("prores_ks", {"profile": "lt"}, "yuv422p10le", "ProRes 422, 4:2:2, 10 bit"),
        ("prores_ks", {"profile": "4444xq"}, "yuva444p10le", "ProRes 4444 with alpha, 4:4:4, 10 bit"),
        ("dnxhd", {"profile": "dnxhr_lb"}, "yuv422p", "DNxHR, 4:2:2, 8 bit"),
        ("qtrle", {}, "argb", "ProRes 4444 with alpha, 4:4:4, 10 bit"),
    ],
)
def test_other_sources_become_what_the_movie_usually_holds(
    tmp_path: Path, codec: str, options: dict[str, str], pix_fmt: str, expected: str
) -> None:
    path = make_movie(
        tmp_path / "a.mov", count=2, size=(256, 128), codec=codec, pix_fmt=pix_fmt, options=options
    )
    with open_source(path) as first:
        assert write(tmp_path / "b.mov", [f.pixels for f in first.frames()], first.info, None) == expected


def test_a_deep_source_is_not_made_shallow_unasked(tmp_path: Path) -> None:
    frames, like = source(16, True)
    with pytest.raises(StylebridgeError) as caught:
        write(tmp_path / "a.webm", frames, like, None)
    assert "--codec vp9" in caught.value.message and "prores4444" in caught.value.message
    assert "8 bit" in write(tmp_path / "a.webm", frames, like, "vp9")


def test_an_unknown_codec_is_refused_with_the_nearest(tmp_path: Path) -> None:
    frames, like = source(8, False)
    with pytest.raises(StylebridgeError) as caught:
        write(tmp_path / "a.mov", frames, like, "prores444")
    assert "prores4444" in caught.value.message
    with pytest.raises(StylebridgeError) as caught:
        write(tmp_path / "a.####.png", frames, like, "h264")
    assert caught.value.code == Code.BAD_VALUE and "no movie" in caught.value.message


@pytest.mark.parametrize("name", ["h264", "h265", "vp9", "av1"])
def test_full_range_stays_full(tmp_path: Path, name: str) -> None:
    frames, like = source(8, False, color_range=2, colorspace=1)
    path = tmp_path / f"a{CODECS[name].endings[0]}"
    write(path, frames, like, name)
    with open_source(path) as back:
        assert back.info.tags["color_range"] == 2
        assert np.abs(back.read(2).pixels.astype(int) - frames[2]).mean() < 3
