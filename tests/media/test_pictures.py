"""Picture files: bit for bit, with what they say about themselves, and refused in a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from media.samples import colours
from PIL import Image

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import load_image, open_sink, open_source, save_image
from stylebridge_server.media.limits import MAX_PROFILE
from stylebridge_server.media.png import icc_of
from stylebridge_server.values import Frame, Pixels

SIZES = [(1, 1), (7, 5), (4097, 3), (64, 48)]


def noise(size: tuple[int, int], channels: int, dtype: str) -> Pixels:
    random = np.random.default_rng(size[0] * 31 + channels)
    return random.integers(0, np.iinfo(dtype).max + 1, (size[1], size[0], channels)).astype(dtype)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(
    width: int, height: int, depth: int, colour: int, rows: list[bytes], extra: bytes = b""
) -> bytes:
    """A PNG written by hand: unfiltered rows, chunks of choice before them."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_round_trip_is_bit_exact(
    tmp_path: Path, dtype: str, channels: int, size: tuple[int, int]
) -> None:
    pixels = noise(size, channels, dtype)
    save_image(tmp_path / "a.png", pixels)
    back = load_image(tmp_path / "a.png").pixels
    assert back.dtype == pixels.dtype and np.array_equal(back, pixels)
    if channels != 2:  # an independent reader sees the same
        other = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED).reshape(pixels.shape)
        order = [2, 1, 0, 3][:channels] if channels > 1 else [0]
        assert np.array_equal(other[..., order], pixels)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tiff_round_trip_is_bit_exact(
    tmp_path: Path, dtype: str, channels: int, size: tuple[int, int]
) -> None:
    pixels = noise(size, channels, dtype)
    save_image(tmp_path / "a.tif", pixels)
    back = load_image(tmp_path / "a.tif").pixels
    assert back.dtype == pixels.dtype and np.array_equal(back, pixels)


def test_png_of_few_bits_palettes_and_transparency(tmp_path: Path) -> None:
    rows = [bytes([0b10110100, 0b01000000]), bytes([0b00000001, 0b10000000])]
    cases = {
        "one": (png_file(9, 2, 1, 0, rows), 1),
        "two": (png_file(4, 2, 2, 0, [bytes([0b00011011]), bytes([0b11100100])]), 1),
        "four": (png_file(2, 1, 4, 0, [bytes([0x0F])]), 1),
        "palette": (png_file(2, 1, 8, 3, [bytes([1, 0])], chunk(b"PLTE", bytes([1, 2, 3, 4, 5, 6]))), 3),
        "transparent": (
            png_file(2, 1, 8, 3, [b"\1\0"], chunk(b"PLTE", bytes(range(6))) + chunk(b"tRNS", b"\x80")),
            4,
        ),
        "key": (png_file(2, 1, 8, 2, [bytes([1, 2, 3, 7, 8, 9])], chunk(b"tRNS", b"\0\1\0\2\0\3")), 4),
    }
    expected = {
        "one": [[255, 0, 255, 255, 0, 255, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 255, 255]],
        "two": [[0, 85, 170, 255], [255, 170, 85, 0]],
        "four": [[0, 255]],
        "palette": [[4, 5, 6, 1, 2, 3]],
        "transparent": [[3, 4, 5, 255, 0, 1, 2, 128]],
        "key": [[1, 2, 3, 0, 7, 8, 9, 255]],
    }
    for name, (data, channels) in cases.items():
        (tmp_path / "a.png").write_bytes(data)
        pixels = load_image(tmp_path / "a.png").pixels
        assert pixels.shape[2] == channels, name
        assert pixels.reshape(len(pixels), -1).tolist() == expected[name], name


def test_a_profile_that_inflates_without_end_is_none() -> None:
    whole = bytes(1 << 20)
    assert icc_of([(b"iCCP", b"name\0\0" + zlib.compress(whole))]) == whole
    bomb = zlib.compress(bytes(MAX_PROFILE + 1))
    assert len(bomb) < 20_000 and icc_of([(b"iCCP", b"name\0\0" + bomb)]) is None
    assert icc_of([(b"iCCP", b"name\0\0" + zlib.compress(whole)[:-9])]) is None


def test_png_chunks_go_with_the_pixels(tmp_path: Path) -> None:
    profile = b"a profile" * 30
    kept = [
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"cHRM", bytes(32)),
        chunk(b"iCCP", b"name\0\0" + zlib.compress(profile)),
        chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        chunk(b"tEXt", b"Title\0A plate"),
    ]
    rows = [row.tobytes() for row in noise((5, 4), 4, "uint8")]
    (tmp_path / "a.png").write_bytes(png_file(5, 4, 8, 6, rows, b"".join(kept) + chunk(b"tIME", bytes(7))))
    with open_source(tmp_path / "a.png") as source:
        assert source.info.kind == "still" and source.info.rate is None
        with open_sink(tmp_path / "b.png", source.info, 0, 0, metadata={"stylebridge:request": "ä1"}) as sink:
            assert sink.lossless
            sink.write(source.read(0))
        with open_sink(tmp_path / "c.png", source.info, 0, 0) as sink:
            sink.write(source.read(0))
        assert np.array_equal(load_image(tmp_path / "b.png").pixels, source.read(0).pixels)
    data = (tmp_path / "b.png").read_bytes()
    for one in kept:
        assert data.count(one) == 1
    image = Image.open(tmp_path / "b.png")
    image.load()
    assert image.info["icc_profile"] == profile and image.info["Title"] == "A plate"
    assert image.info["stylebridge:request"] == "ä1"
    with open_source(tmp_path / "c.png") as again:
        assert [kind for kind, _ in again.info.tags["png_chunks"]] == [
            b"gAMA",
            b"cHRM",
            b"iCCP",
            b"pHYs",
            b"tEXt",
        ]


