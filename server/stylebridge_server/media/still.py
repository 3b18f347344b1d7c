"""Picture files: whole files in, whole files out, bit for bit where the format is lossless."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import png, tiff
from stylebridge_server.media.files import readable_file, whole_or_nothing, writable_place
from stylebridge_server.media.limits import MAX_FILE, check_size
from stylebridge_server.media.notes import one_text
from stylebridge_server.values import Frame, Pixels

WRITTEN = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Extensions of pictures that can be written."""

READ = (*WRITTEN, ".webp", ".bmp", ".gif", ".avif", ".jp2", ".tga", ".ppm", ".pgm", ".exr")
"""Extensions by which `open_source` knows a picture; what is in the file decides how it is read."""

_PILLOW_FORMATS = ("JPEG", "WEBP", "BMP", "GIF", "AVIF", "TIFF", "JPEG2000", "PPM", "TGA")
_EXR_SIGNATURE = b"\x76\x2f\x31\x01"
_JPEG_QUALITY = 97


@dataclass(frozen=True)
class Picture:
    """Pixels with what their file says about them.

    Attributes:
        pixels: (H, W, 1 to 4), as in `Frame`.
        tags: "icc" (profile, bytes) and "png_chunks" (for a PNG made from it), where there are any.
    """

    pixels: Pixels
    tags: dict[str, object] = field(default_factory=dict)


def read_picture(path: str | Path) -> Picture:
    """A picture file: PNG and TIFF bit for bit, JPEG and others upright by their EXIF tag.

    Raises:
        StylebridgeError: NOT_FOUND, NOT_READABLE or TOO_LARGE, in a sentence.
    """
    path = readable_file(path)
    if path.stat().st_size > MAX_FILE:
        raise StylebridgeError(
            Code.TOO_LARGE, f"{path} is larger than {MAX_FILE >> 30} GiB, too large for a picture."
        )
    data = path.read_bytes()
    name = str(path)
    if data.startswith(png.SIGNATURE):
        pixels, chunks = png.decode_png(data, name)
        tags: dict[str, object] = {"png_chunks": chunks}
        if profile := png.icc_of(chunks):
            tags["icc"] = profile
        return Picture(pixels, tags)
    if data.startswith(tiff.SIGNATURES) and tiff.check_tiff(data, name) > 8:
        return Picture(tiff.decode_deep_tiff(data, name))
    if data.startswith(_EXR_SIGNATURE) or path.suffix.lower() == ".exr":
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{name} is an OpenEXR picture, which is read as a plate only, with a name that ends in .exr; "
            "convert it to 16-bit PNG or TIFF.",
        )
    return _read_by_pillow(data, name)


def write_picture(path: Path, pixels: Pixels, tags: Mapping[str, object], text: Mapping[str, str]) -> None:
    """Write (H, W, 1 to 4) pixels to a file of the extension's kind, whole or not at all."""
    data = encode_picture(path, pixels, tags, text)
    with whole_or_nothing(path) as temporary:
        temporary.write_bytes(data)


def encode_picture(path: Path, pixels: Pixels, tags: Mapping[str, object], text: Mapping[str, str]) -> bytes:
    """The bytes of the file that `write_picture` writes."""
    check_writable(path, pixels.shape[2], str(pixels.dtype))
    extension = path.suffix.lower()
    profile = tags.get("icc")
    if extension == ".png":
        chunks = list(tags.get("png_chunks", []))  # type: ignore[call-overload]
        if isinstance(profile, bytes) and not any(kind == b"iCCP" for kind, _ in chunks):
            chunks.append(png.icc_chunk(profile))
        return png.encode_png(pixels, chunks, text)
    if extension in (".tif", ".tiff"):
        return tiff.encode_tiff(pixels, str(path), one_text(text))
    buffer = io.BytesIO()
    comment = one_text(text)
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0, icc_profile=profile, comment=comment)
    return buffer.getvalue()


def check_writable(path: Path, channels: int, dtype: str) -> None:
    """Refuse a kind of picture that cannot hold these pixels, naming one that can."""
    extension = path.suffix.lower()
    if extension not in WRITTEN:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} has an ending that is no kind of picture written here: {', '.join(WRITTEN)}.",
        )
    if dtype not in ("uint8", "uint16"):
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path.name} cannot hold floating point pixels ({dtype}); write {path.stem}.exr."
        )
    if extension in (".jpg", ".jpeg") and (dtype != "uint8" or channels in (2, 4)):
        what = "an alpha channel" if channels in (2, 4) else "16 bits"
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path.name} cannot hold {what}; write {path.stem}.png instead."
        )
    if extension in (".tif", ".tiff") and channels == 2:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path.name} is not written with grey and alpha; write {path.stem}.png."
        )


def load_image(path: str | Path) -> Frame:
    """A picture file as frame 0: a style image, a matte, a still. Pixels as the file holds them."""
    return Frame(0, read_picture(path).pixels)


def save_image(path: str | Path, pixels: Pixels) -> None:
    """Write (H, W) or (H, W, 1 to 4) uint8 or uint16 pixels to a PNG, JPEG or TIFF file."""
    array = pixels[..., None] if pixels.ndim == 2 else pixels
    write_picture(writable_place(path), array, {}, {})


def _read_by_pillow(data: bytes, name: str) -> Picture:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large pictures are checked by our own limit
            image: Image.Image = Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
            check_size(name, *image.size)
            profile = image.info.get("icc_profile")
            image = ImageOps.exif_transpose(image)
            image.load()
    except Image.DecompressionBombError as error:
        raise StylebridgeError(
            Code.TOO_LARGE, f"{name} claims more pixels than are read; scale it down."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{name} is not a picture that can be read, or is cut off; PNG, JPEG and TIFF are.",
        ) from error
    if image.mode.startswith("I;16"):
        return Picture(np.asarray(image, np.uint16)[..., None])
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image, profile = image.convert("RGB"), None  # CMYK and the like: its profile is not one of RGB
    array = np.array(image, np.uint8)
    return Picture(array if array.ndim == 3 else array[..., None], {"icc": profile} if profile else {})
