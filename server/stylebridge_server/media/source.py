"""Open whatever a path names: a movie, a picture, a sequence of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import Pattern, names_views, of_view, parse_pattern
from stylebridge.wording import suggestion
from stylebridge_server.media import interlace
from stylebridge_server.media.base import Sink, Source
from stylebridge_server.media.codecs import MOVIES
from stylebridge_server.media.companions import COPY, NONE, SOUNDS
from stylebridge_server.media.encoding import choose_encoding
from stylebridge_server.media.exr_sink import ExrSink, form_of_exr
from stylebridge_server.media.exr_source import ExrSource
from stylebridge_server.media.files import readable_file
from stylebridge_server.media.gaps import Gaps, find_gaps
from stylebridge_server.media.movie_sink import MovieSink
from stylebridge_server.media.movie_source import MovieSource
from stylebridge_server.media.sequence import PictureSink, SequenceSource, StillSource, form_of_picture
from stylebridge_server.media.still import READ, WRITTEN
from stylebridge_server.values import SourceInfo


def open_source(
    path: str | Path,
    layer: str | None = None,
    view: str | None = None,
    gaps: str = "error",
    deinterlace: str = interlace.REFUSE,
) -> Source:
    """Open a movie, a picture, or a sequence named by a pattern (`plate.####.png`, `plate.%04d.png`).

    Args:
        layer, view: of OpenEXR files; None for the main layer, and the first view.
        gaps: what stands for missing frames of a sequence, one of `gaps.POLICIES`.
        deinterlace: what becomes of an interlaced movie, one of `interlace.POLICIES`.

    Raises:
        StylebridgeError: NOT_FOUND, NOT_READABLE, TOO_LARGE or BAD_VALUE, one sentence that names the file.
    """
    exists = Path(path).is_file()  # a file may have a '#' in its own name
    pattern = None if exists else parse_pattern(path)
    extension = Path(path).suffix.lower()
    if extension != ".exr" and (layer is not None or view is not None):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path} has no layers or views to choose from; OpenEXR files do (a view of numbered files is in their "
            "names: write %V there).",
        )
    if pattern is not None:
        if names_views(path):
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"{path} stands for several views: open each by its name, as in {of_view(path, 'left')}.",
            )
        files = pattern.files()
        found = find_gaps(pattern, files, gaps)
        if extension == ".exr":
            return ExrSource(str(pattern), "sequence", files, found, layer, view)
        return SequenceSource(str(pattern), files, found)
    if extension == ".exr":
        return ExrSource(str(path), "still", {0: readable_file(path)}, Gaps(there=(0,)), layer, view)
    if extension in READ and extension != ".gif":
        return StillSource(path)
    return MovieSource(path, deinterlace)


def open_sink(
    path: str | Path,
    like: SourceInfo,
    first: int,
    last: int,
    sound_from: Path | None = None,
    metadata: dict[str, str] | None = None,
    lossless: bool = False,
    codec: str | None = None,
    sound: str = COPY,
    views: Sequence[SourceInfo] = (),
) -> Sink:
    """Open what the frames first to last are written to: a movie, numbered pictures, or one picture.

    Everything that can be refused is refused here, before any frame is made.

    Args:
        path: ending in .mp4, .mov, .mkv or .webm; or .exr, .png, .jpg or .tif, with a pattern for several frames.
        like: the source's info: size, channels, dtype, rate and tags of what is written are the same.
        sound_from: the file whose sound, subtitles and chapters go into a movie; None for none.
        metadata: names and texts to add to what the source has.
        lossless: write the pixels so that they come back bit for bit (.mkv and pictures only).
        codec: of a movie, a name of `codecs.CODECS`; None for the source's own or what the ending usually holds.
        sound: what becomes of the sound, one of `companions.SOUNDS`.
        views: of an OpenEXR file of which several views are written: the info of each, `like` the first.

    Raises:
        StylebridgeError: NOT_WRITABLE or BAD_VALUE, a sentence that says what to write instead.
    """
    if sound not in SOUNDS:
        raise StylebridgeError(Code.BAD_VALUE, f'Sound cannot be "{sound}": {suggestion(sound, SOUNDS)}')
    path = Path(path)
    pattern = parse_pattern(path)
    _refuse_source(pattern or path, like, first, last)
    extension = path.suffix.lower()
    if extension in MOVIES and pattern is None:
        return MovieSink(path, like, first, last, sound_from, metadata or {}, lossless, codec, sound)
    if extension in MOVIES:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path.name} is a movie: its name needs no place for a number."
        )
    if codec is not None:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path.name} is no movie, and has no codec to choose: leave out {codec}."
        )
    if extension not in (*WRITTEN, ".exr"):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path.name} has an ending that cannot be written; movies are {', '.join(MOVIES)}, "
            f"pictures {', '.join((*WRITTEN, '.exr'))}.",
        )
    if lossless and extension in (".jpg", ".jpeg"):
        raise StylebridgeError(Code.BAD_VALUE, f"{path.name} cannot be lossless: write PNG or TIFF.")
    target, notes = pattern or path, metadata or {}
    sink = (
        ExrSink(target, views or (like,), first, last, notes)
        if extension == ".exr"
        else PictureSink(target, like, first, last, notes)
    )
    if like.sound and sound_from is not None and sound != NONE:
        sink.left_out.append("the sound, which pictures cannot hold")
    return sink


def form_of(path: str | Path, like: SourceInfo, codec: str | None = None) -> str:
    """The `form` of the sink that `open_sink` opens for these; nothing is opened. Raises as it does."""
    path = Path(path)
    if path.suffix.lower() in MOVIES:
        return choose_encoding(path, like, False, codec).form
    if path.suffix.lower() == ".exr":
        return form_of_exr(like)
    return form_of_picture(path, like)


def _refuse_source(target: Pattern | Path, like: SourceInfo, first: int, last: int) -> None:
    """Refuse to write over the files that are being read."""
    source = like.tags.get("path")
    if source is None:
        return
    read = parse_pattern(source) if like.kind == "sequence" else None
    numbers = range(first, last + 1) if isinstance(target, Pattern) else [first]
    for number in numbers:
        written = target.path(number) if isinstance(target, Pattern) else target
        if read is None:
            same = written.exists() and Path(source).exists() and written.samefile(source)
        else:
            same = read.number(written.name) is not None and written.exists()
            same = same and written.parent.resolve() == read.folder.resolve()
        if same:
            raise StylebridgeError(
                Code.NOT_WRITABLE, f"{written} is the source itself; choose another name for the result."
            )
