"""FFmpeg's picture planes as arrays."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from av.codec import CodecContext
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import DTypeLike, NDArray

from stylebridge_server.values import Pixels


def plane_rows(plane: VideoPlane, dtype: DTypeLike) -> NDArray[Any]:
    """A view of a plane, (rows, samples of a line with its padding); writable where the picture is."""
    kind = np.dtype(dtype)
    buffer: Any = plane  # it has the buffer protocol, which its type hints do not say
    return np.frombuffer(buffer, kind).reshape(plane.height, plane.line_size // kind.itemsize)


def encode_packed(codec: str, form: str, pixels: Pixels, options: dict[str, str]) -> bytes:
    """One picture file by an encoder of FFmpeg.

    Args:
        form: a packed pixel format; big-endian where its name ends in "be".
        pixels: (H, W, C) uint8 or uint16, the samples of `form` in its order.
    """
    height, width, channels = pixels.shape
    picture = VideoFrame(width, height, form)
    stored = pixels.dtype.newbyteorder(">" if form.endswith("be") else "<")
    rows = plane_rows(picture.planes[0], np.uint8)
    data = np.ascontiguousarray(pixels.astype(stored, copy=False)).view(np.uint8)
    rows[:, : width * channels * pixels.itemsize] = data.reshape(height, -1)
    encoder: Any = CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, form
    encoder.time_base = Fraction(1)
    encoder.options = options
    picture.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))
