"""Small movies and pictures, made on the spot."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def colours(count: int, width: int, height: int, seed: int = 0, dtype: str = "uint8") -> NDArray[Any]:
    """(count, H, W, 3): soft moving gradients that lossy codecs keep closely; each frame is different."""
    top = np.iinfo(dtype).max
    y, x = np.mgrid[0:height, 0:width] / max(width, height, 2)
    frames = []
    for number in range(count):
        phase = seed + number * 0.31
        planes = [0.5 + 0.4 * np.sin(3 * x + 2 * y * (c + 1) + phase + 2.1 * c) for c in range(3)]
        frames.append(np.stack(planes, -1) * top)
    return np.stack(frames).astype(dtype)


def make_movie(
    path: Path,
    count: int = 12,
    size: tuple[int, int] = (64, 48),
    rate: Fraction = Fraction(30000, 1001),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    sound: tuple[str, ...] = (),
    rotation: int = 0,
    times: list[int] | None = None,
    time_base: Fraction | None = None,
    color: dict[str, int] | None = None,
    aspect: Fraction | None = None,
    metadata: dict[str, str] | None = None,
    timecode: str | None = None,
) -> Path:
    """A movie of `colours`, with tones in the sound codecs named; `times` in `time_base` vary the rate."""
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        if time_base:
            stream.codec_context.time_base = time_base
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for name, value in (color or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        if timecode:
            stream.metadata["timecode"] = timecode
        tones = [_Tone(container, name, 440 * (n + 1)) for n, name in enumerate(sound)]
        seconds = Fraction(times[-1]) * time_base + 1 / rate if times and time_base else count / rate
        for number, picture in enumerate(colours(count, *size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = time_base or 1 / rate
            frame.pts = times[number] if times else number
            container.mux(stream.encode(frame))
            for tone in tones:
                tone.advance(frame.pts * frame.time_base)
        container.mux(stream.encode(None))
        for tone in tones:
            tone.finish(seconds)
    return path


class _Tone:
    def __init__(self, container: Any, codec: str, pitch: float) -> None:
        self._container = container
        self._rate = 48000
        self._stream = container.add_stream(codec, rate=self._rate)
        self._pitch = pitch
        self._at = 0

    def advance(self, seconds: Fraction) -> None:
        while Fraction(self._at, self._rate) < seconds:
            self._one()

    def finish(self, seconds: Fraction) -> None:
        self.advance(seconds)
        self._container.mux(self._stream.encode(None))

    def _one(self) -> None:
        context = self._stream.codec_context
        size = 960 if context.name == "libopus" else 1024
        phase = 2 * math.pi * self._pitch * (self._at + np.arange(size)) / self._rate
        samples = (0.3 * np.sin(phase)).astype(np.float32)
        if context.format.name == "s16":
            data = (np.repeat(samples, 2) * 32767).astype(np.int16)[None]
        elif context.format.name == "flt":
            data = np.repeat(samples, 2)[None]
        else:
            data = np.stack([samples, samples])
        form = context.format.name if context.format.name in ("s16", "flt") else "fltp"
        frame = av.AudioFrame.from_ndarray(data, format=form, layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._at, Fraction(1, self._rate)
        self._container.mux(self._stream.encode(frame))
        self._at += size


def sound_packets(path: Path) -> list[list[tuple[Fraction, bytes]]]:
    """For every sound stream its packets: time in seconds and payload."""
    with av.open(str(path)) as container:
        streams = container.streams.audio
        found: list[list[tuple[Fraction, bytes]]] = [[] for _ in streams]
        for packet in container.demux(streams) if streams else ():
            if packet.size:
                order = [s.index for s in streams].index(packet.stream.index)
                found[order].append((packet.pts * packet.time_base, bytes(packet)))
        return found


def all_frames(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame of a movie decoded in order by nothing of ours: luma plane only."""
    with av.open(str(path)) as container:
        return [np.array(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def frame_times(path: Path) -> list[Fraction]:
    """Presentation times of the frames, in seconds, in order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sorted(p.pts * p.time_base for p in container.demux(stream) if p.size)