def test_png_says_nothing_of_its_own(tmp_path: Path) -> None:
    """A picture without colour chunks does not gain any: viewers show the result as they show the source."""
    save_image(tmp_path / "a.png", noise((5, 4), 3, "uint8"))
    data = (tmp_path / "a.png").read_bytes()
    assert not any(kind in data for kind in (b"gAMA", b"sRGB", b"cHRM", b"cICP", b"pHYs"))


def test_jpeg_is_read_upright_with_its_profile(tmp_path: Path) -> None:
    picture = Image.fromarray(colours(1, 64, 48)[0])
    turned = picture.getexif()
    turned[0x0112] = 6
    picture.save(tmp_path / "a.jpg", quality=95, exif=turned, icc_profile=b"profile")
    with open_source(tmp_path / "a.jpg") as source:
        assert (source.info.width, source.info.height, source.info.dtype) == (48, 64, "uint8")
        pixels = source.read(0).pixels
        assert np.abs(pixels.astype(int) - np.rot90(colours(1, 64, 48)[0], -1)).mean() < 4
        with open_sink(tmp_path / "b.jpg", source.info, 0, 0, metadata={"a": "b"}) as sink:
            assert not sink.lossless
            sink.write(source.read(0))
    again = Image.open(tmp_path / "b.jpg")
    assert again.info["icc_profile"] == b"profile" and again.size == (48, 64)
    assert np.abs(np.asarray(again).astype(int) - pixels).mean() < 2


@pytest.mark.parametrize("kind", ["webp", "bmp", "gif", "ppm"])
def test_style_images_of_other_kinds(tmp_path: Path, kind: str) -> None:
    Image.fromarray(colours(1, 64, 48)[0]).save(tmp_path / f"a.{kind}")
    pixels = load_image(tmp_path / f"a.{kind}").pixels
    assert pixels.shape == (48, 64, 3) and pixels.dtype == np.uint8


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(colours(1, 64, 48)[0]).convert("CMYK").save(tmp_path / "a.jpg")
    assert load_image(tmp_path / "a.jpg").pixels.shape == (48, 64, 3)


def damaged(kind: str, how: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours(1, 64, 48)[0]).save(buffer, {"jpg": "JPEG", "png": "PNG", "tif": "TIFF"}[kind])
    data = bytearray(buffer.getvalue())
    if how == "cut":
        return bytes(data[: len(data) // 2])
    if how == "header":
        return bytes(data[:20])
    data[len(data) // 2] ^= 0x55
    return bytes(data)


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("how", ["cut", "header"])
def test_cut_off_picture_is_refused(
    tmp_path: Path, kind: str, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(damaged(kind, how))
    with pytest.raises(StylebridgeError) as caught:
        load_image(path)
    assert caught.value.code == Code.NOT_READABLE
    assert f"a.{kind}" in caught.value.message and caught.value.message.endswith(".")


def test_altered_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(damaged("png", "altered"))
    with pytest.raises(StylebridgeError) as caught:
        load_image(tmp_path / "a.png")
    assert caught.value.code == Code.NOT_READABLE


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.exr", "a.tif"])
@pytest.mark.parametrize(
    "data", [b"", b"no picture at all, but some text\n" * 9, b"%!PS-Adobe-3.0 EPSF-3.0\n" * 9]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    for opener in (load_image, open_source):
        with pytest.raises(StylebridgeError) as caught:
            opener(tmp_path / name)
        assert caught.value.code == Code.NOT_READABLE


def test_giant_header_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_file(100_000, 100_000, 8, 6, [b""]))
    tiff = (
        b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHIIHHII", 256, 4, 1, 100_000, 257, 4, 1, 100_000) + bytes(4)
    )
    (tmp_path / "a.tif").write_bytes(tiff)
    bmp = io.BytesIO()
    Image.new("RGB", (2, 2)).save(bmp, "BMP")
    head = bmp.getvalue().replace(struct.pack("<ii", 2, 2), struct.pack("<ii", 100_000, 100_000))
    (tmp_path / "a.bmp").write_bytes(head)
    for name in ("a.png", "a.tif", "a.bmp"):
        with pytest.raises(StylebridgeError) as caught:
            load_image(tmp_path / name)
        assert caught.value.code == Code.TOO_LARGE, name


@pytest.mark.parametrize(
    ("name", "channels", "dtype"),
    [
        ("a.jpg", 4, "uint8"),
        ("a.jpg", 3, "uint16"),
        ("a.tif", 2, "uint8"),
        ("a.png", 3, "float32"),
        ("a.exr", 3, "float32"),
        ("a.webp", 3, "uint8"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, name: str, channels: int, dtype: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        save_image(tmp_path / name, np.zeros((4, 4, channels), dtype))
    assert caught.value.code == Code.BAD_VALUE
    assert list(tmp_path.iterdir()) == []


def test_one_picture_cannot_hold_several_frames(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", noise((5, 4), 3, "uint8"))
    with open_source(tmp_path / "a.png") as source, pytest.raises(StylebridgeError) as caught:
        open_sink(tmp_path / "b.png", source.info, 0, 3)
    assert "b.####.png" in caught.value.message


def test_plane_is_saved_as_grey(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert load_image(tmp_path / "a.png").pixels.shape == (3, 4, 1)
    assert load_image(tmp_path / "a.png").number == Frame(0, np.zeros((1, 1, 1))).number


def test_reference_photographs_are_read_as_others_read_them(shared: Path) -> None:
    photo = next(iter(sorted((shared / "data" / "photos" / "kodak").glob("*.png"))))
    expected = cv2.imread(str(photo), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(load_image(photo).pixels, expected)
