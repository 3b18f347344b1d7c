"""How large a picture may be: checked against what a file claims before memory is taken for it."""

from __future__ import annotations

from stylebridge.errors import Code, StylebridgeError

MAX_SIDE = 16384
"""Pixels along one side of a picture."""

MAX_PIXELS = MAX_SIDE * MAX_SIDE
"""Pixels in all; also given to the decoders, which then refuse a header that lies on the way."""

MAX_FILE = 4 * 1024**3
"""Bytes of one picture file; movies are streamed and have no such limit."""

MAX_PROFILE = 16 * 1024**2
"""Bytes of a colour profile, which is packed in its file and says nothing of its size."""


def check_size(name: str, width: int, height: int) -> None:
    """Refuse a picture of width x height pixels that is empty or too large.

    Raises:
        StylebridgeError: TOO_LARGE or NOT_READABLE; `name` is what the sentence calls the file.
    """
    if width < 1 or height < 1:
        raise StylebridgeError(
            Code.NOT_READABLE, f"{name} holds no picture of a possible size ({width}x{height})."
        )
    if width > MAX_SIDE or height > MAX_SIDE:
        raise StylebridgeError(
            Code.TOO_LARGE,
            f"{name} claims {width}x{height} pixels; at most {MAX_SIDE} a side are read, so scale it down.",
            width=width,
            height=height,
            limit=MAX_SIDE,
        )
