"""Pictures as they cross the bridge: bytes with a header, without numpy.

numpy and torch wrap a `Picture` without a copy, where they exist:

    array = numpy.asarray(picture)          # (height, width, channels)

On the wire rows run top-down without gaps. Hosts have them otherwise: bottom-up, or padded. `Picture.of` and
`Picture.from_rows` take such memory, and `Picture.into_rows` fills it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
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
#: Memory that is taken at a time for a picture whose parts are coming; at least a part.
PROMISED_BYTES = 32 << 20
#: Most regions, of one part each, that two processes share as memory: 1 GiB.
REGIONS_LIMIT = 512


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
    def row_bytes(self) -> int:
        return self.width * self.channels * SAMPLE_BYTES[self.dtype]

    @property
    def nbytes(self) -> int:
        return self.height * self.row_bytes

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
        more: whether another picture of the same frame follows, of another layer.
    """

    number: int
    layout: Layout
    data: Bytes
    extra: dict[str, Any] = field(default_factory=dict)
    more: bool = False

    def __post_init__(self) -> None:
        if memoryview(self.data).nbytes != self.layout.nbytes:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"Frame {self.number} holds {memoryview(self.data).nbytes} bytes, but its size and type "
                f"need {self.layout.nbytes}: send rows without gaps.",
            )

    @classmethod
    def of(cls, number: int, array: Any) -> Picture:
        """A picture of whatever has numpy's array interface: rows top-down, with any stride between them, also a
        negative one; without a copy where they lie one after another. (H, W) counts as one channel. The array
        must stay as it is while the picture is used.
        """
        layout, data = read_array(array)
        return cls(number, layout, data)

    @classmethod
    def from_rows(
        cls, number: int, layout: Layout, buffer: Any, stride: int | None = None, offset: int | None = None
    ) -> Picture:
        """A picture of a host's memory, copied where its rows do not lie top-down without gaps.

        Args:
            buffer: contiguous memory of any element type.
            stride: bytes from the start of a row to the start of the one below it; negative where the rows lie
                bottom-up, as in Blender and Nuke. By default without gaps, top-down.
            offset: where in the buffer the top row starts, in bytes: by default 0, or with a negative stride as
                far in as makes the bottom row start at 0.

        Raises:
            StylebridgeError: `BAD_VALUE` where rows would lie outside the buffer or over one another.
        """
        view, stride, offset = _rows(layout, buffer, stride, offset)
        return cls(number, layout, _dense(layout, view, stride, offset))

    def into_rows(self, buffer: Any, stride: int | None = None, offset: int | None = None) -> None:
        """Copies the rows into a host's memory, laid out as in `from_rows`. What lies between them is left alone.

        Raises:
            StylebridgeError: `BAD_VALUE` where rows would lie outside the buffer or over one another, or where
                it cannot be written.
        """
        view, stride, offset = _rows(self.layout, buffer, stride, offset)
        if view.readonly:
            raise StylebridgeError(Code.BAD_VALUE, "The buffer is read-only: give one that can be written.")
        data, wide = memoryview(self.data).cast("B"), self.layout.row_bytes
        if stride == wide:
            view[offset : offset + data.nbytes] = data
            return
        for start in range(0, data.nbytes, wide):
            view[offset : offset + wide] = data[start : start + wide]
            offset += stride

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
    """Layout and dense bytes of a picture-like object (numpy array or `Picture`), copied only where its rows have
    gaps between them or lie bottom-up.

    Raises:
        StylebridgeError: `BAD_VALUE` where it is no picture, or the pixels of a row have gaps between them.
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
    stride = _stride(layout, interface.get("strides"))
    if isinstance(interface.get("data"), tuple):
        view, offset = _memory(array, layout, interface["data"][0], stride)
    else:
        view, stride, offset = _rows(layout, interface.get("data", array), stride, interface.get("offset", 0))
    return layout, _dense(layout, view, stride, offset)


def _stride(layout: Layout, strides: tuple[int, ...] | None) -> int:
    """The bytes from row to row, of an array whose rows are dense."""
    if strides is None or layout.height == 1:
        strides = (layout.row_bytes, *(strides or ())[1:])
    sample = SAMPLE_BYTES[layout.dtype]
    dense = {1: sample * layout.channels, 2: sample}
    sizes = (layout.height, layout.width, layout.channels)
    if any(sizes[axis] > 1 and strides[axis] != dense[axis] for axis in range(1, len(strides))):
        raise StylebridgeError(
            Code.BAD_VALUE, "A picture must have the pixels of each row one after another, without gaps."
        )
    return strides[0]


def _memory(owner: Any, layout: Layout, address: int, stride: int) -> tuple[memoryview, int]:
    """The memory that holds all rows of an array, and where in it the top one starts. It keeps the array.

    By its address, since `memoryview` knows half floats only in later Pythons and cannot slice rows at all.
    """
    lowest = min(0, stride * (layout.height - 1))
    length = abs(stride) * (layout.height - 1) + layout.row_bytes
    block = (ctypes.c_ubyte * length).from_address(address + lowest)
    block.owner = owner  # type: ignore[attr-defined]
    return memoryview(block).cast("B").toreadonly(), -lowest


def _rows(layout: Layout, buffer: Any, stride: int | None, offset: int | None) -> tuple[memoryview, int, int]:
    """A buffer's bytes, with what was left to the defaults of `Picture.from_rows`, checked."""
    wide = layout.row_bytes
    stride = wide if stride is None else stride
    offset = max(0, -stride * (layout.height - 1)) if offset is None else offset
    view = _bytes(buffer)
    last = offset + stride * (layout.height - 1)
    if layout.height > 1 and abs(stride) < wide:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"Rows of {wide} bytes cannot lie {abs(stride)} bytes apart: give a larger stride.",
        )
    if min(offset, last) < 0 or max(offset, last) + wide > view.nbytes:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"A buffer of {view.nbytes} bytes does not hold {layout.height} rows of {wide} bytes, {stride} apart, "
            f"from {offset} on: give the whole buffer.",
        )
    return view, stride, offset


