"""TIFF of 8 and 16 bits: read by libtiff through OpenCV, written by FFmpeg; size before memory."""

from __future__ import annotations

import struct
from fractions import Fraction

import cv2
import numpy as np
from av.codec import CodecContext
from av.video.frame import VideoFrame
from stylebridge.errors import Code, StylebridgeError

from stylebridge_server.media.limits import check_size
from stylebridge_server.values import Pixels

SIGNATURES = (b"II*\0", b"MM\0*")
_FORMATS = {
    ("uint8", 1): "gray",
    ("uint8", 3): "rgb24",
    ("uint8", 4): "rgba",
    ("uint16", 1): "gray16le",
    ("uint16", 3): "rgb48le",
    ("uint16", 4): "rgba64le",
}
_WIDTH, _HEIGHT, _SAMPLES = 256, 257, 277


def decode_tiff(data: bytes, name: str) -> Pixels:
    """Pixels (H, W, 1, 3 or 4), uint8, uint16 or float32."""
    fields = _first_fields(data, name)
    check_size(name, fields.get(_WIDTH, 0), fields.get(_HEIGHT, 0))
    if fields.get(_SAMPLES, 1) not in (1, 3, 4):
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{name} holds {fields[_SAMPLES]} channels; grey, RGB and RGBA are read from TIFF.",
        )
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise StylebridgeError(
            Code.NOT_READABLE, f"{name} is a TIFF that is cut off, damaged or of a rare kind."
        )
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise StylebridgeError(
            Code.NOT_READABLE, f"{name} holds {pixels.dtype} pixels; convert it to 8 or 16 bits."
        )
    if pixels.ndim == 2:
        return pixels[..., None]
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[..., order])


def encode_tiff(pixels: Pixels, name: str) -> bytes:
    """A TIFF file of (H, W, 1, 3 or 4) uint8 or uint16 pixels."""
    height, width, channels = pixels.shape
    form = _FORMATS.get((str(pixels.dtype), channels))
    if form is None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{name} cannot be written with {channels} channels of {pixels.dtype}; write a PNG.",
        )
    picture = VideoFrame(width, height, form)
    plane = picture.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)
    stored = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False))
    rows[:, : width * channels * pixels.itemsize] = stored.view(np.uint8).reshape(height, -1)
    encoder = CodecContext.create("tiff", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, form
    encoder.time_base = Fraction(1)
    encoder.options = {"compression_algo": "deflate"}
    picture.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))


def _first_fields(data: bytes, name: str) -> dict[int, int]:
    """Single-valued short and long fields of the first directory (TIFF 6.0, section 2)."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        fields = {}
        for entry in range(count):
            tag, kind, length = struct.unpack_from(order + "HHI", data, at + 2 + 12 * entry)
            if length == 1 and kind in (3, 4):
                (fields[tag],) = struct.unpack_from(
                    order + ("H" if kind == 3 else "I"), data, at + 10 + 12 * entry
                )
        return fields
    except struct.error as error:
        raise StylebridgeError(Code.NOT_READABLE, f"{name} is a TIFF that is cut off or damaged.") from error
