"""EXR files made for tests, by OpenImageIO, and what is compared of them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio  # noqa: N813

from stylebridge_server.media.exr_file import Attribute, Box, read_headers
from stylebridge_server.media.exr_write import NewPart, write_exr

ODD = np.array([0x7E01, 0x7D55, 0xFC00, 0x7C00, 0x8000, 0x0001], np.uint16).view(np.float16)
"""NaNs with a message, one of them signalling, infinities, -0 and the smallest number."""

ODD_HEADER = {
    "owner": Attribute.of("Ä. Nobody"),
    "comments": Attribute.of("graded\nby hand"),
    "timeCode": Attribute("timecode", struct.pack("<II", 0x01592310, 7)),
    "keyCode": Attribute("keycode", struct.pack("<7i", 1, 2, 3, 4, 5, 6, 7)),
    "framesPerSecond": Attribute("rational", struct.pack("<iI", 24000, 1001)),
    "chromaticities": Attribute(
        "chromaticities", struct.pack("<8f", 0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
    ),
    "worldToCamera": Attribute("m44f", struct.pack("<16f", *range(16))),
    "preview": Attribute("preview", struct.pack("<II", 2, 1) + bytes(range(8))),
    "studio/rig": Attribute("aTypeOfOurOwn", b"\0\1\2\xff"),
    "lenses": Attribute("stringvector", struct.pack("<i", 2) + b"50" + struct.pack("<i", 3) + b"\xc3\xa435"),
}


def ramp(size: tuple[int, int], channels: int, seed: int = 0) -> np.ndarray:
    """(H, W, C) half floats from -0.1 to 200, with odd ones among them; alpha within [0, 1]."""
    random = np.random.default_rng(seed)
    pixels = np.exp(random.uniform(np.log(1e-4), np.log(200), (*size, channels))).astype(np.float16)
    pixels[random.random(pixels.shape) < 0.1] *= np.float16(-0.0005)
    pixels[0, : min(len(ODD), size[1]), 0] = ODD[: size[1]]
    if channels in (2, 4):
        pixels[..., -1] = random.random(size)
    return pixels


def planes(pixels: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: pixels[..., place] for place, name in enumerate(names)}


def write(path: Path, pixels: np.ndarray, names: Sequence[str] | None = None, **header: Any) -> np.ndarray:
    """A file of one part, written by OpenImageIO: data window at `at`, display window `full`."""
    at, full = header.pop("at", (0, 0)), header.pop("full", None)
    kind = {"float16": oiio.HALF, "float32": oiio.FLOAT, "uint32": oiio.UINT32}[str(pixels.dtype)]
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], kind)
    spec.channelnames = list(names or {1: "Y", 2: "YA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]])
    spec.x, spec.y = at
    x0, y0, x1, y1 = full or (*at, at[0] + pixels.shape[1], at[1] + pixels.shape[0])
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = x0, y0, x1 - x0, y1 - y0
    tile = header.pop("tile", None)
    if tile:
        spec.tile_width, spec.tile_height = tile
    for name, value in header.items():
        spec.attribute(name.replace("__", ":"), value)
    writer = oiio.ImageOutput.create("openexr")
    assert writer.open(str(path), spec) and writer.write_image(np.ascontiguousarray(pixels)), (
        writer.geterror()
    )
    assert writer.close()
    return pixels


def write_stereo(path: Path, data: Box = (-4, -3, 44, 33), seed: int = 0) -> dict[str, np.ndarray]:
    """Two views with overscan, alpha and depth, in parts: what a renderer hands over. Pixels by part name."""
    size = data[3] - data[1], data[2] - data[0]
    left, right = ramp(size, 4, seed), ramp(size, 4, seed + 1)
    depth = np.random.default_rng(seed).random((*size, 1), np.float32)
    names = np.arange(size[0] * size[1], dtype=np.uint32).reshape(*size, 1) * np.uint32(70_001)
    parts = []
    for name, view, channels in (
        ("rgba.left", "left", planes(left, "RGBA") | planes(depth, ["depth.Z"]) | planes(names, ["id"])),
        ("rgba.right", "right", planes(right, "RGBA")),
        ("motion.left", "left", planes(depth[::2], ["X"])),
    ):
        header = {**ODD_HEADER, "view": Attribute.of(view)}
        own = data if name != "motion.left" else (0, 0, *depth[::2].shape[1::-1])
        parts.append(
            NewPart(channels, own, (0, 0, 40, 30), header, name, "piz" if view == "right" else "zips")
        )
    write_exr(path, parts)
    return {"rgba.left": left, "rgba.right": right}


def all_of(path: Path) -> list[dict[str, bytes]]:
    """Every channel of every part, bit for bit, as OpenImageIO reads it."""
    reader = oiio.ImageInput.open(str(path))
    found, place = [], 0
    while reader.seek_subimage(place, 0):
        spec = reader.spec()
        kinds = spec.channelformats or (spec.format,) * spec.nchannels
        found.append(
            {
                name: reader.read_image(place, 0, at, at + 1, kinds[at]).tobytes()
                for at, name in enumerate(spec.channelnames)
            }
        )
        place += 1
    return found


def headers_of(path: Path, without: Sequence[str] = ()) -> list[Mapping[str, Attribute]]:
    """The headers but for our own attributes, and those of these names."""
    return [
        {
            name: one
            for name, one in part.attributes.items()
            if name[:12] != "stylebridge:" and name not in without
        }
        for part in read_headers(path).parts
    ]
