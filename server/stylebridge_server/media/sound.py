"""Sound passed through untouched: packets are copied, never decoded."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.codecs import FORMATS
from stylebridge_server.media.movie_decoder import open_container


class SoundCopy:
    """Copies the packets of all sound streams in a span of time, shifted so that the span starts at 0.

    A packet belongs to the span in which it starts, so that the pieces of a movie cut into spans hold
    each packet exactly once. Packets before the first and after the last frame belong to the first and last.
    """

    def __init__(
        self,
        source: Path,
        target: OutputContainer,
        name: str,
        start: Fraction,
        whole_start: bool,
    ) -> None:
        """Add the streams to `target`, before anything is written to it.

        Args:
            source: the movie, or sound file, that the sound is taken from.
            name: what sentences call the file written.
            start: time in the source, in seconds, that becomes 0.
            whole_start: take also what sounds before `start`.
        """
        self._start, self._whole_start = start, whole_start
        self._container = open_container(source)
        self._streams: dict[int, Stream] = {}
        self._newest: dict[int, int] = {}  # time of the packet copied last, by stream
        for stream in self._container.streams:
            stream.discard = Discard.default if stream.type == "audio" else Discard.all
        for stream in self._container.streams.audio:
            _refuse_unless_held(stream, source, target, name)
            copy = target.add_stream_from_template(stream, opaque=True)
            copy.time_base = stream.time_base
            copy.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
            copy.disposition = stream.disposition
            self._streams[stream.index] = copy
        self._target = target
        self._packets = self._span()
        self._held: tuple[Fraction, Packet] | None = None

    @property
    def count(self) -> int:
        """Number of sound streams."""
        return len(self._streams)

    def copy_until(self, end: Fraction) -> None:
        """Copy what sounds before `end`, in seconds of the source."""
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

    def close(self) -> None:
        self._container.close()

    def _span(self) -> Iterator[tuple[Fraction, Packet]]:
        if not self._streams:
            return
        try:
            for packet in self._container.demux(self._container.streams.audio):
                stamp = packet.pts if packet.pts is not None else packet.dts
                if packet.size == 0 or packet.is_corrupt or stamp is None:
                    continue
                time = stamp * packet.time_base
                if self._whole_start or time >= self._start:
                    yield time, packet
        except av.error.FFmpegError:
            return  # a source that is cut off: what came before the end is copied

    def _copy(self, packet: Packet) -> None:
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


def _refuse_unless_held(stream: Stream, source: Path, target: OutputContainer, name: str) -> None:
    if stream.codec_context is None:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"The sound of {source} is in a codec that is not known and cannot be copied to {name}.",
        )
    codec = stream.codec_context.codec.canonical_name
    if codec in target.supported_codecs:
        return
    others = [
        ext for ext, form in FORMATS.items() if codec in av.open(io.BytesIO(), "w", form).supported_codecs
    ]
    raise StylebridgeError(
        Code.NOT_WRITABLE,
        f"{name} cannot hold the sound of {source} ({codec}); "
        f"write {' or '.join(others or ['.mkv'])} instead.",
        codec=codec,
    )
