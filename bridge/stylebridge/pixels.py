"""Pictures as they cross the bridge: bytes with a header, without numpy.

numpy and torch wrap a `Picture` without a copy, where they exist:

    array = numpy.asarray(picture)          # (height, width, channels)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Union

from .errors import Code, StylebridgeError

Bytes = Union[bytes, bytearray, memoryview]

#: Type strings of numpy's array interface (little-endian), by the names that headers use.
TYPES = {"uint8": "|u1", "uint16": "<u2", "float16": "<f2", "float32": "<f4"}
SAMPLE_BYTES = {"uint8": 1, "uint16": 2, "float16": 2, "float32": 4}

#: Longest side of a picture, in pixels.
SIDE_LIMIT = 65_536
#: Largest picture, in bytes: 8K RGBA in float32 is 530 MB.
PICTURE_LIMIT = 1 << 30
#: Pixels travel in parts of at most this many bytes, so that no message holds up the others for long.
PART_BYTES = 2 << 20


@dataclass(frozen=True)
class Layout:
    """Size and type of a picture: rows top-down, channels last, no gaps.

    Attributes:
        dtype: "uint8", "uint16", "float16" or "float32", little-endian.
        height, width: pixels, each at least 1.
        channels: 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).

    Raises:
        StylebridgeError: `BAD_VALUE` for an unknown type or a size below 1, `TOO_LARGE` above the limits.
    """

    dtype: str
    height: int
    width: int
    channels: int

    def __post_init__(self) -> None:
        if self.dtype not in TYPES:
            raise StylebridgeError(
                Code.BAD_VALUE, f'The pixel type "{self.dtype}" is unknown: use one of {", ".join(TYPES)}.'
            )
        if self.height < 1 or self.width < 1 or not 1 <= self.channels <= 4:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"A picture of {self.width} x {self.height} with {self.channels} channels cannot be: "
                "send at least one pixel and 1 to 4 channels.",
            )
        if max(self.height, self.width) > SIDE_LIMIT or self.nbytes > PICTURE_LIMIT:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"A picture of {self.width} x {self.height} with {self.channels} channels of {self.dtype} "
                f"is over the limits ({SIDE_LIMIT} a side, {PICTURE_LIMIT >> 20} MiB): send a smaller one.",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def nbytes(self) -> int:
        return self.height * self.width * self.channels * SAMPLE_BYTES[self.dtype]

    def header(self) -> dict[str, Any]:
        """The fields of a message that carries pixels of this layout."""
        return {
            "dtype": self.dtype,
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
        }


@dataclass(frozen=True)
class Picture:
    """One frame or matte, with the frame number of its source.

    Attributes:
        number: the source's own frame number.
        layout: size and type.
        data: exactly `layout.nbytes` bytes.
        extra: plain data that came with the picture.
    """

    number: int
    layout: Layout
    data: Bytes
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if memoryview(self.data).nbytes != self.layout.nbytes:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"Frame {self.number} holds {memoryview(self.data).nbytes} bytes, but its size and type "
                f"need {self.layout.nbytes}: send rows without gaps.",
            )

    @classmethod
    def of(cls, number: int, array: Any) -> Picture:
        """A picture of whatever has a C-contiguous buffer and numpy's array interface, without a copy where
        the buffer allows. (H, W) counts as one channel.
        """
        layout, data = read_array(array)
        return cls(number, layout, data)

    @property
    def height(self) -> int:
        return self.layout.height

    @property
    def width(self) -> int:
        return self.layout.width

    @property
    def channels(self) -> int:
        return self.layout.channels

    @property
    def dtype(self) -> str:
        return self.layout.dtype

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "version": 3,
            "shape": self.layout.shape,
            "typestr": TYPES[self.layout.dtype],
            "data": self.data,
        }


def read_array(array: Any) -> tuple[Layout, memoryview]:
    """Layout and bytes of a picture-like object (numpy array or `Picture`).

    Raises:
        StylebridgeError: `BAD_VALUE` where it is no picture, or has gaps between its rows.
    """
    if isinstance(array, Picture):
        return array.layout, memoryview(array.data)
    interface = getattr(array, "__array_interface__", None)
    names = {code: name for name, code in TYPES.items()}
    if interface is None or interface["typestr"] not in names or len(interface["shape"]) not in (2, 3):
        raise StylebridgeError(
            Code.BAD_VALUE, "A picture must be an array of (height, width, channels) in a known pixel type."
        )
    shape = (*interface["shape"], 1)[:3]
    layout = Layout(names[interface["typestr"]], int(shape[0]), int(shape[1]), int(shape[2]))
    view = memoryview(array)
    if not view.c_contiguous:
        raise StylebridgeError(
            Code.BAD_VALUE, "A picture must have its rows one after another, without gaps."
        )
    # memoryview cannot cast half floats on every Python; those are copied.
    return layout, memoryview(view.tobytes()) if layout.dtype == "float16" else view.cast("B")


def split(data: Bytes) -> Iterator[tuple[int, memoryview]]:
    """The offsets and the parts in which pixels travel, in order."""
    view = memoryview(data)
    for offset in range(0, view.nbytes, PART_BYTES):
        yield offset, view[offset : offset + PART_BYTES]


class Assembly:
    """Puts one picture together from its parts, which come in order. A part at offset 0 starts anew.

    The memory is taken once, when the first part has shown the size, and `Layout` has found it within limits.
    """

    def __init__(self) -> None:
        self._layout: Layout | None = None
        self._data = bytearray()
        self._filled = 0

    def add(self, layout: Layout, offset: int, part: Bytes) -> bytearray | None:
        """The whole picture's bytes with its last part, None before.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a part that does not follow the one before, or does not fit.
        """
        size = memoryview(part).nbytes
        if offset == 0:
            self._layout, self._data, self._filled = layout, bytearray(layout.nbytes), 0
        if layout != self._layout or offset != self._filled or not 0 < size <= layout.nbytes - offset:
            self._layout = None
            raise StylebridgeError(
                Code.BAD_REQUEST,
                f"A part of {size} bytes at {offset} does not fit into the picture: send its parts in order.",
            )
        self._data[offset : offset + size] = part
        self._filled += size
        if self._filled < layout.nbytes:
            return None
        self._layout = None
        return self._data
