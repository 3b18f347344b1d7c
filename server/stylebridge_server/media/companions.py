"""What goes with the pictures of a movie: sound and subtitles, packet by packet, and chapters."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.codecs import FORMATS
from stylebridge_server.media.movie_decoder import open_container
from stylebridge_server.media.sound import SoundEncoder, encoded_as

COPY, ENCODE, NONE = SOUNDS = ("copy", "encode", "none")
"""What can become of the sound: copied, encoded where the movie cannot hold it as it is, or left out."""


class Companions:
    """Takes sound and subtitles in a span of time along, shifted so that the span starts at 0; and the chapters.

    A packet belongs to the span in which it starts, so that the pieces of a movie cut into spans hold
    each packet exactly once. Packets before the first and after the last frame belong to the first and last.

    Attributes:
        said: what goes along, for people: "1 sound stream copied".
        left_out: what does not.
    """

    def __init__(
        self,
        source: Path,
        target: OutputContainer,
        name: str,
        start: Fraction,
        whole_start: bool,
        sound: str = COPY,
    ) -> None:
        """Add the streams to `target`, before anything is written to it.

        Args:
            source: the movie, or sound file, that they are taken from.
            name: what sentences call the file written, with its ending.
            start: time in the source, in seconds, that becomes 0.
            whole_start: take also what sounds before `start`.
            sound: one of `SOUNDS`.

        Raises:
            StylebridgeError: NOT_WRITABLE for sound that the movie cannot hold and that is to be copied.
        """
        self._start, self._whole_start = start, whole_start
        self._container = open_container(source)
        self._target = target
        self._streams: dict[int, Stream] = {}
        self._encoders: dict[int, SoundEncoder] = {}
        self._newest: dict[int, int] = {}  # time of the packet copied last, by stream
        self.said: list[str] = []
        self.left_out: list[str] = []
        for stream in self._container.streams:
            stream.discard = Discard.all
        ending = Path(name).suffix.lower()
        if sound != NONE:
            self._add_sound(source, name, ending, sound)
        self._add_subtitles(ending)
        self._left_out_of_the_rest()
        self._packets = self._span()
        self._held: tuple[Fraction, Packet] | None = None

    def _add_sound(self, source: Path, name: str, ending: str, sound: str) -> None:
        copied = 0
        for stream in self._container.streams.audio:
            if _is_held(stream, ending):
                self._copy_stream(stream)
                copied += 1
            elif sound == ENCODE and stream.codec_context is not None:
                encoder = SoundEncoder(stream, self._target, ending, self._start)
                self._encoders[stream.index] = encoder
                self._take(stream, encoder.stream)
            else:
                raise _refusal(stream, source, name, ending)
        for count, what in ((copied, "copied"), (len(self._encoders), f"encoded as {encoded_as(ending)}")):
            if count:
                self.said.append(f"{count} sound {_plural('stream', count)} {what}")

    def _add_subtitles(self, ending: str) -> None:
        copied, lacking = 0, []
        chapters = len(self._container.chapters())
        for stream in self._container.streams.subtitles:
            if chapters and stream.name == "mov_text" and stream.frames == chapters:
                continue  # QuickTime's way to write chapters
            if _is_held(stream, ending):
                self._copy_stream(stream)
                copied += 1
            else:
                lacking.append(_codec(stream) if stream.codec_context else "unknown")
        if copied:
            self.said.append(f"{copied} subtitle {_plural('stream', copied)} copied")
        if lacking:
            self.left_out.append(
                f"{len(lacking)} subtitle {_plural('stream', len(lacking))} ({', '.join(lacking)})"
            )

    def _copy_stream(self, stream: Stream) -> None:
        copy = self._target.add_stream_from_template(stream, opaque=True)
        copy.time_base = stream.time_base
        self._take(stream, copy)

    def _take(self, stream: Stream, copy: Stream) -> None:
        stream.discard = Discard.default
        copy.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
        copy.disposition = stream.disposition
        self._streams[stream.index] = copy

    def _left_out_of_the_rest(self) -> None:
        streams = self._container.streams
        more = [s for s in streams.video if not s.disposition & Disposition.attached_pic][1:]
        covers = [s for s in streams.video if s.disposition & Disposition.attached_pic]
        # Timecode and chapters are written anew.
        chapters = len(self._container.chapters())
        data = [s for s in streams.data if "timecode" not in s.metadata and not 0 < s.frames == chapters]
        for found, what in (
            (more, "further video stream"),
            (covers, "cover picture"),
            (data, "data stream"),
            (streams.attachments, "attachment"),
        ):
            if found:
                self.left_out.append(f"{len(found)} {_plural(what, len(found))}")

    def add_chapters(self, end: Fraction, whole_end: bool) -> None:
        """Give the movie the chapters of the span, whose `end` is in seconds of the source."""
        kept = list(_chapters(self._container, self._start, None if whole_end else end))
        if kept:
            self._target.set_chapters(kept)  # type: ignore[arg-type]

    def copy_until(self, end: Fraction) -> None:
        """Copy what begins before `end`, in seconds of the source."""
        while (timed := self._held or next(self._packets, None)) is not None:
            self._held = timed
            if timed[0] >= end:
                return
            self._copy(timed[1])
            self._held = None

    def finish(self, end: Fraction, whole_end: bool) -> None:
        """Copy the rest: what starts before `end`, or, for the `whole_end`, all there is."""
        self.copy_until(end)
        # Streams are not interleaved to the packet: another stream's may still start before the end.
        while (timed := self._held or next(self._packets, None)) is not None:
            self._held = None
            if whole_end or timed[0] < end:
                self._copy(timed[1])
            elif timed[0] > end + _INTERLEAVING:
                break
        for encoder in self._encoders.values():
            for packet in encoder.finish():
                self._target.mux_one(packet)

    def close(self) -> None:
        self._container.close()

    def _span(self) -> Iterator[tuple[Fraction, Packet]]:
        if not self._streams:
            return
        try:
            for packet in self._container.demux([self._container.streams[index] for index in self._streams]):
                stamp = packet.pts if packet.pts is not None else packet.dts
                if packet.size == 0 or packet.is_corrupt or stamp is None:
                    continue
                time = stamp * packet.time_base
                if self._whole_start or time >= self._start:
                    yield time, packet
        except av.error.FFmpegError:
            return  # a source that is cut off: what came before the end is copied

    def _copy(self, packet: Packet) -> None:
        encoder = self._encoders.get(packet.stream.index)
        if encoder is not None:
            for encoded in encoder.encode(packet):
                self._target.mux_one(encoded)
            return
        shift = round(self._start / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        stream = self._streams[packet.stream.index]
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None or time < self._newest.get(stream.index, time):
            return  # only where the source is damaged: no container takes packets that go back in time
        self._newest[stream.index] = time
        packet.stream = stream
        with contextlib.suppress(
            av.error.InvalidDataError
        ):  # a damaged packet that the container cannot frame
            self._target.mux_one(packet)


_INTERLEAVING = Fraction(10)  # seconds by which streams of one file may lie apart in it


def _is_held(stream: Stream, ending: str) -> bool:
    return stream.codec_context is not None and _codec(stream) in _held(ending)


@lru_cache
def _held(ending: str) -> frozenset[str]:
    """The codecs that a movie of that ending holds, as FFmpeg names them."""
    with av.open(io.BytesIO(), "w", FORMATS[ending]) as container:
        return frozenset(container.supported_codecs) - _NOT_WRITTEN.get(ending, frozenset())


# FFmpeg says that QuickTime holds them, and writes them into MP4 only.
_NOT_WRITTEN = {".mov": frozenset(("opus", "flac", "truehd"))}


def _codec(stream: Stream) -> str:
    return str(stream.codec_context.codec.canonical_name)


def _refusal(stream: Stream, source: Path, name: str, ending: str) -> StylebridgeError:
    if stream.codec_context is None:
        return StylebridgeError(
            Code.NOT_WRITABLE,
            f"The sound of {source} is in a codec that is not known and cannot be copied to {name}: --sound none "
            "leaves it out.",
        )
    codec = _codec(stream)
    others = [other for other in FORMATS if codec in _held(other)]
    return StylebridgeError(
        Code.NOT_WRITABLE,
        f"{name} cannot hold the sound of {source} ({codec}): --sound encode writes it as {encoded_as(ending)}, "
        f"--sound none leaves it out; or write {' or '.join(others or ['.mkv'])} instead.",
        codec=codec,
    )


def _chapters(container: InputContainer, start: Fraction, end: Fraction | None) -> Iterator[dict[str, Any]]:
    """The chapters that a span touches, from its start."""
    for chapter in container.chapters():
        base = Fraction(chapter["time_base"] or 1)
        first = max(chapter["start"] * base - start, Fraction(0))
        last = (chapter["end"] * base if end is None else min(chapter["end"] * base, end)) - start
        if first < last:
            yield {**chapter, "start": round(first / base), "end": round(last / base)}


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