def _bytes(buffer: Any) -> memoryview:
    """A buffer's bytes, whatever its elements are."""
    try:
        view = memoryview(buffer)
    except TypeError:
        view = None
    if view is None or not view.c_contiguous:
        raise StylebridgeError(
            Code.BAD_VALUE, "The rows of a picture must lie in contiguous memory that Python can look into."
        )
    try:
        return view.cast("B")
    except (TypeError, ValueError):  # half floats, and what names its byte order, are not cast everywhere
        if view.readonly:
            return memoryview(view.tobytes())
        return memoryview((ctypes.c_ubyte * view.nbytes).from_buffer(view)).cast("B")


def _dense(layout: Layout, view: memoryview, stride: int, offset: int) -> memoryview:
    """The rows one after another; a copy only where they are not."""
    wide = layout.row_bytes
    if stride == wide or layout.height == 1:
        return view[offset : offset + layout.nbytes]
    dense = memoryview(bytearray(layout.nbytes))
    for start in range(0, layout.nbytes, wide):
        dense[start : start + wide] = view[offset : offset + wide]
        offset += stride
    return dense


def split(data: Bytes) -> Iterator[tuple[int, memoryview]]:
    """The offsets and the parts in which pixels travel, in order."""
    view = memoryview(data)
    for offset in range(0, view.nbytes, PART_BYTES):
        yield offset, view[offset : offset + PART_BYTES]


class Assembly:
    """Puts one picture together from its parts, which come in order. A part at offset 0 starts anew.

    The memory of a usual picture is taken once, when the first part has shown the size. That of a larger one is taken
    as the parts come: what was only promised costs nothing.

    Args:
        take: gives memory of so many bytes, which costs nothing before it is filled: for a picture of any size at once.
    """

    def __init__(self, take: Callable[[int], memoryview] | None = None) -> None:
        self._take = take
        self._layout: Layout | None = None
        self._data: Bytes = b""
        self._filled = 0

    def add(self, layout: Layout, offset: int, part: Bytes) -> Bytes | None:
        """The whole picture's bytes with its last part, None before.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a part that does not follow the one before, or does not fit.
        """
        self.room(layout, offset, memoryview(part).nbytes)[:] = memoryview(part).cast("B")
        return self.whole

    def room(self, layout: Layout, offset: int, size: int) -> memoryview:
        """Where the next part's bytes belong, for those who fill it themselves; raises as `add`."""
        if offset == 0:
            self._layout, self._filled = layout, 0
            first = min(layout.nbytes, PROMISED_BYTES)
            self._data = self._take(layout.nbytes) if self._take else bytearray(first)
        if layout != self._layout or offset != self._filled or not 0 < size <= layout.nbytes - offset:
            self._layout = None
            raise StylebridgeError(
                Code.BAD_REQUEST,
                f"A part of {size} bytes at {offset} does not fit into the picture: send its parts in order.",
            )
        if isinstance(self._data, bytearray) and offset + size > len(self._data):
            self._data += bytes(min(layout.nbytes - len(self._data), PROMISED_BYTES))
        self._filled += size
        return memoryview(self._data)[offset : offset + size]

    @property
    def whole(self) -> Bytes | None:
        """The whole picture's bytes, None where parts are missing."""
        complete = self._layout is not None and self._filled == self._layout.nbytes
        return self._data if complete else None
