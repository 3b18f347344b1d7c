"""Find instances in a shot, follow them through it, and write a soft matte of each on every frame."""

from __future__ import annotations

from stylebridge_server.segment.host import Beside, Host, write_given
from stylebridge_server.segment.interface import FORGETFUL, FrameReader, MatteStore, Parts, Segmenter

__all__ = [
    "FORGETFUL",
    "Beside",
    "FrameReader",
    "MatteStore",
    "Parts",
    "Segmenter",
    "load",
    "names",
    "write_given",
]


def names() -> list[str]:
    """The names that `load` knows on this machine now: "auto", what ships, and the installed networks."""
    from stylebridge_server.segment import backends

    known = backends.cards()
    return ["auto", "embedded", *sorted({*known, *(card.kind for card in known.values())}), "host", "none"]


def load(name: str, device: str = "cpu", pointed: bool = False) -> Segmenter:
    """The segmenter of that name.

    Args:
        name: "embedded", "host", "none", a kind of network ("maskrcnn"), an installed network's name ("name@version"
            for an earlier one), or "auto" for the best that is installed.
        device: where networks run.
        pointed: whether there are prompts, which decides what "auto" means.

    Raises:
        StylebridgeError: `Code.BAD_VALUE` for a name that there is not; `Code.NOT_FOUND` for a version.
    """
    from stylebridge_server.segment import backends

    if name == "none":
        from stylebridge_server.segment.none import Nothing

        return Nothing()
    if name == "host":
        return Host()
    if name == "auto":
        card = backends.best(pointed)
        if card is not None:
            return backends.opened(card, device)
    if name in ("auto", "embedded"):
        from stylebridge_server.segment.embedded import Embedded

        return Embedded()
    return backends.named(name, device)
