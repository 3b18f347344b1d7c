"""Sound that a movie cannot hold as it is, encoded anew."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

# What a movie's sound is encoded as: FFmpeg's encoder, what people call it, bits a second for two channels.
_ENCODERS = {
    ".mp4": ("aac", "AAC", 256_000),
    ".mov": ("pcm_s24le", "24-bit PCM", 0),
    ".mkv": ("flac", "FLAC", 0),
    ".webm": ("libopus", "Opus", 192_000),
}
_RATES = {"aac": 96_000, "libopus": 48_000}  # the highest; Opus has only that


def encoded_as(ending: str) -> str:
    """What people call the codec that sound is encoded with for a movie of that ending."""
    return _ENCODERS[ending][1]


class SoundEncoder:
    """Decodes one stream of sound and encodes it into another movie.

    Args:
        source: the stream; its packets are given one by one.
        target: gets a stream, before anything is written to it.
        ending: of the movie.
        start: time in the source, in seconds, that becomes 0.
    """

    def __init__(self, source: AudioStream, target: OutputContainer, ending: str, start: Fraction) -> None:
        codec, _, bits = _ENCODERS[ending]
        context = source.codec_context
        rate = 48_000 if codec == "libopus" else min(context.sample_rate, _RATES.get(codec, 1 << 30))
        self._source, self._start = source, start
        stream: Any = target.add_stream(codec, rate, layout=context.layout.name)
        self._stream = stream
        if bits:
            stream.bit_rate = bits * max(1, context.layout.nb_channels) // 2

    @property
    def stream(self) -> AudioStream:
        """The stream that is written."""
        stream: AudioStream = self._stream
        return stream

    def encode(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]:
        """What there is to write after a packet; damaged ones are silent."""
        try:
            frames = self._source.codec_context.decode(packet)
        except av.error.FFmpegError:
            return
        for frame in frames:
            if frame.pts is None or frame.time_base is None:
                continue
            frame.pts = round((frame.pts * frame.time_base - self._start) * frame.sample_rate)
            frame.time_base = Fraction(1, frame.sample_rate)
            yield from self._stream.encode(frame)

    def finish(self) -> Iterator[Packet[AudioStream]]:
        """The rest."""
        yield from self._stream.encode(None)
