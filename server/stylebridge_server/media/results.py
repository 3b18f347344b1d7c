"""Results that are there already: what they say about themselves, and whether they are whole."""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

from PIL import Image

from stylebridge.errors import StylebridgeError
from stylebridge.stamp import REQUEST, Record
from stylebridge_server.media import png, tiff
from stylebridge_server.media.codecs import MOVIES
from stylebridge_server.media.exr_file import read_headers
from stylebridge_server.media.limits import MAX_FILE
from stylebridge_server.media.movie_decoder import open_container
from stylebridge_server.media.notes import from_one_text, only_own
from stylebridge_server.media.source import open_source


def read_notes(path: str | Path) -> dict[str, str]:
    """The notes of ours in a picture or a movie, by name; none where it has none, is damaged or not there."""
    path = Path(path)
    with contextlib.suppress(StylebridgeError, OSError, SyntaxError, ValueError):
        if path.suffix.lower() in MOVIES:
            with open_container(path) as container:
                return only_own(container.metadata)
        if path.suffix.lower() in (".jpg", ".jpeg"):
            with Image.open(path, formats=("JPEG",)) as image:
                return from_one_text(image.info.get("comment", b"").decode(errors="replace"))
        if path.suffix.lower() == ".exr":
            attributes = [one for part in read_headers(path).parts for one in part.attributes.items()]
            return only_own({name: one.text for name, one in attributes if one.type == "string"})
        if 0 < path.stat().st_size <= MAX_FILE:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _notes_of_picture(data)
    return {}


def read_record(path: str | Path) -> Record:
    """The stamps of the frames in a result; an empty record where it says none."""
    return Record.parse(read_notes(path).get(REQUEST)) or Record()


def is_whole(path: str | Path, count: int) -> bool:
    """Whether a file can be read to its end: a picture by decoding it, a movie by its packets.

    Args:
        count: the frames that it is to have.
    """
    with contextlib.suppress(StylebridgeError), open_source(path) as source:
        if source.info.count != count or source.readable_last != source.info.last:
            return False
        source.read(source.info.last)
        return True
    return False


def _notes_of_picture(data: mmap.mmap) -> dict[str, str]:
    if data[: len(png.SIGNATURE)] == png.SIGNATURE:
        return png.read_texts(data)
    if data[:4] in tiff.SIGNATURES:
        return from_one_text(tiff.read_description(data))
    return {}
