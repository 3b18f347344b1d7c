"""How a movie is written: codec and pixel layout for a container and a kind of source."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.picture import Layout
from stylebridge_server.media.yuv import KNOWN_MATRICES, Coding, default_matrix
from stylebridge_server.values import SourceInfo

QUALITY = 14
"""Constant rate factor of H.264 and H.265: visually lossless, so that styling and not coding is seen."""

_TINY = 16  # pixels a side below which half the chroma is too little of it, and slices too many
_SMALLEST_H265 = 64  # pixels a side below which x265 is not asked


@dataclass(frozen=True)
class Encoding:
    """A codec with everything that it needs to be told.

    Attributes:
        codec: FFmpeg's name of the encoder.
        layout: of the pictures that it takes.
        options: of the encoder.
        description: for people.
        lossless: whether RGB comes back bit for bit.
        tag: four letters by which the container names the codec, where the default plays in fewer places.
        color: color_range, colorspace, color_primaries and color_trc to write.
    """

    codec: str
    layout: Layout
    options: dict[str, str]
    description: str
    lossless: bool = False
    tag: str | None = None
    color: dict[str, int] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """The whole of it in one text: `Sink.form`."""
        options = " ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.codec} {self.layout.format} {options}"


def choose_encoding(path: Path, like: SourceInfo, lossless: bool) -> Encoding:
    """The encoding for a movie at `path` with the pixels that `like` describes.

    - `.mkv` lossless, or with alpha: FFV1, RGB of 8 or 16 bits, bit exact.
    - `.mov` with alpha: ProRes 4444, 10 bits.
    - `.webm`: VP9, 8 bits, with alpha where there is any.
    - else H.264 for 8 bits, H.265 of 10 bits for more (H.264 where the size is odd or tiny).
    Chroma keeps the source's sampling; sizes that 4:2:0 cannot hold are written as 4:4:4.

    Raises:
        StylebridgeError: BAD_VALUE where the container cannot hold what was asked, naming one that can.
    """
    extension = path.suffix.lower()
    if like.dtype not in ("uint8", "uint16"):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path} cannot hold floating point pixels ({like.dtype}); write a sequence of pictures.",
        )
    alpha = like.channels in (2, 4)
    if lossless and extension != ".mkv":
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} cannot be lossless: write {path.stem}.mkv, or a sequence of PNG files.",
        )
    if alpha and extension == ".mp4":
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} cannot hold the alpha channel of the source: write {path.stem}.mov, "
            f"{path.stem}.mkv, {path.stem}.webm or a sequence of PNG files.",
        )
    bits = 8 if like.dtype == "uint8" else 10
    if extension == ".webm" and bits > 8:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} is written with 8 bits, but the source has more: write {path.stem}.mp4.",
        )
    if extension == ".mkv" and (lossless or alpha):
        return _ffv1(like, alpha)
    if alpha and extension == ".mov":
        return _prores(like)
    return _lossy(extension, like, bits)


def _ffv1(like: SourceInfo, alpha: bool) -> Encoding:
    deep = like.dtype == "uint16"
    name = {
        (False, False): "bgr0",
        (False, True): "bgra",
        (True, False): "gbrp16le",
        (True, True): "gbrap16le",
    }
    layout = Layout(name[deep, alpha], Coding(0, True, 16 if deep else 8), alpha=alpha)
    options = {"level": "3", "slicecrc": "1", "g": "1"}
    if min(like.width, like.height) >= _TINY:
        options["slices"] = "4"  # coded side by side
    text = f"FFV1 lossless, {'RGBA' if alpha else 'RGB'}, {16 if deep else 8} bit"
    color = {"color_range": 2, "colorspace": 0, **_primaries(like)}
    return Encoding("ffv1", layout, options, text, lossless=True, color=color)


def _prores(like: SourceInfo) -> Encoding:
    coding = Coding(_matrix(like), False, 10)
    options = {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"}
    text = "ProRes 4444 with alpha, 10 bit"
    return Encoding(
        "prores_ks", Layout("yuva444p10le", coding, alpha=True), options, text, color=_color(like, False)
    )


def _lossy(extension: str, like: SourceInfo, bits: int) -> Encoding:
    full = like.tags.get("color_range") == 2 and "sampling" in like.tags
    odd = like.width % 2 or like.height % 2
    sampling = str(like.tags.get("sampling", "420"))
    if extension == ".webm":
        codec, label = "libvpx-vp9", "VP9"
        options = {"crf": str(QUALITY), "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
    elif bits == 8 or odd or min(like.width, like.height) < _SMALLEST_H265:
        codec, label = "libx264", "H.264"
        options = {"crf": str(QUALITY), "preset": "medium"}
    else:
        codec, label = "libx265", "H.265"
        options = {"crf": str(QUALITY), "preset": "fast", "x265-params": "log-level=error"}
    alpha = like.channels in (2, 4)  # only VP9 comes here with alpha, which it has for 4:2:0 of any size
    tiny = min(like.width, like.height) < _TINY
    if tiny or (sampling == "420" and odd) or (sampling == "422" and like.width % 2):
        sampling = "444"
    if alpha:
        sampling = "420"
    coding = Coding(_matrix(like), full, bits, sampling != "444", sampling == "420")
    layout = Layout(f"yuv{'a' if alpha else ''}{sampling}p{'' if bits == 8 else '10le'}", coding, alpha=alpha)
    text = f"{label}{' with alpha' if alpha else ''}, {':'.join(sampling)}, {bits} bit"
    tag = "hvc1" if codec == "libx265" and extension in (".mp4", ".mov") else None
    return Encoding(codec, layout, options, text, tag=tag, color=_color(like, full))


def _matrix(like: SourceInfo) -> int:
    given = like.tags.get("colorspace")
    if given in KNOWN_MATRICES:
        return int(given)
    return default_matrix(like.width, like.height) if given is not None else 1


def _color(like: SourceInfo, full: bool) -> dict[str, int]:
    """The source's tags again: what it leaves unsaid stays unsaid, so that players show both alike."""
    given = like.tags.get("colorspace")
    matrix = 1 if given in (None, 0) else int(given)
    return {"color_range": 2 if full else 1, "colorspace": matrix, **_primaries(like)}


def _primaries(like: SourceInfo) -> dict[str, int]:
    """Primaries and transfer; pictures that were never a movie are sRGB (H.273: 1 and 13)."""
    return {
        "color_primaries": int(like.tags.get("color_primaries", 1)),
        "color_trc": int(like.tags.get("color_trc", 13)),
    }
