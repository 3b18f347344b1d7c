"""TIFF: size before memory, 16 bits read by libtiff through OpenCV, written by FFmpeg."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.limits import check_size
from stylebridge_server.media.planes import encode_packed
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
_WIDTH, _HEIGHT, _BITS, _SAMPLES = 256, 257, 258, 277
_VALUES = {3: ("H", 2), 4: ("I", 4)}  # type of a field: how a value is packed, and its bytes


def check_tiff(data: bytes, name: str) -> int:
    """Bits per sample of a TIFF whose size and channels can be read; refuses others."""
    fields = _first_fields(data, name)
    check_size(name, fields.get(_WIDTH, 0), fields.get(_HEIGHT, 0))
    if fields.get(_SAMPLES, 1) not in (1, 3, 4):
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{name} holds {fields[_SAMPLES]} channels; grey, RGB and RGBA are read from TIFF.",
        )
    return fields.get(_BITS, 1)


def decode_deep_tiff(data: bytes, name: str) -> Pixels:
    """Pixels (H, W, 1, 3 or 4), uint16 or float32, of a TIFF of more than 8 bits.

    Not for fewer: libtiff then multiplies colour with alpha.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise StylebridgeError(
            Code.NOT_READABLE, f"{name} is a TIFF that is cut off, damaged or of a rare kind."
        )
    if pixels.dtype not in (np.uint16, np.float32):
        raise StylebridgeError(
            Code.NOT_READABLE, f"{name} holds {pixels.dtype} pixels; convert it to 8 or 16 bits."
        )
    if pixels.ndim == 2:
        return pixels[..., None]
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[..., order])


def encode_tiff(pixels: Pixels, name: str) -> bytes:
    """A TIFF file of (H, W, 1, 3 or 4) uint8 or uint16 pixels."""
    channels = pixels.shape[2]
    form = _FORMATS.get((str(pixels.dtype), channels))
    if form is None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{name} cannot be written with {channels} channels of {pixels.dtype}; write a PNG.",
        )
    return encode_packed("tiff", form, pixels, {"compression_algo": "deflate"})


def _first_fields(data: bytes, name: str) -> dict[int, int]:
    """The first value of every short and long field of the first directory (TIFF 6.0, section 2)."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (directory,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, directory)
        fields = {}
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", data, entry)
            if kind not in _VALUES:
                continue
            form, size = _VALUES[kind]
            at = entry + 8
            if length * size > 4:
                (at,) = struct.unpack_from(order + "I", data, at)
            (fields[tag],) = struct.unpack_from(order + form, data, at)
        return fields
    except struct.error as error:
        raise StylebridgeError(Code.NOT_READABLE, f"{name} is a TIFF that is cut off or damaged.") from error
