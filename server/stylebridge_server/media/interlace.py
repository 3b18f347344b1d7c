"""Interlaced movies: noticed by what the file says and by what the pictures show, and made into whole frames.

An interlaced frame holds two moments, one in its even rows and one in its odd ones. Files say so, and often wrongly:
many a progressive movie is marked interlaced because its carrier is, and an interlaced one may have lost its mark. So
pictures are looked at, too: libavfilter's idet tells rows of two moments from rows of one, and where a picture moves
its rows must alternate.

Whole frames are made by bwdif (libavfilter): frame n of its first field, with the other rows made from frames n - 1, n
and n + 1. Each frame is made from those three alone, so it is the same in whatever order frames are read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion
from stylebridge_server.media.movie_decoder import MovieDecoder
from stylebridge_server.media.movie_index import MovieIndex
from stylebridge_server.media.picture import PictureReader

REFUSE, AUTO, BWDIF, OFF = POLICIES = "refuse", "auto", "bwdif", "off"
"""What becomes of a movie: an interlaced one is refused, or whole frames are made of its fields; they are made of any
movie's; its frames are taken as they are."""

TOP, BOTTOM = "tff", "bff"
"""Which field of a frame comes first, as libavfilter calls it."""

ORDERS = {TOP: "top field first", BOTTOM: "bottom field first"}

# AV_FIELD_TT, _BB, _TB and _BT: the field that is coded first and the one that is shown first.
_SAID = {2: TOP, 3: BOTTOM, 4: BOTTOM, 5: TOP}
_NEVER = frozenset(("vp8", "vp9", "av1", "gif", "png", "apng", "webp"))  # codecs without fields
_MOST_LINES = (
    1088  # no interlaced format has more; a file that says it is interlaced is looked at all the same
)
_GROUPS, _EACH = 3, 6  # places of the movie that are looked at, and frames at each
_LEAST = 4  # frames that show two moments, for a movie that does not say so
_ALIKE = 0.9  # of them have the same field first: in others' pictures rows differ by chance
# Of the pixels that change from frame to frame, the share whose row is less like the rows beside it than those two rows
# away are: at least. Over six clips progressive pictures had 0.0005 to 0.034, the same woven from fields 0.056 to 0.66.
_COMBED = 0.045
_APART = 8.0  # of 255: smaller differences are noise


_TICKS = Fraction(1, 1000)  # filters want some time base; frames are told apart by their place


def check_policy(word: str) -> None:
    """Refuse what is none of `POLICIES`; StylebridgeError BAD_VALUE."""
    if word not in POLICIES:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"Interlaced movies cannot be treated by '{word}': {suggestion(word, (AUTO, BWDIF, OFF))}",
        )


def field_order(decoder: MovieDecoder, index: MovieIndex, stream: VideoStream) -> str | None:
    """TOP or BOTTOM where a movie is interlaced, None where it is not.

    Args:
        decoder: of the movie.
        index: of its packets.
        stream: its pictures.
    """
    codec = stream.codec_context
    if codec.codec.canonical_name in _NEVER:
        return None
    first = decoder.picture(0)
    said = codec.field_order in _SAID or (first is not None and first.interlaced_frame)
    if not said and codec.height > _MOST_LINES:
        return None
    groups = _groups(index)
    shown = {TOP: 0, BOTTOM: 0, "progressive": 0}
    for group in groups:
        for name, count in _judged(_there(decoder, group)).items():
            shown[name] += count
    order = max((TOP, BOTTOM), key=shown.__getitem__)
    fields = shown[TOP] + shown[BOTTOM]
    if said and not fields and not shown["progressive"]:
        return said_order(stream)  # nothing moves in what was looked at
    enough = fields >= (1 if said else _LEAST) and shown[order] >= _ALIKE * fields
    if not enough or fields <= shown["progressive"]:
        return None
    pairs = [pair for group in groups for pair in itertools.pairwise(_there(decoder, group))]
    moving, combed = map(sum, zip(*itertools.starmap(_combed, pairs), strict=True))
    return order if combed >= _COMBED * moving > 0 else None


def said_order(stream: VideoStream) -> str:
    """The field that comes first as far as the file says so, TOP where it does not."""
    return _SAID.get(stream.codec_context.field_order, TOP)


