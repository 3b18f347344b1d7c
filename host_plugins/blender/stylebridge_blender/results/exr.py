"""OpenEXR files of half and full floats, written without any library: scan lines, ZIP compression.

The format is openexr.com's "OpenEXR File Layout": attributes, a table of offsets, blocks of 16 lines, each of which is
reordered (even bytes, then odd ones), differenced and deflated.
"""

from __future__ import annotations

import struct
import zlib

from .._bridge.stylebridge.pixels import SAMPLE_BYTES, Layout, Picture

_NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
_TYPES = {"float16": 1, "float32": 2}
_LINES = 16  # of a block, which ZIP compression has
_ZIP, _INCREASING = 3, 0


def encode(picture: Picture) -> bytes:
    """The EXR file of a picture of float16 or float32, values as they are; alpha is taken as premultiplied."""
    layout = picture.layout
    sample = SAMPLE_BYTES[layout.dtype]
    names = sorted(_NAMES[layout.channels])
    places = [_NAMES[layout.channels].index(name) for name in names]
    # One plane for each channel, in the order of their names, which is the order in the file.
    samples = memoryview(picture.data).cast("B").cast("H" if sample == 2 else "I")
    planes = [samples[place :: layout.channels].tobytes() for place in places]
    row = layout.width * sample
    blocks = []
    for top in range(0, layout.height, _LINES):
        lines = range(top, min(top + _LINES, layout.height))
        raw = b"".join(plane[y * row : (y + 1) * row] for y in lines for plane in planes)
        packed = zlib.compress(_predicted(raw), 1)
        body = packed if len(packed) < len(raw) else raw  # as the format asks
        blocks.append(struct.pack("<ii", top, len(body)) + body)
    head = _header(layout, names)
    place = len(head) + 8 * len(blocks)
    table = []
    for block in blocks:
        table.append(struct.pack("<Q", place))
        place += len(block)
    return b"".join((head, *table, *blocks))


def _header(layout: Layout, names: list[str]) -> bytes:
    channels = b"".join(
        name.encode() + b"\0" + struct.pack("<iB3xii", _TYPES[layout.dtype], 0, 1, 1) for name in names
    )
    window = struct.pack("<4i", 0, 0, layout.width - 1, layout.height - 1)
    attributes = (
        ("channels", "chlist", channels + b"\0"),
        ("compression", "compression", bytes([_ZIP])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", bytes([_INCREASING])),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    )
    head = [struct.pack("<2I", 20000630, 2)]  # the magic number, and version 2
    for name, kind, value in attributes:
        head.append(b"%s\0%s\0" % (name.encode(), kind.encode()) + struct.pack("<i", len(value)) + value)
    return b"".join(head) + b"\0"


def _predicted(raw: bytes) -> bytes:
    """The bytes reordered and differenced. Python has no arithmetic on arrays, but on integers of any length: here each
    byte is a digit, and the top bits are handled apart so that no digit borrows from the next.
    """
    data = raw[0::2] + raw[1::2]
    size = len(data)
    now = int.from_bytes(data, "little")
    before = int.from_bytes(b"\0" + data[:-1], "little")
    top = int.from_bytes(b"\x80" * size, "little")
    difference = ((now | top) - (before & ~top)) ^ ((now ^ before ^ top) & top)
    # 128 is added to each but the first.
    return (difference ^ top ^ 0x80).to_bytes(size, "little")
