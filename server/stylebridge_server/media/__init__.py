"""Media: movies, pictures, sequences and sound, in and out; a live picture on a local page.

    with open_source("plate.mp4") as source:
        with open_sink("out.mp4", source.info, 0, 9, sound_from=Path("plate.mp4")) as sink:
            for frame in source.frames(0, 9):
                sink.write(frame)

Pixels leave here as the source holds them; colour spaces are the colour room's business.
"""

from __future__ import annotations

from stylebridge_server.media.ahead import WriteBehind, read_ahead
from stylebridge_server.media.base import Sink, Source
from stylebridge_server.media.codecs import CODECS, MOVIES
from stylebridge_server.media.notes import fits_note
from stylebridge_server.media.results import is_whole, read_notes, read_record
from stylebridge_server.media.source import form_of, open_sink, open_source
from stylebridge_server.media.still import load_image, save_image

__all__ = [
    "CODECS",
    "MOVIES",
    "Sink",
    "Source",
    "WriteBehind",
    "fits_note",
    "form_of",
    "is_whole",
    "load_image",
    "open_sink",
    "open_source",
    "read_ahead",
    "read_notes",
    "read_record",
    "save_image",
]
