"""What an OpenEXR header says of its colours and its alpha, and how it is said."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from stylebridge_server.media.exr_file import Attribute

_UNASSOCIATED = "oiio:UnassociatedAlpha"

# Names of spaces as headers have them ("Color Interop Forum", OpenImageIO), to names that colour/ knows.
_SPACES = {
    "lin_rec709_scene": "linear",
    "lin_rec709": "linear",
    "lin_srgb": "linear",
    "lin_ap1_scene": "acescg",
    "lin_ap1": "acescg",
    "acescg": "acescg",
    "lin_ap0_scene": "aces2065-1",
    "lin_ap0": "aces2065-1",
    "aces2065-1": "aces2065-1",
    "lin_rec2020_scene": "Linear Rec.2020",
    "lin_p3d65_scene": "Linear P3-D65",
    "srgb": "srgb",
    "srgb_tx": "srgb",
    "srgb_texture": "srgb",
    "srgb_rec709_scene": "srgb",
    "srgb_rec709_display": "srgb",
}
_SAYS_LITTLE = ("", "linear", "scene_linear", "unknown", "raw", "data")

# Red, green, blue, white: x and y of each (Rec. ITU-R BT.709, BT.2020; SMPTE ST 2065-1; Academy S-2014-004).
_PRIMARIES = {
    "linear": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "acescg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "aces2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "Linear Rec.2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "Linear P3-D65": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.3290),
}
_NEAR = 0.002
_USUAL = "linear"


def colour_of(header: Mapping[str, Attribute]) -> str:
    """The colour space of a header: by its ACES flag, by name, by chromaticities; else "linear" (Rec. 709)."""
    flag = header.get("acesImageContainerFlag")
    if flag is not None and flag.type == "int" and any(flag.value):
        return "aces2065-1"
    for name in ("colorInteropID", "oiio:ColorSpace"):
        said = header.get(name)
        text = said.text.strip() if said is not None and said.type == "string" else ""
        if text.lower() not in _SAYS_LITTLE:
            return _SPACES.get(text.lower(), text)
    return _by_chromaticities(header) or _USUAL


def alpha_of(header: Mapping[str, Attribute], channels: int) -> str:
    """Premultiplied, as OpenEXR has it, unless the header says that it is not; "none" with 1 or 3 channels."""
    if channels in (1, 3):
        return "none"
    said = header.get(_UNASSOCIATED)
    return "straight" if said is not None and said.type == "int" and any(said.value) else "premultiplied"


def said_of(colour: str, alpha: str) -> dict[str, Attribute]:
    """The attributes that say a colour space and an alpha, for files that are not made from an OpenEXR file."""
    names = {space: name for name, space in reversed(_SPACES.items())}
    said = {"oiio:ColorSpace": Attribute.of(names.get(colour, colour))}
    if colour in _PRIMARIES:
        said["chromaticities"] = Attribute("chromaticities", struct.pack("<8f", *_PRIMARIES[colour]))
    if alpha == "straight":
        said[_UNASSOCIATED] = Attribute.of(1)
    return said


def _by_chromaticities(header: Mapping[str, Attribute]) -> str | None:
    said = header.get("chromaticities")
    if said is None or said.type != "chromaticities" or len(said.value) != 32:
        return None
    values = struct.unpack("<8f", said.value)
    for name, known in _PRIMARIES.items():
        if all(abs(one - other) < _NEAR for one, other in zip(values, known, strict=True)):
            return name
    return None
