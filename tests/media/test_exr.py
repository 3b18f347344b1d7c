"""EXR in and out: what is not styled stays as it is, to the last bit and the last attribute."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media.exr_samples import ODD_HEADER, all_of, headers_of, planes, ramp, write, write_stereo

from stylebridge.errors import StylebridgeError
from stylebridge_server.media import Sink, open_sink, open_source
from stylebridge_server.media.exr_file import COMPRESSIONS, Attribute, read_headers
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.values import Frame

LOSSY = ("b44", "b44a", "dwaa", "dwab")


def bits(pixels: np.ndarray) -> bytes:
    return np.ascontiguousarray(pixels).tobytes()


def refused(*words: str, path: Path, **options: str) -> StylebridgeError:
    with pytest.raises(StylebridgeError) as caught:
        open_source(path, **options)
    message = caught.value.message
    assert all(word in message for word in words), message
    assert "\n" not in message and message.endswith((".", "?"))
    return caught.value


def brightened(frame: Frame, where: tuple[slice, slice]) -> Frame:
    """What a style does, within a matte: everything else is untouched."""
    pixels = frame.pixels.copy()
    pixels[where][..., :3] = np.nan_to_num(pixels[where][..., :3]) * 0.5 + 0.25
    return Frame(frame.number, pixels)


def write_all(sink: Sink, frames: list[Frame]) -> None:
    for frame in frames:
        sink.write(frame)


def test_stereo_comes_back_to_the_last_bit_and_attribute(tmp_path: Path) -> None:
    pattern, out = tmp_path / "plate.####.exr", tmp_path / "out.####.exr"
    made = [write_stereo(tmp_path / f"plate.{number:04}.exr", seed=number) for number in (1001, 1002)]
    sources = [open_source(pattern, view=view) for view in ("left", "right")]
    info = sources[0].info
    assert sources[0].views == ("left", "right")
    assert (info.width, info.height, info.channels, info.dtype) == (48, 36, 4, "float16")
    assert (info.first, info.last, info.rate) == (1001, 1002, Fraction(24000, 1001))
    assert (info.colour, info.alpha, info.display) == ("acescg", "premultiplied", (4, 3, 44, 33))
    assert info.tags["timecode"] == "01:59:23:10"
    with open_sink(
        out, info, 1001, 1002, metadata={"stylebridge:look": "ä = 1"}, views=[one.info for one in sources]
    ) as sink:
        for number, parts in zip((1001, 1002), made, strict=True):
            frames = [source.read(number) for source in sources]
            assert bits(frames[0].pixels) == bits(parts["rgba.left"])
            assert bits(frames[1].pixels) == bits(parts["rgba.right"])
            write_all(sink, frames)
    assert sink.lossless and sink.description == "EXR, half, 2 views"
    for number in (1001, 1002):
        before, after = tmp_path / f"plate.{number}.exr", tmp_path / f"out.{number}.exr"
        assert all_of(before) == all_of(after)
        assert headers_of(before) == headers_of(after)
        styled = [part.attributes.get("stylebridge:look") for part in read_headers(after).parts]
        assert styled == [Attribute.of("ä = 1")] * 2 + [None]
    assert not list(tmp_path.glob(".*"))


def test_outside_the_matte_nothing_changes(tmp_path: Path) -> None:
    write_stereo(tmp_path / "plate.exr")
    where = slice(5, 20), slice(10, 30)
    sources = [open_source(tmp_path / "plate.exr", view=view) for view in ("left", "right")]
    frames = [brightened(source.read(0), where) for source in sources]
    with open_sink(tmp_path / "out.exr", sources[0].info, 0, 0, views=[one.info for one in sources]) as sink:
        write_all(sink, frames)
    assert headers_of(tmp_path / "plate.exr") == headers_of(tmp_path / "out.exr")
    before, after = all_of(tmp_path / "plate.exr"), all_of(tmp_path / "out.exr")
    for part, frame in zip(range(2), frames, strict=True):
        for place, name in enumerate("RGBA"):
            assert after[part][name] == bits(frame.pixels[..., place])
    untouched = [(0, "depth.Z"), (0, "id"), (0, "A"), (1, "A"), (2, "X")]
    assert all(before[part][name] == after[part][name] for part, name in untouched)
    # And so it is seen by who opens the result.
    assert bits(open_source(tmp_path / "out.exr", view="right").read(0).pixels) == bits(frames[1].pixels)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("tile", [None, (16, 8)])
def test_every_compression_in_rows_and_in_tiles(
    tmp_path: Path, compression: str, tile: tuple[int, int] | None
) -> None:
    pixels = ramp((37, 53), 4)
    pixels[0, :6] = 0.5  # lossy ones need not keep what is no number
    write(tmp_path / "a.exr", pixels, compression=compression, tile=tile)
    part = read_headers(tmp_path / "a.exr").parts[0]
    assert part.compression == compression and (part.tile is not None) == (tile is not None)
    where = slice(30, 34), slice(5, 9)
    lossy = compression in (*LOSSY, "lj2k")
    with open_source(tmp_path / "a.exr") as source:
        frame = source.read(0)
        for name, styled in (("same", frame), ("new", brightened(frame, where))):
            with open_sink(tmp_path / f"{name}.exr", source.info, 0, 0) as sink:
                sink.write(styled)
            assert [one.split()[2] for one in sink.left_out] == ([compression.upper()] if lossy else [])
            assert bits(open_source(tmp_path / f"{name}.exr").read(0).pixels) == bits(styled.pixels)
    assert headers_of(tmp_path / "same.exr") == headers_of(tmp_path / "a.exr")
    changed = ["compression"] if lossy else []
    assert headers_of(tmp_path / "new.exr", changed) == headers_of(tmp_path / "a.exr", changed)
    assert read_headers(tmp_path / "new.exr").parts[0].compression == ("zip" if lossy else compression)


def test_smaller_copies_and_rows_from_the_last(tmp_path: Path) -> None:
    pixels = ramp((20, 30), 3)
    write_exr(tmp_path / "a.exr", [NewPart(planes(pixels, "RGB"), compression="zips")])
    data = (
        (tmp_path / "a.exr")
        .read_bytes()
        .replace(b"lineOrder\0lineOrder\0\1\0\0\0\0", b"lineOrder\0lineOrder\0\1\0\0\0\1")
    )
    (tmp_path / "a.exr").write_bytes(data)
    with open_source(tmp_path / "a.exr") as source:
        frame = brightened(source.read(0), (slice(3, 5), slice(2, 9)))
        with open_sink(tmp_path / "b.exr", source.info, 0, 0) as sink:
            sink.write(frame)
    assert headers_of(tmp_path / "a.exr") == headers_of(tmp_path / "b.exr")
    places = []
    with (tmp_path / "b.exr").open("rb") as file:
        places = read_headers(tmp_path / "b.exr").places(file)[0]
    assert places == sorted(places, reverse=True)
    assert bits(open_source(tmp_path / "b.exr").read(0).pixels) == bits(frame.pixels)


def test_data_windows_that_move_are_one_picture_and_go_back_to_their_own(tmp_path: Path) -> None:
    full = (0, 0, 20, 16)
    windows = {-1: (2, 3, 12, 9), 0: (-3, 1, 7, 5), 1: (10, 10, 26, 15)}
    for number, (x0, y0, x1, y1) in windows.items():
        name = tmp_path / f"plate.{'-' * (number < 0)}{abs(number):03}.exr"
        write(name, ramp((y1 - y0, x1 - x0), 4, 5), at=(x0, y0), full=full)
    with open_source(tmp_path / "plate.###.exr") as source:
        info = source.info
        assert (info.first, info.last, info.width, info.height) == (-1, 1, 29, 14)
        assert info.display == (3, -1, 23, 15)
        with open_sink(tmp_path / "out.###.exr", info, -1, 1) as sink:
            for frame in source.frames():
                x0, y0, x1, y1 = windows[frame.number]
                inside = frame.pixels[y0 - 1 : y1 - 1, x0 + 3 : x1 + 3]
                assert bits(inside) == bits(ramp((y1 - y0, x1 - x0), 4, 5))
                assert (frame.pixels.view(np.uint16) != 0).sum() == (inside.view(np.uint16) != 0).sum()
                sink.write(
                    Frame(
                        frame.number,
                        np.where(np.isfinite(frame.pixels), np.nan_to_num(frame.pixels) * 0.5, 0),
                    )
                )
    for number, window in windows.items():
        name = f"out.{'-' * (number < 0)}{abs(number):03}.exr"
        assert read_headers(tmp_path / name).parts[0].data == window
        assert headers_of(tmp_path / name) == headers_of(tmp_path / name.replace("out", "plate"))


def test_layers_are_found_by_name_and_the_main_one_by_itself(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).random((6, 8, 12)).astype(np.float32)
    names = [
        "N.X",
        "N.Y",
        "N.Z",
        "R",
        "G",
        "B",
        "Z",
        "key.red",
        "key.green",
        "key.blue",
        "key.alpha",
        "shadow.A",
    ]
    write(tmp_path / "a.exr", noise, names)
    for layer, places in (
        (None, [3, 4, 5]),
        ("rgba", [3, 4, 5]),
        ("key", [7, 8, 9, 10]),
        ("shadow", [11]),
        ("Z", [6]),
    ):
        with open_source(tmp_path / "a.exr", layer=layer) as source:
            assert bits(source.read(0).pixels) == bits(noise[..., places])
    refused("'kee'", "rgba, key, shadow", "did you mean 'key'?", path=tmp_path / "a.exr", layer="kee")
    refused("no view", "leave --view out", path=tmp_path / "a.exr", view="left")
    source = open_source(tmp_path / "a.exr", layer="key")
    with open_sink(tmp_path / "b.exr", source.info, 0, 0) as sink:
        sink.write(brightened(source.read(0), (slice(0, 9), slice(0, 9))))
    before, after = all_of(tmp_path / "a.exr")[0], all_of(tmp_path / "b.exr")[0]
    assert {name for name in names if before[name] != after[name]} == {"key.red", "key.green", "key.blue"}


def test_main_layers_of_renderers(tmp_path: Path) -> None:
    pixels = ramp((6, 8), 4)
    blender = [
        f"ViewLayer.{name}"
        for name in ("AO.R", "AO.G", "AO.B", "Combined.R", "Combined.G", "Combined.B", "Combined.A")
    ]
    write(tmp_path / "blender.exr", np.concatenate([np.zeros_like(pixels[..., :3]), pixels], -1), blender)
    parts = [
        NewPart(planes(np.zeros_like(pixels), "RGBA"), name="albedo"),
        NewPart(planes(pixels, "RGBA"), name="beauty"),
        NewPart({"Z": pixels[..., 0]}, name="depth"),
    ]
    write_exr(tmp_path / "parts.exr", parts)
    two = [*"RGB", "right.R", "right.G", "right.B", "diffuse.right.R", "diffuse.right.G", "diffuse.right.B"]
    views = struct.pack("<i", 4) + b"left" + struct.pack("<i", 5) + b"right"
    stereo = np.concatenate([pixels[..., :3], pixels[..., 1:], np.zeros_like(pixels[..., :3])], -1)
    write_exr(
        tmp_path / "stereo.exr",
        [NewPart(planes(stereo, two), header={"multiView": Attribute("stringvector", views)})],
    )
    for name, view, layer, expected in (
        ("blender", None, None, pixels),
        ("parts", None, None, pixels),
        ("parts", None, "depth", pixels[..., :1]),
        ("stereo", None, None, pixels[..., :3]),
        ("stereo", "left", None, pixels[..., :3]),
        ("stereo", "right", None, pixels[..., 1:]),
        ("stereo", "right", "diffuse", np.zeros_like(pixels[..., :3])),
    ):
        source = open_source(tmp_path / f"{name}.exr", layer=layer, view=view)
        assert bits(source.read(0).pixels) == bits(expected), (name, view, layer)
    refused("no view 'centre'", "left, right", path=tmp_path / "stereo.exr", view="centre")
    # Both views of one part are written at once.
    sources = [open_source(tmp_path / "stereo.exr", view=view) for view in ("left", "right")]
    frames = [Frame(0, np.full((6, 8, 3), value, np.float16)) for value in (1, 2)]
    with open_sink(tmp_path / "out.exr", sources[0].info, 0, 0, views=[one.info for one in sources]) as sink:
        write_all(sink, frames)
    after = all_of(tmp_path / "out.exr")[0]
    assert after["G"] == bits(frames[0].pixels[..., 1]) and after["right.G"] == bits(frames[1].pixels[..., 1])
    assert after["diffuse.right.G"] == all_of(tmp_path / "stereo.exr")[0]["diffuse.right.G"]


def test_grey_becomes_colour_only_where_it_is_styled(tmp_path: Path) -> None:
    grey = write(tmp_path / "a.exr", ramp((6, 8), 2))
    with open_source(tmp_path / "a.exr") as source:
        assert source.info.channels == 2 and bits(source.read(0).pixels) == bits(grey)
        colour = np.concatenate([grey[..., [0, 0, 0]], grey[..., 1:]], -1)
        with open_sink(tmp_path / "b.exr", replace(source.info, channels=4), 0, 0) as sink:
            sink.write(Frame(0, colour))
    assert bits(open_source(tmp_path / "b.exr").read(0).pixels) == bits(colour)
    assert list(all_of(tmp_path / "b.exr")[0]) == ["R", "G", "B", "A"]


def test_what_is_said_of_colour_and_alpha(tmp_path: Path) -> None:
    pixels = ramp((4, 4), 4)
    for header, colour, alpha in (
        ({}, "linear", "premultiplied"),
        ({"colorInteropID": "lin_ap1_scene"}, "acescg", "premultiplied"),
        ({"oiio:ColorSpace": "ARRI LogC4"}, "ARRI LogC4", "premultiplied"),
        (
            {"chromaticities": ODD_HEADER["chromaticities"], "oiio:ColorSpace": "Linear"},
            "acescg",
            "premultiplied",
        ),
        ({"acesImageContainerFlag": 1}, "aces2065-1", "premultiplied"),
        ({"oiio:UnassociatedAlpha": 1}, "linear", "straight"),
    ):
        write_exr(tmp_path / "a.exr", [NewPart(planes(pixels, "RGBA"), header=header)])
        info = open_source(tmp_path / "a.exr").info
        assert (info.colour, info.alpha) == (colour, alpha)


def test_a_black_gap_has_every_view(tmp_path: Path) -> None:
    for number in (1, 3):
        write_stereo(tmp_path / f"a.{number}.exr", seed=number)
    sources = [open_source(tmp_path / "a.#.exr", view=view, gaps="black") for view in ("left", "right")]
    with open_sink(tmp_path / "b.#.exr", sources[0].info, 1, 3, views=[one.info for one in sources]) as sink:
        for number in (1, 2, 3):
            write_all(sink, [source.read(number) for source in sources])
    left, right = read_headers(tmp_path / "b.2.exr").parts
    assert (left.view, right.view, left.data) == ("left", "right", (-4, -3, 44, 33))
    assert left.display == (0, 0, 40, 30) and left.attributes["stylebridge:gap"].text == "black"
    assert "timeCode" not in left.attributes
    assert not any(any(channel) for part in all_of(tmp_path / "b.2.exr") for channel in part.values())
    assert all_of(tmp_path / "b.3.exr") == all_of(tmp_path / "a.3.exr")


def test_several_views_are_not_written_smaller(tmp_path: Path) -> None:
    write_stereo(tmp_path / "a.exr")
    likes = [
        replace(open_source(tmp_path / "a.exr", view=view).info, width=24, height=18)
        for view in ("left", "right")
    ]
    with pytest.raises(StylebridgeError, match="--view"):
        open_sink(tmp_path / "b.exr", likes[0], 0, 0, views=likes)


def test_files_read_and_written_at_the_same_time_are_what_they_are_alone(tmp_path: Path) -> None:
    """OpenEXR packs with threads of its own, and reading ahead and writing behind add some."""
    plates = {}
    for number, compression in enumerate(("zip", "piz", "zips", "htj2k32")):
        plates[number] = write(
            tmp_path / f"a.{number}.exr", ramp((300, 200), 4, number), compression=compression
        )

    def trip(turn: int) -> bool:
        number = turn % len(plates)
        with open_source(tmp_path / f"a.{number}.exr") as source:
            pixels = source.read(0).pixels
            with open_sink(tmp_path / f"b.{turn}.exr", source.info, 0, 0) as sink:
                sink.write(Frame(0, np.ascontiguousarray(pixels[::-1])))
            same = bits(source.read(0).pixels) == bits(plates[number])
        return same and bits(open_source(tmp_path / f"b.{turn}.exr").read(0).pixels) == bits(pixels[::-1])

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(trip, range(40)))
