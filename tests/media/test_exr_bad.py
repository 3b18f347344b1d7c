"""EXR files that are broken, hostile or of a kind that is not read: one sentence each, before memory is taken."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media.exr_samples import all_of, planes, ramp, write, write_stereo

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import open_sink, open_source
from stylebridge_server.media.exr_file import Attribute, Chunk, read_headers, write_file
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.values import Frame


def refused(path: Path, *words: str, code: str = Code.NOT_READABLE) -> StylebridgeError:
    with pytest.raises(StylebridgeError) as caught:
        for frame in open_source(path).frames():
            assert frame.pixels.size
    message = caught.value.message
    assert caught.value.code == code and all(word in message for word in words), message
    assert "\n" not in message and message.endswith(".")
    return caught.value


def with_header(path: Path, name: str, new: bytes) -> None:
    """Other bytes of the same length for an attribute of a file."""
    old = read_headers(path).parts[0].attributes[name]
    head = name.encode() + b"\0" + old.type.encode() + b"\0" + struct.pack("<i", len(old.value))
    assert len(new) == len(old.value)
    data = path.read_bytes()
    assert data.count(head + old.value) == 1
    path.write_bytes(data.replace(head + old.value, head + new))


def test_a_header_that_claims_too_much_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    for window, code in (
        ((0, 0, 99_999, 99_999), Code.TOO_LARGE),
        ((-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), Code.TOO_LARGE),
        ((5, 5, 0, 9), Code.NOT_READABLE),
    ):
        write(path, ramp((6, 8), 3))
        with_header(path, "dataWindow", struct.pack("<4i", *window))
        refused(path, "a.exr", code=code)
    # Many channels of a size that is allowed.
    many = np.zeros((1, 4, 300), np.float32)
    write(path, many, [*"RGB", *(f"aov{place}.R" for place in range(297))])
    with_header(path, "dataWindow", struct.pack("<4i", 0, 0, 9999, 9999))
    refused(path, "cut off")  # its table of chunks would be longer than the file


def test_windows_that_lie_far_apart_are_one_picture_too_large(tmp_path: Path) -> None:
    write(tmp_path / "a.1.exr", ramp((6, 8), 3), at=(0, 0), full=(0, 0, 8, 6))
    write(tmp_path / "a.2.exr", ramp((6, 8), 3), at=(1_000_000, 0), full=(0, 0, 8, 6))
    refused(tmp_path / "a.#.exr", "1000008x6", code=Code.TOO_LARGE)


def test_kinds_that_are_not_read_are_named(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(4, 3, 4, oiio.HALF)
    spec.channelnames, spec.deep = ["R", "G", "B", "A"], True
    deep = oiio.DeepData()
    deep.init(spec)
    writer = oiio.ImageOutput.create("openexr")
    assert writer.open(str(tmp_path / "deep.exr"), spec) and writer.write_deep_image(deep) and writer.close()
    refused(tmp_path / "deep.exr", "deep", "flatten")
    write(tmp_path / "chroma.exr", ramp((6, 8), 3), ["Y", "RY", "BY"])
    refused(tmp_path / "chroma.exr", "luminance and chroma", "R, G and B")
    write(tmp_path / "motion.exr", ramp((6, 8), 2), ["u", "v"])
    refused(tmp_path / "motion.exr", "u, v")
    write(tmp_path / "ids.exr", np.zeros((6, 8, 3), np.uint32))
    refused(tmp_path / "ids.exr", "no layer")
    (tmp_path / "a.exr").write_bytes(b"\x89PNG\r\n\x1a\n" * 9)
    refused(tmp_path / "a.exr", "not an OpenEXR file")


def test_a_deep_part_beside_the_picture_goes_through_as_it_is(tmp_path: Path) -> None:
    deep = oiio.ImageSpec(4, 3, 2, oiio.HALF)
    deep.channelnames, deep.deep = ["A", "Z"], True
    data = oiio.DeepData()
    data.init(deep)
    data.set_samples(5, 2)
    data.set_deep_value(5, 1, 1, 0.75)
    pixels = ramp((3, 4), 4)
    write(tmp_path / "flat.exr", pixels)
    writer = oiio.ImageOutput.create("openexr")
    assert writer.open(str(tmp_path / "deep.exr"), deep) and writer.write_deep_image(data) and writer.close()
    # OpenImageIO does not write the two into one file, but Nuke does.
    with (tmp_path / "a.exr").open("wb") as target, ExitStack() as stack:
        headers, chunks = [], []
        for number, name in enumerate(("flat", "deep")):
            file = stack.enter_context((tmp_path / f"{name}.exr").open("rb"))
            one = read_headers(tmp_path / f"{name}.exr")
            kind = "deepscanline" if name == "deep" else "scanlineimage"
            said = {"name": name, "type": kind, "chunkCount": one.parts[0].chunk_count}
            headers.append(
                {**one.parts[0].attributes, **{key: Attribute.of(value) for key, value in said.items()}}
            )
            lead = struct.pack("<i", number)
            chunks.append([Chunk(file, at, one.length(file, 0, at), lead) for at in one.places(file)[0]])
        write_file(target, headers, True, chunks)
    source = open_source(tmp_path / "a.exr")
    with open_sink(tmp_path / "b.exr", source.info, 0, 0) as sink:
        sink.write(Frame(0, np.full_like(pixels, 0.25)))
    reader = oiio.ImageInput.open(str(tmp_path / "b.exr"))
    assert (reader.read_image(0, 0, 0, 4, oiio.HALF) == 0.25).all()
    back = reader.read_native_deep_image(1, 0)
    assert back.samples(5) == 2 and back.deep_value(5, 1, 1) == 0.75


def test_a_file_that_is_cut_off_ends_the_shot_there(tmp_path: Path) -> None:
    for number in range(1, 6):
        write(tmp_path / f"a.{number}.exr", ramp((200, 100), 4, number), compression="zips")
    whole = (tmp_path / "a.4.exr").read_bytes()
    for share in (0.0, 0.001, 0.3, 0.9, 0.999):
        (tmp_path / "a.4.exr").write_bytes(whole[: int(len(whole) * share)])
        source = open_source(tmp_path / "a.#.exr")
        assert (source.info.last, source.readable_last) == (5, 3)
        with open_sink(tmp_path / "out.#.exr", source.info, 1, 5) as sink:
            with pytest.raises(StylebridgeError) as caught:
                for frame in source.frames():
                    sink.write(frame)
            sink.finish(partial=True)
        assert caught.value.code == Code.PARTIAL and caught.value.details["last"] == 3
        assert "a.4.exr" in caught.value.message and "\n" not in caught.value.message
        assert sorted(one.name for one in tmp_path.glob("out.*")) == ["out.1.exr", "out.2.exr", "out.3.exr"]
        assert all_of(tmp_path / "out.3.exr") == all_of(tmp_path / "a.3.exr")
    # Not cut off, but packed pixels that are none: it is seen when they are unpacked.
    broken = bytearray(whole)
    broken[len(broken) // 2 : len(broken) // 2 + 4000] = bytes(4000)
    (tmp_path / "a.4.exr").write_bytes(broken)
    refused(tmp_path / "a.#.exr", "a.4.exr", "frame 3", code=Code.PARTIAL)
    (tmp_path / "a.1.exr").write_bytes(whole[:2000])
    refused(tmp_path / "a.#.exr", "a.1.exr", "cut off")


def test_what_changes_in_the_middle_is_named_with_its_frame(tmp_path: Path) -> None:
    pixels = ramp((6, 8), 4)
    for change in (
        lambda path: write(path, pixels[..., :3]),
        lambda path: write(path, pixels.astype(np.float32)),
        lambda path: write(path, pixels, full=(0, 0, 9, 6)),
        lambda path: write_exr(path, [NewPart(planes(pixels, ["u", "v", "w", "x"]))]),
    ):
        for number in (1, 2, 4):
            write(tmp_path / f"a.{number}.exr", pixels)
        change(tmp_path / "a.3.exr")
        error = refused(tmp_path / "a.#.exr", "changes at frame 3")
        assert error.details["frame"] == 3


def test_a_full_disk_or_a_missing_folder_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.exr", ramp((6, 8), 4))
    source = open_source(tmp_path / "a.exr")
    (tmp_path / "out").mkdir()
    sink = open_sink(tmp_path / "out" / "a.exr", source.info, 0, 0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stylebridge_server.media.exr_write.write_file", full)
    with pytest.raises(StylebridgeError) as caught:
        sink.write(source.read(0))
    assert caught.value.code == Code.NOT_WRITABLE and "no space left on device" in caught.value.message
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(StylebridgeError) as caught:
        open_sink(tmp_path / "nowhere" / "a.exr", source.info, 0, 0)
    assert caught.value.code == Code.NOT_WRITABLE
    with pytest.raises(StylebridgeError) as caught:
        open_sink(tmp_path / "a.exr", source.info, 0, 0)
    assert "the source itself" in caught.value.message


@cache
def stereo(folder: Path) -> bytes:
    write_stereo(folder / "stereo.exr", (0, 0, 40, 30))
    return (folder / "stereo.exr").read_bytes()


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 4000), new=st.binary(min_size=1, max_size=8), cut=st.none() | st.integers(0, 20_000))
def test_altered_headers_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, new: bytes, cut: int | None
) -> None:
    whole = stereo(tmp_path_factory.getbasetemp())
    path = tmp_path_factory.getbasetemp() / "altered.exr"
    path.write_bytes((whole[:at] + new + whole[at + len(new) :])[:cut])
    try:
        with open_source(path) as source:
            source.read(0)
    except StylebridgeError as error:
        assert error.code in (Code.NOT_READABLE, Code.TOO_LARGE, Code.PARTIAL) and "\n" not in error.message


def test_attributes_of_a_damaged_header_are_not_believed(tmp_path: Path) -> None:
    write_exr(
        tmp_path / "a.exr",
        [
            NewPart(
                planes(ramp((6, 8), 4), "RGBA"),
                header={
                    "framesPerSecond": Attribute("rational", struct.pack("<iI", 24, 0)),
                    "pixelAspectRatio": Attribute("float", struct.pack("<f", float("nan"))),
                    "chromaticities": Attribute("chromaticities", b"short"),
                    "timeCode": Attribute("timecode", b"\xff" * 8),
                },
            )
        ],
    )
    info = open_source(tmp_path / "a.exr").info
    assert (info.rate, info.pixel_aspect, info.colour, info.tags["timecode"]) == (None, 1, "linear", None)
