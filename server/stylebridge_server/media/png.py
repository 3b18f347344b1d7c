"""PNG (ISO/IEC 15948): size before memory, pixels bit for bit, and the chunks that say how to show them.

The pixels are coded by FFmpeg, which keeps 16 bits and alpha; the chunks are walked here, so that a file that
is cut off or altered is refused, and what it says about colour, resolution and text goes with the pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from mmap import mmap
from typing import Any

import av
import numpy as np
from av.codec import CodecContext
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.limits import MAX_PROFILE, check_size
from stylebridge_server.media.notes import is_own
from stylebridge_server.media.planes import encode_packed, plane_rows
from stylebridge_server.values import Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Chunks = list[tuple[bytes, bytes]]

_COLOUR_CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_KEPT_CHUNKS = (*_COLOUR_CHUNKS, b"pHYs", *_TEXTS, b"eXIf")
_FORMATS = {
    ("uint8", 1): "gray",
    ("uint8", 2): "ya8",
    ("uint8", 3): "rgb24",
    ("uint8", 4): "rgba",
    ("uint16", 1): "gray16be",
    ("uint16", 2): "ya16be",
    ("uint16", 3): "rgb48be",
    ("uint16", 4): "rgba64be",
}


def decode_png(data: bytes, name: str) -> tuple[Pixels, Chunks]:
    """Pixels (H, W, 1 to 4), uint8 or uint16, and the chunks to write again.

    One, two and four bits of grey become eight; a palette becomes RGB, or RGBA where it has transparency.

    Raises:
        StylebridgeError: NOT_READABLE where the file is cut off, altered or no PNG; TOO_LARGE.
    """
    kept: Chunks = []
    transparent = False
    for kind, body in _chunks(data, name):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
            check_size(name, width, height)
        if kind in _KEPT_CHUNKS:
            kept.append((kind, bytes(body)))
        transparent = transparent or kind == b"tRNS"
    try:
        decoder: Any = CodecContext.create("png", "r")
        pictures = decoder.decode(Packet(data)) + decoder.decode(None)
    except av.error.FFmpegError as error:
        raise _damaged(name) from error
    if len(pictures) != 1:
        raise _damaged(name)
    return _pixels(pictures[0], transparent), kept


def encode_png(pixels: Pixels, chunks: Chunks, text: Mapping[str, str]) -> bytes:
    """A PNG file of (H, W, 1 to 4) uint8 or uint16 pixels, with those chunks and texts.

    What an earlier render wrote of itself into the chunks is not true of these pixels, and is left out.
    """
    options = {"pred": "up" if pixels.itemsize == 2 else "mixed"}
    data = encode_packed("png", _FORMATS[str(pixels.dtype), pixels.shape[2]], pixels, options)
    parts = [SIGNATURE]
    for kind, body in _chunks(data, "the encoded picture"):
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            parts.append(_chunk(kind, body))
        if kind == b"IHDR":
            parts += [_chunk(*chunk) for chunk in chunks if not is_own(_keyword(*chunk))]
            parts += [_chunk(b"iTXt", _text(key, value)) for key, value in text.items()]
    return b"".join(parts)


def read_texts(data: bytes | mmap) -> dict[str, str]:
    """The texts of ours that stand before the pixels of a PNG file, as `encode_png` writes them."""
    texts, at = {}, len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            break
        keyword = _keyword(kind, data[at + 8 : at + 8 + length])
        if is_own(keyword):
            texts[keyword] = data[at + 13 + len(keyword) : at + 8 + length].decode(errors="replace")
        at += 12 + length
    return texts


def icc_of(chunks: Chunks) -> bytes | None:
    """The ICC profile in the chunks; None where there is none, or none that can be one."""
    for kind, body in chunks:
        if kind == b"iCCP":
            try:
                inflating = zlib.decompressobj()
                profile = inflating.decompress(body[body.index(b"\0") + 2 :], MAX_PROFILE)
            except (ValueError, zlib.error):
                return None
            return profile if inflating.eof else None
    return None


def icc_chunk(profile: bytes) -> tuple[bytes, bytes]:
    """The chunk that holds an ICC profile."""
    return b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, memoryview]]:
    view, at, kind = memoryview(data), len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(view):
            raise _damaged(name)
        length, kind = struct.unpack_from(">I4s", view, at)
        end = at + 8 + length
        if end + 4 > len(view) or zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", view, end)[0]:
            raise _damaged(name)
        if (at == len(SIGNATURE)) != (kind == b"IHDR") or (kind == b"IHDR" and length != 13):
            raise _damaged(name)
        yield kind, view[at + 8 : end]
        at = end + 4


def _chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _text(key: str, value: str) -> bytes:
    keyword = key.encode("latin-1", "replace")[:79].replace(b"\0", b" ")
    return keyword + b"\0\0\0\0\0" + value.encode()


def _keyword(kind: bytes, body: bytes) -> str:
    """The name of a text; empty for other chunks."""
    return body.split(b"\0", 1)[0].decode("latin-1") if kind in _TEXTS else ""


def _damaged(name: str) -> StylebridgeError:
    return StylebridgeError(Code.NOT_READABLE, f"{name} is a PNG that is cut off or damaged; make it again.")


def _pixels(picture: VideoFrame, transparent: bool) -> Pixels:
    width, height, form = picture.width, picture.height, picture.format.name
    plane = picture.planes[0]
    rows = plane_rows(plane, np.uint8)
    if form == "monob":
        return np.unpackbits(rows, axis=1)[:, :width, None] * np.uint8(255)
    if form == "pal8":
        palette = _palette(picture.planes[1])
        colours = palette[:, [2, 1, 0, 3]] if transparent else palette[:, [2, 1, 0]]
        return np.ascontiguousarray(colours[rows[:, :width]])
    dtype, channels = next(key for key, value in _FORMATS.items() if value == form)
    stored = np.dtype(dtype).newbyteorder(">")
    packed = np.ascontiguousarray(rows[:, : width * channels * stored.itemsize])
    return packed.view(stored).reshape(height, width, channels).astype(dtype)


def _palette(plane: VideoPlane) -> Pixels:
    buffer: Any = plane
    return np.frombuffer(buffer, np.uint8).reshape(256, 4)
