"""Names and forms of the parts of a shot's tracking that are kept from one call to the next."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

import msgpack
import numpy as np

from stylebridge_server.values import Plane

PIECE = 32  # frames whose labels or mattes are kept together


def hashed(*what: Any) -> str:
    """A name for all that something depends on: numbers, strings, bytes, None, and lists of these."""
    return hashlib.blake2b(msgpack.packb(what), digest_size=16).hexdigest()


def packed(what: Any) -> bytes:
    """Lists, dictionaries, numbers, strings and bytes as bytes."""
    data: bytes = msgpack.packb(what)
    return data


def unpacked(data: bytes) -> Any:
    """What `packed` took."""
    return msgpack.unpackb(data, strict_map_key=False)


def pieces(first: int, last: int) -> Iterator[range]:
    """The frames from first to last, inclusive, in ranges of at most `PIECE`."""
    for begin in range(first, last + 1, PIECE):
        yield range(begin, min(begin + PIECE, last + 1))


def small(label: Plane) -> bytes:
    """A label in [0, 1], to 8 bits, compressed."""
    return zlib.compress(np.rint(label * 255).astype(np.uint8).tobytes(), 1)


def large(data: bytes, size: tuple[int, int]) -> Plane:
    """What `small` took, (h, w) float32."""
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(size).astype(np.float32) / np.float32(255)
