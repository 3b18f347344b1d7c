"""Interlaced movies: noticed whatever the file says, refused, deinterlaced in any order of reading, or left alone."""

from __future__ import annotations

import random
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import open_source
from stylebridge_server.media.movie_source import MovieSource

from .samples import make_movie

WIDTH, HEIGHT, COUNT = 176, 144, 10


def moment(at: int) -> NDArray[np.uint8]:
    """A texture that moves two pixels from each moment to the next: (H, W, 3)."""
    noise = np.random.default_rng(0).standard_normal((HEIGHT, WIDTH + 100)).astype(np.float32)
    world = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 16, 235, cv2.NORM_MINMAX)
    return np.repeat(world[:, 2 * at : 2 * at + WIDTH, None], 3, 2).astype(np.uint8)


def woven(number: int, top_first: bool) -> NDArray[np.uint8]:
    first, second = moment(2 * number), moment(2 * number + 1)
    rows = np.arange(HEIGHT)[:, None, None] % 2 == (0 if top_first else 1)
    return np.where(rows, first, second)


def movie(path: Path, fields: str = "tff", said: bool = True, codec: str = "libx264") -> Path:
    """A movie of `COUNT` frames: woven of fields, or "progressive"; marked as interlaced or not."""
    options = {"crf": "12", "g": "4"} | ({"x264-params": "tff=1"} if said else {})
    if codec == "mpeg2video":
        options = {"b:v": "8M", "g": "4"} | ({"flags": "+ilme+ildct"} if said else {})
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(COUNT):
            pixels = moment(2 * number) if fields == "progressive" else woven(number, fields == "tff")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize(("fields", "words"), [("tff", "top field first"), ("bff", "bottom field first")])
def test_interlace_is_noticed_and_refused(
    tmp_path: Path, codec: str, said: bool, fields: str, words: str
) -> None:
    path = movie(tmp_path / "a.mkv", fields, said, codec)
    with pytest.raises(StylebridgeError) as caught:
        open_source(path)
    assert caught.value.code == Code.BAD_VALUE
    assert f"{path} is interlaced ({words})" in caught.value.message
    assert "--deinterlace auto" in caught.value.message and "--deinterlace off" in caught.value.message


@pytest.mark.parametrize("said", [True, False])
def test_progressive_pictures_are_left_alone_whatever_the_file_says(tmp_path: Path, said: bool) -> None:
    path = movie(tmp_path / "a.mkv", "progressive", said)
    with open_source(path) as plain, open_source(path, deinterlace="auto") as asked:
        assert plain.fields == asked.fields == ""
        assert plain.content_hash() == asked.content_hash()
        assert all(
            np.array_equal(a.pixels, b.pixels) for a, b in zip(plain.frames(), asked.frames(), strict=True)
        )


def test_whole_frames_are_the_same_in_any_order(tmp_path: Path) -> None:
    path = movie(tmp_path / "a.mkv")
    with open_source(path, deinterlace="auto") as source:
        assert source.info.count == COUNT and "deinterlaced (top field first)" in source.fields
        straight = [frame.pixels.tobytes() for frame in source.frames()]
    assert len(set(straight)) == COUNT
    orders = [list(range(COUNT))[::-1], random.Random(1).sample(range(COUNT), COUNT), [7], [0], [COUNT - 1]]
    for order in orders:
        with open_source(path, deinterlace="auto") as source:
            assert all(source.read(number).pixels.tobytes() == straight[number] for number in order)


def test_whole_frames_are_those_of_the_first_field(tmp_path: Path) -> None:
    path = movie(tmp_path / "a.mkv")

    def error(source: MovieSource, at: int) -> float:
        frame = source.read(at).pixels[8:-8, 8:-8].astype(float)
        return float(np.abs(frame - moment(2 * at)[8:-8, 8:-8]).mean())

    with open_source(path, deinterlace="auto") as whole, open_source(path, deinterlace="off") as woven_:
        for number in (1, 5, COUNT - 2):
            assert error(whole, number) < 0.35 * error(woven_, number)


def test_taken_as_they_are(tmp_path: Path) -> None:
    path = movie(tmp_path / "a.mkv", said=False)
    with open_source(path, deinterlace="off") as source, av.open(str(path)) as container:
        assert "taken as they are" in source.fields
        decoded = [frame.to_ndarray() for frame in container.decode(video=0)]
        again = [frame.to_ndarray() for frame in map(source._decoder.picture, range(COUNT))]  # type: ignore[attr-defined]
        assert all(np.array_equal(a, b) for a, b in zip(decoded, again, strict=True))


def test_contents_are_others_with_and_without(tmp_path: Path) -> None:
    path = movie(tmp_path / "a.mkv")
    hashes = []
    for policy in ("off", "auto", "bwdif"):
        with open_source(path, deinterlace=policy) as source:
            hashes.append(source.content_hash())
    assert hashes[0] != hashes[1] == hashes[2]


def test_any_movie_is_deinterlaced_where_that_is_said(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4")
    with open_source(path) as plain, open_source(path, deinterlace="bwdif") as whole:
        assert plain.fields == "" and "deinterlaced" in whole.fields
        assert plain.content_hash() != whole.content_hash()


@pytest.mark.parametrize("kind", ["yuv422p10le", "yuva420p", "gray", "yuv444p", "bgr0"])
def test_pixel_formats_stay(tmp_path: Path, kind: str) -> None:
    path = make_movie(tmp_path / "a.mkv", codec="ffv1", pix_fmt=kind)
    with open_source(path) as plain, open_source(path, deinterlace="bwdif") as whole:
        assert (whole.info.dtype, whole.info.channels) == (plain.info.dtype, plain.info.channels)
        # Soft gradients survive: colours are read as before.
        a, b = plain.read(3).pixels.astype(float), whole.read(3).pixels.astype(float)
        assert np.abs(a - b).mean() < 0.01 * np.iinfo(plain.info.dtype).max


def test_unknown_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StylebridgeError, match="auto"):
        open_source(make_movie(tmp_path / "a.mp4"), deinterlace="autos")


def test_real_clips_are_progressive(shared: Path) -> None:
    for path in sorted((shared / "data" / "clips").glob("*.mp4")):
        open_source(path).close()
