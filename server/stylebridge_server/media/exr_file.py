"""OpenEXR files taken apart into headers and chunks, as bytes, and put together again.

What is not styled goes from the source's file into the result as it lies there: attributes of any type, and the
compressed chunks of other parts, deep ones too. Pixels are packed and unpacked elsewhere, by OpenImageIO.
The layout is that of "OpenEXR File Layout" (openexr.com).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple, Union

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.steps import step

SIGNATURE = b"\x76\x2f\x31\x01"
HALF, FLOAT, UINT = 1, 2, 0
"""Types of channels, as files number them."""

SAMPLES = {UINT: ("uint32", 4), HALF: ("float16", 2), FLOAT: ("float32", 4)}

COMPRESSIONS = {
    "none": (0, 1),
    "rle": (1, 1),
    "zips": (2, 1),
    "zip": (3, 16),
    "piz": (4, 32),
    "pxr24": (5, 16),
    "b44": (6, 32),
    "b44a": (7, 32),
    "dwaa": (8, 32),
    "dwab": (9, 256),
    "htj2k256": (10, 256),
    "htj2k32": (11, 32),
    "lj2k": (12, 256),
    "zstd": (13, 1),
}
"""By name: a compression's number in files, and the rows that it packs together."""

_NAMES = {number: name for name, (number, _) in COMPRESSIONS.items()}
_MAX_HEADER = 64 << 20  # a manifest of names may take megabytes
_MAX_PARTS = 4096
_TILED, _LONG, _DEEP, _PARTS = 0x200, 0x400, 0x800, 0x1000
_COPIED = 4 << 20

Box = tuple[int, int, int, int]  # x0, y0, x1, y1, ends excluded
Value = Union["Attribute", str, int, float, Fraction]


class Attribute(NamedTuple):
    """One entry of a header: the name of its type, and its bytes."""

    type: str
    value: bytes

    @classmethod
    def of(cls, value: Value) -> Attribute:
        """An attribute of type string, int, float or rational; an attribute as it is."""
        if isinstance(value, Attribute):
            return value
        if isinstance(value, str):
            return cls("string", value.encode())
        if isinstance(value, int):
            return cls("int", struct.pack("<i", value))
        if isinstance(value, Fraction):
            return cls("rational", struct.pack("<iI", value.numerator, value.denominator))
        return cls("float", struct.pack("<f", value))

    @property
    def text(self) -> str:
        return self.value.decode("utf-8", "replace")


class Channel(NamedTuple):
    """A channel of a part: its type is `HALF`, `FLOAT` or `UINT`; every x-th and y-th pixel has a value."""

    name: str
    type: int
    x: int = 1
    y: int = 1
    linear: int = 0


