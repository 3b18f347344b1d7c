"""TIFF: size before memory, 16 bits read by libtiff through OpenCV, written by FFmpeg."""

from __future__ import annotations

import struct
from mmap import mmap

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
_DESCRIPTION, _ASCII = 270, 2
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


def encode_tiff(pixels: Pixels, name: str, text: str = "") -> bytes:
    """A TIFF file of (H, W, 1, 3 or 4) uint8 or uint16 pixels.

    Args:
        text: ASCII, for ImageDescription.
    """
    channels = pixels.shape[2]
    form = _FORMATS.get((str(pixels.dtype), channels))
    if form is None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{name} cannot be written with {channels} channels of {pixels.dtype}; write a PNG.",
        )
    data = encode_packed("tiff", form, pixels, {"compression_algo": "deflate"})
    return _described(data, text) if text else data


def read_description(data: bytes | mmap) -> str:
    """ImageDescription of the first picture; empty where there is none."""
    try:
        order, entries = _directory(data)
        for tag, kind, length, packed in entries:
            if tag == _DESCRIPTION and kind == _ASCII:
                at = 0 if length <= 4 else struct.unpack(order + "I", packed)[0]
                found = packed[:length] if length <= 4 else data[at : at + length]
                return found.split(b"\0", 1)[0].decode("ascii", "replace")
    except struct.error:
        pass
    return ""


def _described(data: bytes, text: str) -> bytes:
    """The file with an ImageDescription: a new first directory at its end (TIFF 6.0, section 2)."""
    order, entries = _directory(data)
    value = text.encode("ascii") + b"\0\0\0\0"  # no value so short that it would lie in its entry
    at = len(data) + len(data) % 2
    entry = (_DESCRIPTION, _ASCII, len(value), struct.pack(order + "I", at))
    kept = [one for one in entries if one[0] != _DESCRIPTION]
    packed = [struct.pack(order + "HHI4s", *one) for one in sorted([*kept, entry], key=lambda one: one[0])]
    value += b"\0" * (len(value) % 2)
    directory = struct.pack(order + "H", len(packed)) + b"".join(packed) + bytes(4)
    head = data[:4] + struct.pack(order + "I", at + len(value)) + data[8:]
    return head + bytes(len(data) % 2) + value + directory


def _directory(data: bytes | mmap) -> tuple[str, list[tuple[int, int, int, bytes]]]:
    """Byte order, and tag, type, count and packed value of each entry of the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    return order, [struct.unpack_from(order + "HHI4s", data, at + 2 + 12 * i) for i in range(count)]


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
