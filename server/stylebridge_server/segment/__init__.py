"""Find instances in a shot, follow them through it, and write a soft matte of each on every frame."""

from __future__ import annotations

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment.host import Beside, Host, write_given
from stylebridge_server.segment.interface import FrameReader, MatteStore, Segmenter

__all__ = ["Beside", "FrameReader", "MatteStore", "Segmenter", "load", "names", "write_given"]


def names() -> list[str]:
    """The names that `load` knows."""
    return ["auto", "embedded", "host", "none"]


def load(name: str) -> Segmenter:
    """The segmenter of that name; "auto" is the best that is installed, today "embedded".

    Raises:
        StylebridgeError: `Code.BAD_VALUE` for a name that is not in `names`.
    """
    if name in ("auto", "embedded"):
        from stylebridge_server.segment.embedded import Embedded

        return Embedded()
    if name == "host":
        return Host()
    if name == "none":
        from stylebridge_server.segment.none import Nothing

        return Nothing()
    raise StylebridgeError(
        Code.BAD_VALUE, f"There is no segmenter {name!r}; choose one of {', '.join(names())}."
    )