def refusal(name: str, order: str) -> StylebridgeError:
    """The sentence for an interlaced movie of which nothing was said."""
    return StylebridgeError(
        Code.BAD_VALUE,
        f"{name} is interlaced ({ORDERS[order]}): say whether whole frames are to be made of its fields (--deinterlace "
        "auto) or its frames taken as they are (--deinterlace off).",
        deinterlace=order,
    )


class Deinterlacer:
    """Whole frames of an interlaced movie, by number.

    Args:
        decoder: of the movie; stays the caller's.
        order: TOP or BOTTOM.
        last: number of the last frame.
        reader: of its pictures.
        name: what sentences call the movie.
    """

    def __init__(
        self, decoder: MovieDecoder, order: str, last: int, reader: PictureReader, name: str
    ) -> None:
        self._decoder, self._order, self._last = decoder, order, last
        self._reader, self._name = reader, name

    def picture(self, number: int) -> VideoFrame | None:
        """The frame; None where the file's data do not yield it."""
        around = range(max(0, number - 1), min(self._last, number + 1) + 1)
        pictures = {place: self._decoder.picture(place) for place in around}
        here = pictures[number]
        if here is None:
            return None
        there = [place for place in around if pictures[place] is not None]
        options = f"mode=send_frame:parity={self._order}:deint=all"
        made = list(_filtered([pictures[place] for place in there], "bwdif", options))
        whole = made[there.index(number)]
        # Packed pixels come out planar, as they are read anyway; nothing may be lost on the way.
        if self._reader.layout(whole) != self._reader.layout(here):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self._name} holds pixels that cannot be deinterlaced ({here.format.name}): convert it, or take its "
                "frames as they are (--deinterlace off).",
            )
        return whole


def _groups(index: MovieIndex) -> list[range]:
    """Frames in a row at a few places of a movie, from key packets on, which are decoded without any before them."""
    count = len(index.times)
    starts = [0]
    if index.ordered:
        keys = [index.number_at(int(index.pts[place])) for place in index.keys]
        numbers = [number for number in keys if number is not None]
        wanted = (round(count * k / _GROUPS) for k in range(1, _GROUPS))
        starts += [min(numbers, key=lambda number: abs(number - at)) for at in wanted if numbers]
    return [range(start, min(start + _EACH, count)) for start in sorted(set(starts))]


def _there(decoder: MovieDecoder, group: range) -> list[VideoFrame]:
    """The pictures of some frames, as far as they can be had."""
    return [one for one in map(decoder.picture, group) if one is not None]


def _judged(pictures: Sequence[VideoFrame]) -> dict[str, int]:
    """How many of the pictures show two moments, by the field that comes first, or one."""
    if len(pictures) < 2:
        return {}
    *_, last = _filtered(pictures, "idet", "")
    found = dict(last.metadata)
    names = (TOP, BOTTOM, "progressive")
    return {name: round(float(found.get(f"lavfi.idet.multiple.{name}", 0))) for name in names}


def _combed(before: VideoFrame, picture: VideoFrame) -> tuple[int, int]:
    """How many pixels change from one frame to the next, and at how many of them rows alternate."""
    earlier, rows = (one.reformat(format="gray").to_ndarray().astype(np.float32) for one in (before, picture))
    if len(rows) < 5:
        return 0, 0
    here = 2 * rows[2:-2]
    beside = np.abs(here - rows[1:-3] - rows[3:-1])
    beyond = np.abs(here - rows[:-4] - rows[4:])
    changed = np.abs(rows - earlier)[2:-2] > _APART
    return int(changed.sum()), int((changed & (beside > beyond + 2 * _APART)).sum())


def _filtered(pictures: Sequence[VideoFrame | None], name: str, options: str) -> Iterator[VideoFrame]:
    """What a filter of libavfilter makes of pictures in a row."""
    given = [picture for picture in pictures if picture is not None]
    first, graph = given[0], Graph()
    source = graph.add_buffer(width=first.width, height=first.height, format=first.format, time_base=_TICKS)
    step, sink = graph.add(name, options), graph.add("buffersink")
    source.link_to(step)
    step.link_to(sink)
    graph.configure()
    for picture in [*given, None]:
        graph.push(picture)
        while True:
            try:
                made = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            assert isinstance(made, VideoFrame)
            yield made
