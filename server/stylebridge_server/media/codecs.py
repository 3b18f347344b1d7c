"""What movies can be written with: one table, from which choices, refusals and the page of formats are made."""

from __future__ import annotations

from dataclasses import dataclass

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""Movie files that can be written: ending and FFmpeg's name of the container."""

MOVIES = tuple(FORMATS)
"""Endings of movies that can be written."""


@dataclass(frozen=True)
class Codec:
    """A way to write moving pictures.

    Attributes:
        name: what it is asked for by.
        title: what people call it.
        encoder: FFmpeg's.
        endings: of the movies that hold it here, the usual one first.
        bits: that a sample can have, ascending.
        samplings: of chroma, the coarsest first; "rgb" where there is none.
        alpha: bits that it can have with alpha; straight, as the pixels are.
        smallest: pixels of width and height that it takes at least.
        lossless: RGB comes back bit for bit.
    """

    name: str
    title: str
    encoder: str
    endings: tuple[str, ...]
    bits: tuple[int, ...]
    samplings: tuple[str, ...]
    alpha: tuple[int, ...] = ()
    smallest: tuple[int, int] = (1, 1)
    lossless: bool = False


_MPEG = (".mp4", ".mov", ".mkv")
_INTERMEDIATE = (".mov", ".mkv")
_ANY = ("420", "422", "444")

CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        Codec("h264", "H.264", "libx264", _MPEG, (8, 10), _ANY),
        Codec("h265", "H.265", "libx265", _MPEG, (8, 10, 12), _ANY, smallest=(64, 64)),
        Codec(
            "av1",
            "AV1",
            "libsvtav1",
            (".mp4", ".mkv", ".webm"),
            (8, 10),
            ("420",),
            smallest=(64, 64),
        ),
        Codec(
            "vp9",
            "VP9",
            "libvpx-vp9",
            (".webm", ".mkv"),
            (8,),
            _ANY,
            alpha=(8,),
        ),
        Codec(
            "prores422",
            "ProRes 422",
            "prores_ks",
            _INTERMEDIATE,
            (10,),
            ("422",),
        ),
        Codec(
            "prores422hq",
            "ProRes 422 HQ",
            "prores_ks",
            _INTERMEDIATE,
            (10,),
            ("422",),
        ),
        Codec(
            "prores4444",
            "ProRes 4444",
            "prores_ks",
            _INTERMEDIATE,
            (10,),
            ("444",),
            alpha=(10,),
        ),
        Codec("dnxhr", "DNxHR", "dnxhd", (".mov",), (8, 10), ("422",), smallest=(256, 120)),
        Codec(
            "ffv1",
            "FFV1",
            "ffv1",
            (".mkv",),
            (8, 16),
            ("rgb",),
            alpha=(8, 16),
            lossless=True,
        ),
    )
}

# FFmpeg's names of codecs in sources, and what they are written as again.
_FAMILIES = {
    "h264": "h264",
    "hevc": "h265",
    "av1": "av1",
    "vp9": "vp9",
    "dnxhd": "dnxhr",
    "ffv1": "ffv1",
}
_PRORES = {"HQ": "prores422hq", "4444": "prores4444", "XQ": "prores4444"}


def family_of(codec: str, profile: str | None) -> str | None:
    """The name of the codec that a source's is written as again; None where there is none.

    Args:
        codec, profile: FFmpeg's names of them.
    """
    return _PRORES.get(str(profile), "prores422") if codec == "prores" else _FAMILIES.get(codec)


def codec_named(name: str) -> Codec:
    """The codec of that name.

    Raises:
        StylebridgeError: BAD_VALUE, with the nearest name.
    """
    if name not in CODECS:
        raise StylebridgeError(Code.BAD_VALUE, f'There is no codec "{name}": {suggestion(name, CODECS)}')
    return CODECS[name]


def objection(codec: Codec, ending: str, width: int, height: int, alpha: bool) -> str:
    """Why a movie cannot be written with a codec, as a sentence's main clause; empty where it can."""
    if ending not in codec.endings:
        return f"{ending} does not hold {codec.title}, which goes into {_either(codec.endings)}"
    if alpha and not codec.alpha:
        return f"{codec.title} cannot hold the alpha channel of the source"
    if width < codec.smallest[0] or height < codec.smallest[1]:
        return (
            f"{codec.title} is not written smaller than {codec.smallest[0]}x{codec.smallest[1]}, "
            f"and the pictures are {width}x{height}"
        )
    return ""


def with_alpha() -> str:
    """What holds alpha, for sentences: "prores4444 (.mov, .mkv), ...  or a sequence of PNG files"."""
    able = [f"{codec.name} ({', '.join(codec.endings)})" for codec in CODECS.values() if codec.alpha]
    return f"{', '.join(able)} or a sequence of PNG files"


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(words)
