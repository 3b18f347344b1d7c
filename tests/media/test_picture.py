"""Pixel formats of movies: repacked without loss, colours by the book."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest
from media.samples import colours
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.picture import PictureReader, to_picture
from stylebridge_server.media.planes import plane_rows
from stylebridge_server.media.yuv import Coding, from_rgb, to_rgb
from stylebridge_server.values import Pixels

MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def filled(form: str, seed: int = 0, top: int | None = None) -> Any:
    """A picture of random samples, even where a plane is padded."""
    picture: Any = av.VideoFrame(34, 18, form)
    random = np.random.default_rng(seed)
    for plane in picture.planes:
        if top is None:
            plane_rows(plane, np.uint8)[:] = random.integers(0, 256, (plane.height, plane.line_size))
        else:
            shape = (plane.height, plane.line_size // 2)
            plane_rows(plane, np.uint16)[:] = random.integers(0, top + 1, shape)
    return picture


def by_the_book(codes: NDArray[np.float64], matrix: int, full: bool, bits: int) -> NDArray[np.float64]:
    """RGB in [0, 1] of (..., 3) codes, straight from H.273."""
    kr, kb = MATRICES[matrix]
    step, top = 2 ** (bits - 8), 2**bits - 1
    luma = codes[..., 0] / top if full else (codes[..., 0] / step - 16) / 219
    blue, red = ((codes[..., c] - 128 * step) / (top if full else 224 * step) for c in (1, 2))
    r = luma + 2 * (1 - kr) * red
    b = luma + 2 * (1 - kb) * blue
    return np.clip(np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], -1), 0, 1)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("form", "bits"), [("yuv444p", 8), ("yuv444p10le", 10), ("yuv444p16le", 16)])
def test_colours_are_by_the_book(form: str, bits: int, full: bool, matrix: int) -> None:
    picture = filled(form, top=None if bits == 8 else 2**bits - 1)
    picture.colorspace, picture.color_range = matrix, 2 if full else 1
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = np.dstack([plane_rows(plane, dtype)[:, :34] for plane in picture.planes]).astype(float)
    white = 255 if bits == 8 else 65535
    expected = by_the_book(codes, matrix, full, bits) * white
    ours = PictureReader("a movie").pixels(picture).astype(float)
    assert np.abs(ours - expected).max() <= (0.75 if bits == 8 else 2)


@pytest.mark.parametrize(
    ("packed", "planar"),
    [
        ("nv12", "yuv420p"),
        ("nv21", "yuv420p"),
        ("yuyv422", "yuv422p"),
        ("uyvy422", "yuv422p"),
        ("nv16", "yuv422p"),
    ],
)
def test_packed_formats_hold_the_same_as_planar_ones(packed: str, planar: str) -> None:
    picture = filled(planar)
    picture.colorspace, picture.color_range = 1, 1
    other = picture.reformat(format=packed, threads=1)
    for plane, again in zip(picture.planes, other.reformat(format=planar, threads=1).planes, strict=True):
        assert np.array_equal(
            plane_rows(plane, np.uint8)[:, : plane.width], plane_rows(again, np.uint8)[:, : plane.width]
        )
    other.colorspace, other.color_range = 1, 1
    assert np.array_equal(PictureReader("a").pixels(picture), PictureReader("b").pixels(other))


@pytest.mark.parametrize(
    "form", ["rgb24", "bgr24", "rgba", "bgra", "argb", "0rgb", "gbrp", "rgb48le", "rgba64be"]
)
def test_rgb_formats_are_exact(form: str) -> None:
    alpha = "a" in form
    deep = "48" in form or "64" in form
    pixels = np.dstack([colours(1, 34, 18)[0], colours(1, 34, 18, seed=4)[0, ..., :1]])
    pixels = pixels[..., : 4 if alpha else 3]
    if deep:
        pixels = pixels.astype(np.uint16) * 257 + 3
    layout = {
        (False, False): "rgb24",
        (True, False): "rgba",
        (False, True): "rgb48le",
        (True, True): "rgba64le",
    }
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=layout[alpha, deep])
    assert np.array_equal(PictureReader("a").pixels(picture.reformat(format=form, threads=1)), pixels)


def test_ten_bit_rgb_fills_the_range() -> None:
    picture: Any = av.VideoFrame(3, 1, "gbrp10le")
    for plane in picture.planes:
        plane_rows(plane, np.uint16)[0, :3] = [0, 512, 1023]
    assert PictureReader("a").pixels(picture)[0, :, 0].tolist() == [0, 32800, 65535]


@pytest.mark.parametrize(("span", "expected"), [(1, [0, 130, 255]), (2, [16, 128, 235]), (0, [16, 128, 235])])
def test_grey_follows_its_range(span: int, expected: list[int]) -> None:
    picture: Any = av.VideoFrame(3, 1, "gray")
    plane_rows(picture.planes[0], np.uint8)[0, :3] = [16, 128, 235]
    picture.color_range = span
    pixels = PictureReader("a").pixels(picture)
    assert pixels.shape == (1, 3, 3)
    assert pixels[0, :, 0].tolist() == expected and pixels[0, :, 2].tolist() == expected


@pytest.mark.parametrize("form", ["yuv411p", "yuv440p", "yuv410p"])
def test_rare_samplings_keep_their_colours(form: str) -> None:
    picture: Any = av.VideoFrame(32, 16, form)
    for plane, value in zip(picture.planes, (81, 90, 240), strict=True):  # red by BT.601, limited range
        plane_rows(plane, np.uint8)[:] = value
    picture.colorspace, picture.color_range = 6, 1
    assert np.abs(PictureReader("a").pixels(picture).astype(int) - [255, 0, 0]).max() <= 1


def test_unreadable_colours_are_refused_by_name() -> None:
    picture = filled("yuv444p")
    picture.colorspace = 14
    with pytest.raises(StylebridgeError) as caught:
        PictureReader("plate.mov").pixels(picture)
    assert caught.value.code == Code.NOT_READABLE and "plate.mov" in caught.value.message
    with pytest.raises(StylebridgeError):
        PictureReader("plate.mov").pixels(av.VideoFrame(8, 8, "gbrpf32le"))


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("sampling", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("centred", [False, True])
def test_chroma_survives_going_up_and_down(bits: int, sampling: tuple[bool, bool], centred: bool) -> None:
    """A second generation adds nothing but rounding: chroma is neither blurred nor moved."""
    coding = Coding(1, False, bits, *sampling, centred)
    dtype = "uint8" if bits == 8 else "uint16"
    first = to_rgb_again(colours(1, 64, 48, dtype=dtype)[0], coding)
    again = first
    for _ in range(5):
        again = to_rgb_again(again, coding)
    unit = 1 if bits == 8 else 65535 / 1023
    assert np.abs(again.astype(float) - first)[4:-4, 4:-4].max() <= 8 * unit
    assert np.abs((again.astype(float) - first).mean((0, 1))).max() <= 0.6 * unit


def to_rgb_again(rgb: Pixels, coding: Coding) -> Pixels:
    luma, blue, red = from_rgb(rgb, coding)
    return to_rgb(luma, (blue, red), coding)


@pytest.mark.parametrize("form", ["yuv420p", "yuva444p10le", "gbrp16le", "bgr0"])
def test_picture_for_an_encoder_reads_back(form: str) -> None:
    reader = PictureReader("a")
    empty: Any = av.VideoFrame(34, 18, form)
    empty.colorspace, empty.color_range = 1, 1
    layout = reader.layout(empty)
    dtype = layout.dtype
    pixels = colours(1, 34, 18, dtype=dtype)[0]
    if layout.alpha:
        pixels = np.dstack([pixels, pixels[..., :1]])
    picture: Any = to_picture(pixels, layout)
    picture.colorspace, picture.color_range = 1, 1
    error = np.abs(reader.pixels(picture).astype(float) - pixels) / np.iinfo(dtype).max
    assert error.max() < (0.08 if form == "yuv420p" else 0.002 if form.startswith("yuva") else 1e-9)
