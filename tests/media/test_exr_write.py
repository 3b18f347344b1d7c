"""EXR files that are written: what an independent reader finds in them, and that they are whole or not there."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.exr_file import COMPRESSIONS, read_headers
from stylebridge_server.media.exr_pixels import read_channels
from stylebridge_server.media.exr_write import NewPart, write_exr

LOSSLESS = [name for name in COMPRESSIONS if name not in ("b44", "b44a", "dwaa", "dwab", "lj2k")]


def noise(dtype: str, count: int, size: tuple[int, int] = (37, 53)) -> list[np.ndarray]:
    """Planes of any bits at all, those that are no number too."""
    random = np.random.default_rng(count)
    whole = np.dtype(f"u{np.dtype(dtype).itemsize}")
    return [
        random.integers(0, np.iinfo(whole).max, size, whole, endpoint=True).view(dtype) for _ in range(count)
    ]


def bits(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("compression", LOSSLESS)
def test_every_bit_of_every_type_comes_back(tmp_path: Path, compression: str) -> None:
    kinds = {"Z": "float32", "id": "uint32"} if compression not in ("pxr24", "htj2k256", "htj2k32") else {}
    planes = dict(zip("RGBA", noise("float16", 4), strict=True))
    planes |= {name: noise(dtype, 1)[0] for name, dtype in kinds.items()}
    write_exr(tmp_path / "a.exr", [NewPart(planes, compression=compression)])
    part = read_headers(tmp_path / "a.exr").parts[0]
    assert part.compression == compression
    reader = oiio.ImageInput.open(str(tmp_path / "a.exr"))
    names = reader.spec().channelnames
    for name, plane in planes.items():
        kind = {"float16": oiio.HALF, "float32": oiio.FLOAT, "uint32": oiio.UINT32}[str(plane.dtype)]
        at = names.index(name)
        assert bits(reader.read_image(0, 0, at, at + 1, kind)) == bits(plane), name
        one = [channel for channel in part.channels if channel.name == name]
        assert bits(read_channels(tmp_path / "a.exr", 0, part, one)) == bits(plane)


def test_parts_windows_and_headers_are_what_was_asked_for(tmp_path: Path) -> None:
    header = {
        "owner": "Ä. Nobody",
        "take": 3,
        "gain": 0.5,
        "framesPerSecond": Fraction(24000, 1001),
        "a name of more than thirty-one characters": "long",
    }
    first = NewPart(
        dict(zip("RGBA", noise("float16", 4), strict=True)),
        (-5, -3, 48, 34),
        (0, 0, 40, 30),
        header,
        "beauty",
    )
    second = NewPart({"crypto00.R": noise("float32", 1, (4, 6))[0]}, name="crypto", compression="zips")
    write_exr(tmp_path / "a.exr", [first, second])
    reader = oiio.ImageInput.open(str(tmp_path / "a.exr"))
    spec = reader.spec()
    assert (spec.x, spec.y, spec.width, spec.height) == (-5, -3, 53, 37)
    assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (0, 0, 40, 30)
    assert spec.getattribute("oiio:subimagename") == "beauty"
    assert spec.getattribute("FramesPerSecond") == (24000, 1001)
    assert (spec.getattribute("take"), spec.getattribute("gain")) == (3, 0.5)
    assert spec.getattribute("a name of more than thirty-one characters") == "long"
    assert bits(reader.read_image(0, 0, 0, 4, oiio.HALF)) == bits(np.stack(list(first.channels.values()), -1))
    assert reader.seek_subimage(1, 0) and reader.spec().channelnames == ("crypto00.R",)
    assert bits(reader.read_image(1, 0, 0, 1, oiio.FLOAT)) == bits(second.channels["crypto00.R"])
    assert [part.attributes["owner"].text for part in read_headers(tmp_path / "a.exr").parts[:1]] == [
        "Ä. Nobody"
    ]


def test_what_is_no_part_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    small, large = noise("float16", 1)[0], noise("float16", 1, (5, 5))[0]
    for channels in ({}, {"R": small, "G": large}, {"R": small.astype(np.float64)}):
        with pytest.raises(StylebridgeError) as caught:
            write_exr(tmp_path / "a.exr", [NewPart(channels)])
        assert caught.value.code == Code.BAD_VALUE
    with pytest.raises(StylebridgeError) as caught:
        write_exr(tmp_path / "nowhere" / "a.exr", [NewPart({"R": small})])
    assert caught.value.code == Code.NOT_WRITABLE
    assert list(tmp_path.iterdir()) == []
