"""What pictures of high dynamic range say of the display that they were graded on (SMPTE ST 2086, CTA-861.3)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

#: Side data of pictures, by FFmpeg's name: what people call what is not written again.
_OTHERS = {
    "A53_CC": "closed captions",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "SPHERICAL": "spherical projection",
    "STEREO3D": "stereo packing",
}
#: Encoders that write it: the option that takes parameters, names and the scale of what they are given.
_ENCODERS = {
    "libx264": ("x264-params", "mastering-display", "cll", True),
    "libx265": ("x265-params", "master-display", "max-cll", True),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", False),
}


@dataclass(frozen=True)
class Hdr:
    """Static metadata of a movie.

    Attributes:
        mastering: x and y of red, green, blue and white; lowest and highest luminance in candela a square metre.
        light: highest luminance of a pixel and of a frame's mean, in the same.
    """

    mastering: tuple[Fraction, ...] | None = None
    light: tuple[int, int] | None = None


def read_hdr(side_data: Mapping[str, bytes]) -> Hdr:
    """From a picture's side data, by FFmpeg's names."""
    mastering, light = None, None
    data = side_data.get("MASTERING_DISPLAY_METADATA", b"")
    if len(data) >= 88:
        *numbers, primaries, luminance = struct.unpack_from("<22i", data)
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        if primaries and luminance and all(low for _, low in pairs):
            mastering = tuple(Fraction(high, low) for high, low in pairs)
    data = side_data.get("CONTENT_LIGHT_LEVEL", b"")
    if len(data) >= 8:
        light = struct.unpack_from("<2I", data)
    return Hdr(mastering, light)


def not_carried(side_data: Mapping[str, bytes]) -> list[str]:
    """What else the side data hold that is not written again, for people."""
    return list(dict.fromkeys(words for name, words in _OTHERS.items() if name in side_data))


def with_hdr(options: dict[str, str], encoder: str, hdr: Hdr) -> dict[str, str] | None:
    """An encoder's options that also write the metadata; None where it cannot."""
    if encoder not in _ENCODERS:
        return None
    option, mastering, light, whole = _ENCODERS[encoder]
    words = [options[option]] if option in options else []
    if hdr.mastering is not None:
        words.append(f"{mastering}={_mastering(hdr.mastering, whole)}")
    if hdr.light is not None:
        words.append(f"{light}={hdr.light[0]},{hdr.light[1]}")
    return {**options, option: ":".join(words)}


def _mastering(values: tuple[Fraction, ...], whole: bool) -> str:
    """G(x,y)B(x,y)R(x,y)WP(x,y)L(high,low), in units of 0.00002 and 0.0001 where numbers are to be whole."""
    red, green, blue, white = (values[i : i + 2] for i in range(0, 8, 2))

    def pair(one: Fraction, other: Fraction, unit: Fraction) -> str:
        return (
            f"({round(one / unit)},{round(other / unit)})"
            if whole
            else f"({float(one):.5f},{float(other):.5f})"
        )

    chroma, candela = Fraction(1, 50_000), Fraction(1, 10_000)
    points = {"G": green, "B": blue, "R": red, "WP": white}
    text = "".join(f"{name}{pair(x, y, chroma)}" for name, (x, y) in points.items())
    return f"{text}L{pair(values[9], values[8], candela)}"
