"""How a movie is written: codec and pixel layout for a container and a kind of source."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.codecs import CODECS, Codec, codec_named, family_of, objection, with_alpha
from stylebridge_server.media.picture import Layout
from stylebridge_server.media.yuv import KNOWN_MATRICES, Coding, default_matrix
from stylebridge_server.values import SourceInfo

QUALITY = 14
"""Constant rate factor of H.264 and H.265: visually lossless, so that styling and not coding is seen."""

QUALITY_AV1 = 18
"""The same of AV1, whose scale is another."""

_TINY = 16  # pixels a side below which half the chroma is too little of it, and slices too many


@dataclass(frozen=True)
class Encoding:
    """A codec with everything that it needs to be told.

    Attributes:
        written: the codec.
        layout: of the pictures that it takes.
        options: of the encoder.
        description: for people.
        tag: four letters by which the container names the codec, where the default plays in fewer places.
        color: color_range, colorspace, color_primaries and color_trc to write.
    """

    written: Codec
    layout: Layout
    options: dict[str, str]
    description: str
    tag: str | None = None
    color: dict[str, int] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """The whole of it in one text: `Sink.form`."""
        options = " ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.written.encoder} {self.layout.format} {options}"


def choose_encoding(path: Path, like: SourceInfo, lossless: bool, codec: str | None = None) -> Encoding:
    """The encoding for a movie at `path` with the pixels that `like` describes.

    Where no codec is named it is the source's own, if the movie can hold it without loss of bits or alpha; else
    - `.mkv` lossless, or with alpha: FFV1, RGB of 8 or 16 bits, bit exact,
    - `.mov` with alpha: ProRes 4444,
    - `.webm`: VP9, or AV1 for more than 8 bits,
    - H.264 for 8 bits, H.265 for more (H.264 where the size is odd or tiny).
    Bits and chroma keep to the source's as far as the codec can; sizes that halved chroma cannot hold are written with
    whole chroma where it can.

    Raises:
        StylebridgeError: BAD_VALUE where the movie cannot hold what was asked, naming what can.
    """
    if like.dtype not in ("uint8", "uint16"):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path} cannot hold floating point pixels ({like.dtype}); write a sequence, {path.stem}.####.exr.",
        )
    if lossless and path.suffix.lower() != ".mkv":
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} cannot be lossless: write {path.stem}.mkv, or a sequence of PNG files.",
        )
    chosen = CODECS["ffv1"] if lossless else codec_named(codec) if codec else _usual(path, like)
    problem = objection(chosen, path.suffix.lower(), like.width, like.height, _has_alpha(like))
    if problem:
        instead = with_alpha() if "alpha" in problem else _what_works(path, like)
        raise StylebridgeError(Code.BAD_VALUE, f"{path.name}: {problem}; what works is {instead}.")
    encoding = _encoding(chosen, path.suffix.lower(), like)
    if codec is None and like.dtype == "uint16" and encoding.layout.coding.bits == 8:
        deeper = "prores4444 (.mov)" if _has_alpha(like) else "h265 (.mp4)"
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} would be written with 8 bits ({chosen.title}), but the source has more: what works is "
            f"{deeper}, or --codec {chosen.name} to have it so.",
        )
    return encoding


def _has_alpha(like: SourceInfo) -> bool:
    return like.channels in (2, 4)


def _depth(like: SourceInfo) -> int:
    """Bits of a sample of the source; 16 where pictures of more than 8 were never a movie."""
    return 8 if like.dtype == "uint8" else int(like.tags.get("bits", 16))


def _usual(path: Path, like: SourceInfo) -> Codec:
    """The codec where none is named."""
    ending, alpha = path.suffix.lower(), _has_alpha(like)
    own = family_of(str(like.tags.get("codec")), like.tags.get("profile"))
    if own is not None:
        codec = CODECS[own]
        deep_enough = max(codec.alpha if alpha else codec.bits, default=0) >= min(_depth(like), 10)
        if deep_enough and not objection(codec, ending, like.width, like.height, alpha):
            return codec
    if alpha:
        return CODECS[{".mkv": "ffv1", ".webm": "vp9", ".mov": "prores4444"}.get(ending, "h264")]
    deep = like.dtype == "uint16"
    if ending == ".webm":
        fits = not objection(CODECS["av1"], ending, like.width, like.height, alpha)
        return CODECS["av1" if deep and fits else "vp9"]
    odd = like.width % 2 or like.height % 2
    fits = not objection(CODECS["h265"], ending, like.width, like.height, alpha)
    return CODECS["h265" if deep and fits and not odd else "h264"]


def _what_works(path: Path, like: SourceInfo) -> str:
    """The codecs that the movie can be written with, for sentences."""
    ending, alpha = path.suffix.lower(), _has_alpha(like)
    able = [
        codec.name
        for codec in CODECS.values()
        if not objection(codec, ending, like.width, like.height, alpha)
    ]
    return f"{path.name} with {', '.join(able)}" if able else with_alpha()


def _encoding(codec: Codec, ending: str, like: SourceInfo) -> Encoding:
    alpha, depth = _has_alpha(like), _depth(like)
    able = codec.alpha if alpha else codec.bits
    # More than ten bits are kept only where the source has just as many, or nothing is lost anyway.
    wanted = depth if depth in able or codec.lossless else min(depth, 10)
    bits = next((one for one in able if one >= wanted), able[-1])
    if codec.lossless:
        return _ffv1(codec, like, alpha, bits)
    sampling = _sampling(codec, like, alpha)
    full = like.tags.get("color_range") == 2 and "sampling" in like.tags and codec.encoder in _FULL_RANGE
    matrix = 1 if codec.encoder == "dnxhd" else _matrix(like)  # the only one that its pictures say
    coding = Coding(matrix, full, bits, sampling != "444", sampling == "420")
    layout = Layout(
        f"yuv{'a' if alpha else ''}{sampling}p{'' if bits == 8 else f'{bits}le'}", coding, alpha=alpha
    )
    text = f"{codec.title}{' with alpha' if alpha else ''}, {':'.join(sampling)}, {bits} bit"
    tag = "hvc1" if codec.encoder == "libx265" and ending in (".mp4", ".mov") else None
    color = {**_color(like, full), "colorspace": matrix} if codec.encoder == "dnxhd" else _color(like, full)
    return Encoding(codec, layout, _options(codec, bits), text, tag=tag, color=color)


_FULL_RANGE = ("libx264", "libx265", "libvpx-vp9", "libsvtav1")


def _sampling(codec: Codec, like: SourceInfo, alpha: bool) -> str:
    """How chroma is sampled: as in the source, as far as size and codec allow."""
    sampling = str(like.tags.get("sampling", "420"))
    halved_wrong = (sampling == "420" and (like.width % 2 or like.height % 2)) or (
        sampling == "422" and like.width % 2
    )
    if min(like.width, like.height) < _TINY or halved_wrong:
        sampling = "444"
    if alpha and codec.name == "vp9":
        return "420"  # with alpha of any size
    return sampling if sampling in codec.samplings else codec.samplings[-1 if sampling == "444" else 0]


def _options(codec: Codec, bits: int) -> dict[str, str]:
    if codec.encoder == "prores_ks":
        profile = {"prores422": "standard", "prores422hq": "hq"}.get(codec.name, "4444")
        return {"profile": profile, "alpha_bits": "16", "vendor": "apl0"}
    return {
        "libx264": {"crf": str(QUALITY), "preset": "medium"},
        "libx265": {"crf": str(QUALITY), "preset": "fast", "x265-params": "log-level=error"},
        "libvpx-vp9": {
            "crf": str(QUALITY),
            "b": "0",
            "deadline": "good",
            "cpu-used": "4",
            "row-mt": "1",
        },
        "libsvtav1": {"crf": str(QUALITY_AV1), "preset": "8"},
        "dnxhd": {"profile": "dnxhr_hq" if bits == 8 else "dnxhr_hqx"},
    }[codec.encoder]


def _ffv1(codec: Codec, like: SourceInfo, alpha: bool, bits: int) -> Encoding:
    name = {(8, False): "bgr0", (8, True): "bgra", (16, False): "gbrp16le", (16, True): "gbrap16le"}
    layout = Layout(name[bits, alpha], Coding(0, True, bits), alpha=alpha)
    options = {"level": "3", "slicecrc": "1", "g": "1"}
    if min(like.width, like.height) >= _TINY:
        options["slices"] = "4"  # coded side by side
    text = f"FFV1 lossless, {'RGBA' if alpha else 'RGB'}, {bits} bit"
    return Encoding(
        codec, layout, options, text, color={"color_range": 2, "colorspace": 0, **_primaries(like)}
    )


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
