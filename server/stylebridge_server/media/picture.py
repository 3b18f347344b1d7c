"""Decoded movie pictures to `Frame.pixels`, and back to what an encoder takes.

libswscale only repacks here (NV12 to planes, packed to planar); colours are `yuv`'s business.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.planes import plane_rows
from stylebridge_server.media.yuv import KNOWN_MATRICES, UNSPECIFIED, Coding, default_matrix, from_rgb, to_rgb
from stylebridge_server.values import Pixels

_SAMPLINGS = {(2, 2): "420", (2, 4): "422", (4, 4): "444"}  # chroma size of a 4 x 4 picture
_FULL_RANGE = 2
_LIMITED_RANGE = 1
# FFmpeg's numbers of the matrices in frames, and those that its scaler takes.
_SWS_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}

PACKED = ("bgr0", "bgra")
"""Formats that `to_picture` makes besides planar ones: what FFV1 takes for RGB of eight bits."""


@dataclass(frozen=True)
class Layout:
    """A planar pixel format and how to read it.

    Attributes:
        format: FFmpeg's name of it.
        coding: bits, matrix and chroma positions of the planes.
        grey, alpha: whether there is no chroma, and whether there is a plane of alpha.
    """

    format: str
    coding: Coding
    grey: bool = False
    alpha: bool = False

    @property
    def channels(self) -> int:
        return 4 if self.alpha else 3

    @property
    def dtype(self) -> str:
        return "uint8" if self.coding.bits == 8 else "uint16"


@lru_cache(maxsize=64)
def layout_of(
    format_name: str, colorspace: int, color_range: int, width: int, height: int, centred: bool, name: str
) -> Layout:
    """The planar layout that pictures of a pixel format are repacked to, nothing lost.

    Args:
        colorspace, color_range: of the picture, as FFmpeg and H.273 number them.
        centred: whether half-width chroma is centred (JPEG).
        name: what the refusing sentence calls the movie.
    """
    pixel_format = VideoFormat(format_name)
    components = pixel_format.components
    bits = 8 if pixel_format.has_palette else max(component.bits for component in components)
    if bits > 16 or "f16" in format_name or "f32" in format_name:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{name} holds floating point pixels ({format_name}), which movies are not read with.",
        )
    bits = next(b for b in (8, 9, 10, 12, 14, 16) if bits <= b)
    alpha = not pixel_format.has_palette and any(component.is_alpha for component in components)
    ending = "" if bits == 8 else f"{bits}le"
    if pixel_format.is_rgb or pixel_format.has_palette:
        if alpha and bits == 9:
            bits, ending = 10, "10le"
        return Layout(f"gbr{'a' if alpha else ''}p{ending}", Coding(0, True, bits), alpha=alpha)

    matrix = default_matrix(width, height) if colorspace in (UNSPECIFIED, 3) else colorspace
    if colorspace == 0 and pixel_format.name.startswith("gray"):
        matrix = 1
    if matrix not in KNOWN_MATRICES:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{name} codes its colours in a way that is not read (matrix {colorspace}); "
            "convert it to BT.709.",
        )
    grey = len(components) == 1
    full = color_range == _FULL_RANGE or format_name.startswith("yuvj")
    if color_range not in (_FULL_RANGE, _LIMITED_RANGE) and len(components) < 3:
        full = True  # FFmpeg's reading of grey that does not say
    if grey:
        return Layout(f"gray{ending}", Coding(matrix, full, bits), grey=True)
    sampling = _SAMPLINGS.get((pixel_format.chroma_width(4), pixel_format.chroma_height(4)), "444")
    if len(components) == 2:
        sampling = "444"
    if alpha and (bits == 14 or (bits == 12 and sampling == "420")):
        bits, ending = 16, "16le"
    coding = Coding(matrix, full, bits, sampling != "444", sampling == "420", centred)
    return Layout(f"yuv{'a' if alpha else ''}{sampling}p{ending}", coding, alpha=alpha)


class PictureReader:
    """Turns decoded pictures of one stream into pixels; keeps the repacking context."""

    def __init__(self, name: str, centred: bool = False) -> None:
        self._name = name
        self._centred = centred
        self._reformatter = VideoReformatter()
        self._side_data: dict[str, bytes] | None = None
        self._orientation = Orientation()

    def side_data(self, picture: VideoFrame) -> dict[str, bytes]:
        """What the first picture of the stream that was asked about has beside its pixels, by FFmpeg's names.

        Asked once only: a picture whose side data were looked at is part of a reference cycle, and stays in
        memory until the garbage collector comes by.
        """
        if self._side_data is None:
            held: Any = picture.side_data
            found = ((kind.name, held.get(kind)) for kind in SideDataType)
            self._side_data = {name: bytes(data) for name, data in found if data is not None}
            self._orientation = _orientation(self._side_data.get(SideDataType.DISPLAYMATRIX.name))
        return self._side_data

    def orientation(self, picture: VideoFrame) -> Orientation:
        """How pictures of the stream are to be shown: that of the first one asked about."""
        self.side_data(picture)
        return self._orientation

    def layout(self, picture: VideoFrame) -> Layout:
        """How the pixels of this picture are laid out."""
        return layout_of(
            picture.format.name,
            int(picture.colorspace),
            int(picture.color_range),
            picture.width,
            picture.height,
            self._centred,
            self._name,
        )

    def pixels(self, picture: VideoFrame) -> Pixels:
        """(H, W, 3 or 4) uint8 or uint16, upright: the picture's display matrix is applied."""
        layout = self.layout(picture)
        coding = layout.coding
        turn = self.orientation(picture)
        if picture.format.name not in (layout.format, layout.format.replace("yuv", "yuvj")):
            picture = self._repacked(picture, layout)
        planes = _planes(picture, coding)
        if coding.matrix == 0:
            green, blue, red, *alpha = planes
            pixels = np.dstack([_full_scale(plane, coding) for plane in (red, green, blue, *alpha)])
            return turn.apply(pixels)
        neutral = 128 << (coding.bits - 8)
        chroma = [np.full_like(planes[0], neutral)] * 2 if layout.grey else planes[1:3]
        pixels = to_rgb(planes[0], chroma, coding)
        if layout.alpha:
            pixels = np.dstack([pixels, _full_scale(planes[3], coding)])
        return turn.apply(pixels)

    def _repacked(self, picture: VideoFrame, layout: Layout) -> VideoFrame:
        matrix = _SWS_MATRICES.get(layout.coding.matrix)
        span = _FULL_RANGE if layout.coding.full else _LIMITED_RANGE
        return self._reformatter.reformat(
            picture,
            format=layout.format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=span,
            dst_color_range=span,
            threads=1,  # with several, the end of one's rows can run over the beginning of another's
        )