@dataclass(frozen=True)
class Part:
    """One header of a file.

    Attributes:
        attributes: by name, in the order of the file.
        file: what sentences call the file.
    """

    attributes: Mapping[str, Attribute]
    file: str

    @property
    def name(self) -> str:
        return self._text("name")

    @property
    def view(self) -> str:
        return self._text("view")

    @cached_property
    def kind(self) -> str:
        """ "scanlineimage", "tiledimage", "deepscanline" or "deeptile"."""
        return self._text("type") or ("tiledimage" if "tiles" in self.attributes else "scanlineimage")

    @property
    def deep(self) -> bool:
        return self.kind.startswith("deep")

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        data, at, found = self._value("channels", "chlist"), 0, []
        try:
            while data[at] != 0:
                end = data.index(0, at)
                kind, linear, x, y = struct.unpack_from("<iB3xii", data, end + 1)
                if kind not in SAMPLES or x < 1 or y < 1:
                    raise ValueError
                found.append(Channel(data[at:end].decode("utf-8", "replace"), kind, x, y, linear))
                at = end + 17
        except (IndexError, ValueError, struct.error):
            raise _damaged(self.file, "its list of channels cannot be read") from None
        if len({one.name for one in found}) != len(found) or not found:
            raise _damaged(self.file, "its list of channels is empty or names one twice")
        return tuple(found)

    @cached_property
    def data(self) -> Box:
        """The data window: where there are pixels."""
        return self._box("dataWindow")

    @cached_property
    def display(self) -> Box:
        """The display window: what is to be seen."""
        return self._box("displayWindow")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the data window."""
        x0, y0, x1, y1 = self.data
        return x1 - x0, y1 - y0

    @cached_property
    def compression(self) -> str:
        number = self._value("compression", "compression")[:1]
        if not number or number[0] not in _NAMES:
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self.file} is compressed in a way that is not known here; write it with ZIP or PIZ.",
            )
        return _NAMES[number[0]]

    @cached_property
    def tile(self) -> tuple[int, int, int] | None:
        """Width and height of a tile and its level mode (0: one level); None for scan lines."""
        if "tiles" not in self.attributes:
            return None
        try:
            width, height, mode = struct.unpack("<IIB", self._value("tiles", "tiledesc"))
        except struct.error:
            width = height = mode = 0
        if width < 1 or height < 1 or mode & 15 > 2 or mode >> 4 > 1:
            raise _damaged(self.file, "its tiles are of no possible size")
        return width, height, mode

    @property
    def downwards(self) -> bool:
        """Whether rows lie in the file from the last to the first."""
        return self._value("lineOrder", "lineOrder")[:1] == b"\1"

    @cached_property
    def chunk_count(self) -> int:
        if "chunkCount" in self.attributes:
            return max(0, struct.unpack("<i", self._value("chunkCount", "int"))[0])
        width, height = self.size
        if self.tile is None or self.kind == "scanlineimage":
            return -(-height // (1 if self.deep else COMPRESSIONS[self.compression][1]))
        return sum(
            -(-across // self.tile[0]) * -(-down // self.tile[1])
            for across, down in _levels(width, height, self.tile[2])
        )

    def _text(self, name: str) -> str:
        found = self.attributes.get(name)
        return found.text if found is not None and found.type == "string" else ""

    def _value(self, name: str, kind: str) -> bytes:
        found = self.attributes.get(name)
        if found is None or found.type != kind:
            raise _damaged(self.file, f"its header does not say {name}")
        return found.value

    def _box(self, name: str) -> Box:
        try:
            x0, y0, x1, y1 = struct.unpack("<iiii", self._value(name, "box2i"))
        except struct.error:
            raise _damaged(self.file, f"its {name} cannot be read") from None
        return x0, y0, x1 + 1, y1 + 1


@dataclass(frozen=True)
class ExrFile:
    """The headers of a file, and where its chunks are.

    Attributes:
        path: the file.
        parts: its headers, at least one.
        multiple: whether it is of the kind that may hold several parts.
        tables: where the tables of the chunks' places begin, in bytes.
    """

    path: Path
    parts: tuple[Part, ...]
    multiple: bool
    tables: int

    def places(self, file: BinaryIO) -> list[list[int]]:
        """For each part where its chunks are, by their index.

        Raises:
            StylebridgeError: NOT_READABLE where the file is cut off or was never finished.
        """
        size = os.fstat(file.fileno()).st_size
        file.seek(self.tables)
        found = []
        for part in self.parts:
            count = part.chunk_count
            data = file.read(8 * count) if 8 * count <= size else b""
            if len(data) < 8 * count:
                raise _cut(self.path)
            places = list(struct.unpack(f"<{count}Q", data))
            if any(not self.tables < place < size for place in places):
                raise _cut(self.path)
            found.append(places)
        last = max((place, number) for number, places in enumerate(found) for place in places)
        if last[0] + self.length(file, *reversed(last)) > size:
            raise _cut(self.path)
        return found

    def length(self, file: BinaryIO, part: int, place: int) -> int:
        """Bytes of the chunk of a part at `place`, with its own header."""
        one = self.parts[part]
        lead = 4 * self.multiple + (16 if one.kind in ("tiledimage", "deeptile") else 4)
        sizes = 24 if one.deep else 4
        file.seek(place)
        head = file.read(lead + sizes)
        if len(head) < lead + sizes:
            raise _cut(self.path)
        if one.deep:
            table, packed, _ = struct.unpack_from("<QQQ", head, lead)
            return int(lead + sizes + table + packed)
        (packed,) = struct.unpack_from("<i", head, lead)
        if packed < 0:
            raise _damaged(str(self.path), "a chunk of it has no possible size")
        return int(lead + sizes + packed)


class Chunk(NamedTuple):
    """Bytes to be copied: `lead`, then `length` bytes of a file from `place` on."""

    file: BinaryIO
    place: int
    length: int
    lead: bytes = b""


def read_headers(path: Path, name: str = "") -> ExrFile:
    """The headers of an OpenEXR file; of its pixels nothing is read.

    Raises:
        StylebridgeError: NOT_READABLE for what is none, or is cut off within its headers.
    """
    name = name or str(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data, wanted = b"", 1 << 14
        while True:
            data += file.read(wanted - len(data))
            try:
                return _parse(path, name, data)
            except (IndexError, struct.error):
                if len(data) >= min(size, _MAX_HEADER):
                    raise _cut(name) from None
            wanted *= 4


def _parse(path: Path, name: str, data: bytes) -> ExrFile:
    """Raises IndexError or struct.error where the data end too early."""
    if data[:4] != SIGNATURE:
        raise StylebridgeError(Code.NOT_READABLE, f"{name} is not an OpenEXR file, whatever its name says.")
    (version,) = struct.unpack_from("<I", data, 4)
    if version & 0xFF != 2 or version & ~0xFF & ~(_TILED | _LONG | _DEEP | _PARTS):
        raise StylebridgeError(
            Code.NOT_READABLE, f"{name} is an OpenEXR file of a version that is not known."
        )
    multiple, at = bool(version & _PARTS), 8
    parts: list[Part] = []
    while not (multiple and parts and data[at] == 0):
        attributes, at = _attributes(name, data, at)
        parts.append(Part(attributes, name))
        if not multiple:
            break
        if len(parts) > _MAX_PARTS:
            raise _damaged(name, f"it claims more than {_MAX_PARTS} parts")
    for part in parts:
        x0, y0, x1, y1 = part.data
        if x1 <= x0 or y1 <= y0:
            raise _damaged(name, "its data window is empty")
    return ExrFile(path, tuple(parts), multiple, at + multiple)


def _attributes(name: str, data: bytes, at: int) -> tuple[dict[str, Attribute], int]:
    found: dict[str, Attribute] = {}
    while data[at] != 0:
        texts = []
        for _ in range(2):
            end = data.find(0, at, at + 256)
            if end < 0:
                if len(data) >= at + 256:
                    raise _damaged(name, "its header cannot be read")
                raise IndexError
            texts.append(data[at:end].decode("utf-8", "surrogateescape"))
            at = end + 1
        (size,) = struct.unpack_from("<i", data, at)
        at += 4
        if size < 0 or size > _MAX_HEADER:
            raise _damaged(name, "its header cannot be read")
        if at + size > len(data):
            raise IndexError
        found[texts[0]] = Attribute(texts[1], data[at : at + size])
        at += size
    return found, at + 1


def write_file(
    target: BinaryIO,
    headers: Sequence[Mapping[str, Attribute]],
    multiple: bool,
    chunks: Sequence[Sequence[Chunk]],
) -> None:
    """Writes a file from headers and chunks.

    Args:
        target: an empty file.
        headers: of each part, whole.
        multiple: whether the file is of the kind that may hold several parts.
        chunks: of each part, by their index.

    Raises:
        OSError: as the system does.
    """
    packed = [_packed(header) for header in headers]
    kinds = [Part(header, "").kind for header in headers]
    flags = 2 | (_PARTS if multiple else _TILED if kinds[0] == "tiledimage" else 0)
    flags |= _DEEP if any(kind.startswith("deep") for kind in kinds) else 0
    flags |= _LONG if any(_is_long(header) for header in headers) else 0
    head = SIGNATURE + struct.pack("<I", flags) + b"".join(packed) + b"\0" * multiple
    at = len(head) + 8 * sum(map(len, chunks))
    tables: list[list[int]] = []
    runs: list[Chunk] = []
    for header, own in zip(headers, chunks, strict=True):
        places = [0] * len(own)
        order: Iterable[int] = range(len(own))
        for index in reversed(range(len(own))) if header["lineOrder"].value[:1] == b"\1" else order:
            chunk = own[index]
            places[index] = at
            at += len(chunk.lead) + chunk.length
            runs.append(chunk)
        tables.append(places)
    target.write(head)
    for places in tables:
        target.write(struct.pack(f"<{len(places)}Q", *places))
    for chunk in runs:
        _copy(chunk, target)


def _copy(chunk: Chunk, target: BinaryIO) -> None:
    step()
    target.write(chunk.lead)
    chunk.file.seek(chunk.place)
    left = chunk.length
    while left:
        data = chunk.file.read(min(_COPIED, left))
        if not data:
            raise _cut(chunk.file.name)
        target.write(data)
        left -= len(data)


def pack_channels(channels: Iterable[Channel]) -> Attribute:
    """The attribute `channels`; files list them by the bytes of their names."""
    ordered = sorted(channels, key=lambda one: one.name.encode())
    data = b"".join(
        one.name.encode() + b"\0" + struct.pack("<iB3xii", one.type, one.linear, one.x, one.y)
        for one in ordered
    )
    return Attribute("chlist", data + b"\0")


def pack_box(box: Box) -> Attribute:
    """A window as an attribute."""
    return Attribute("box2i", struct.pack("<iiii", box[0], box[1], box[2] - 1, box[3] - 1))


def _packed(header: Mapping[str, Attribute]) -> bytes:
    entries = [
        _named(name) + _named(one.type) + struct.pack("<i", len(one.value)) + one.value
        for name, one in header.items()
    ]
    return b"".join(entries) + b"\0"


def _named(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\0"


def _is_long(header: Mapping[str, Attribute]) -> bool:
    names = [*header, *(one.type for one in header.values())]
    names += [one.name for one in Part(header, "").channels]
    return any(len(_named(name)) > 32 for name in names)


def _levels(width: int, height: int, mode: int) -> list[tuple[int, int]]:
    """Sizes of the levels of a tiled part: one, halved together, or halved each way by itself."""
    up = mode >> 4

    def sizes(side: int, count: int) -> list[int]:
        return [max(1, (side + (1 << level) - 1 if up else side) >> level) for level in range(count)]

    def count(side: int) -> int:
        return (side - 1).bit_length() + 1 if up else side.bit_length()

    if mode & 15 == 0:
        return [(width, height)]
    if mode & 15 == 1:
        levels = count(max(width, height))
        return list(zip(sizes(width, levels), sizes(height, levels), strict=True))
    return [(across, down) for down in sizes(height, count(height)) for across in sizes(width, count(width))]


def _cut(name: object) -> StylebridgeError:
    return StylebridgeError(
        Code.NOT_READABLE, f"{name} is cut off or was never finished; render or copy it again."
    )


def _damaged(name: str, what: str) -> StylebridgeError:
    return StylebridgeError(Code.NOT_READABLE, f"{name} is a damaged OpenEXR file: {what}.")