def to_picture(pixels: Pixels, layout: Layout) -> VideoFrame:
    """What an encoder of that layout takes: the inverse of `PictureReader.pixels`.

    Args:
        pixels: (H, W, 1 to 4) uint8 where the layout has eight bits, else uint16. Grey is written as RGB.
    """
    height, width, channels = pixels.shape
    coding = layout.coding
    rgb = np.repeat(pixels[..., :1], 3, axis=2) if channels < 3 else np.ascontiguousarray(pixels[..., :3])
    if layout.format in PACKED:
        return _packed_picture(rgb, pixels[..., -1:], layout)
    if coding.matrix == 0:
        planes = [_scaled_down(rgb[..., channel], coding) for channel in (1, 2, 0)]
    else:
        planes = [*from_rgb(rgb, coding)]
    if layout.alpha:
        planes.append(_scaled_down(pixels[..., -1], coding))
    picture = VideoFrame(width, height, layout.format)
    for plane, target in zip(planes, _planes(picture, coding), strict=True):
        target[:] = plane
    return picture


def _packed_picture(rgb: Pixels, alpha: Pixels, layout: Layout) -> VideoFrame:
    picture = VideoFrame(rgb.shape[1], rgb.shape[0], layout.format)
    plane = picture.planes[0]
    pixels = plane_rows(plane, np.uint8).reshape(plane.height, -1, 4)[:, : plane.width]
    pixels[..., :3] = rgb[..., ::-1]
    pixels[..., 3:] = alpha if layout.alpha else 0
    return picture


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is to be shown: transposed, then mirrored across and down."""

    transposed: bool = False
    across: bool = False
    down: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise, after an optional mirroring (see `mirrored`)."""
        if self.transposed:
            return 90 if self.across else 270
        return 180 if self.down else 0

    @property
    def mirrored(self) -> bool:
        """Whether the picture is also mirrored, as rotation alone does not explain it."""
        return self.transposed ^ self.across ^ self.down

    def apply(self, pixels: Pixels) -> Pixels:
        """Pixels as they are to be shown, contiguous."""
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        if self.across:
            pixels = pixels[:, ::-1]
        if self.down:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def _orientation(matrix: bytes | None) -> Orientation:
    """From a picture's display matrix (16.16 fixed point). Only right angles are turned."""
    if matrix is None:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("<9i", matrix[:36])
    if abs(b) > abs(a) and abs(c) > abs(d):
        return Orientation(True, c < 0, b < 0)
    return Orientation(False, a < 0, d < 0)


def _planes(picture: VideoFrame, coding: Coding) -> list[Pixels]:
    """Views of the picture's planes, (h, w) each, writable where the picture is."""
    dtype = np.uint8 if coding.bits == 8 else np.uint16
    return [plane_rows(plane, dtype)[:, : plane.width] for plane in picture.planes]


def _full_scale(plane: Pixels, coding: Coding) -> Pixels:
    """Codes of RGB or alpha to the whole range of their dtype."""
    if coding.bits in (8, 16):
        return plane
    top = 2**coding.bits - 1
    return ((plane.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)


def _scaled_down(plane: Pixels, coding: Coding) -> Pixels:
    """The inverse of `_full_scale`, rounded."""
    if coding.bits in (8, 16):
        return plane
    top = 2**coding.bits - 1
    return ((plane.astype(np.uint32) * top + 32767) // 65535).astype(np.uint16)
