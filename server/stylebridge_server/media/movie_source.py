"""Movies as a source: exact frame numbers, rate, size and tags, and how far a cut-off file can be read."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.base import Source
from stylebridge_server.media.files import content_hash, readable_file, state_of
from stylebridge_server.media.hdr import not_carried, read_hdr
from stylebridge_server.media.limits import check_size
from stylebridge_server.media.movie_decoder import MovieDecoder, open_container, video_stream
from stylebridge_server.media.movie_index import MovieIndex, constant_rate, index_movie
from stylebridge_server.media.picture import PictureReader
from stylebridge_server.values import Frame, SourceInfo


class MovieSource(Source):
    """A movie file. Frame numbers count from 0 in the order of showing.

    `info.tags` holds what `movie_sink` needs to write the same kind of movie:
        path, codec, profile, pixel_format, bits, sampling ("420"), metadata, timecode,
        color_range, colorspace, color_primaries, color_trc: as FFmpeg and H.273 number them,
        time_base, start: seconds at which frame 0 is shown,
        rotation, mirrored: degrees clockwise that were applied to the pixels, after mirroring,
        hdr: `hdr.Hdr`; left_out: what pictures hold besides and is never written again, for people,
        duration_last: of the last frame, in units of time_base,
        times: where the rate varies, when each frame is shown, in units of time_base from the first.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self._path = readable_file(path)
        self._opened = state_of(self._path)
        with open_container(self._path) as container:
            stream = video_stream(container, self._path)
            check_size(self.name, stream.codec_context.width, stream.codec_context.height)
            sound = len(container.streams.audio)
            metadata = dict(container.metadata)
            declared, index = _declared_packets(stream), index_movie(container, stream)
            rate, constant = constant_rate(index, stream)
            declared = declared or _declared_by_duration(stream, container.duration, sound, index, rate)
            self._describe(stream, index, rate)
        if len(index.times) == 0:
            raise StylebridgeError(Code.NOT_READABLE, f"{self.name} holds no frames.")
        self._decoder = MovieDecoder(self._path, index)
        centred = self._tags["codec"] == "mjpeg"
        self._reader = PictureReader(self.name, centred)
        picture = self._decoder.picture(0)
        if picture is None:
            raise StylebridgeError(
                Code.NOT_READABLE, f"{self.name} is damaged: not even its first frame decodes."
            )
        if not index.ordered:
            index = self._count_by_decoding(index)
            declared, constant = None, True
        self.readable_last = len(index.times) - 1
        missing = max((declared or 0) - index.packets, 0)
        if missing:
            self.readable_last = int((index.times <= index.complete_until).sum()) - 1
        if not constant:
            self._tags["times"] = (index.times - index.times[0]).tolist()
        self._tags["metadata"] = metadata
        self.info = self._info(picture, len(index.times) - 1 + missing, rate, sound)

    def read(self, number: int) -> Frame:
        self.check_number(number)
        picture = self._decoder.picture(number)
        if picture is None:
            raise self.ends_early(number)
        pixels = self._reader.pixels(picture)
        info = self.info
        if pixels.shape != (info.height, info.width, info.channels) or pixels.dtype != info.dtype:
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self.name} changes at frame {number} from {info.width}x{info.height} to "
                f"{pixels.shape[1]}x{pixels.shape[0]} or in its pixel format; cut it there.",
                frame=number,
            )
        return Frame(number, pixels)

    def content_hash(self) -> str:
        return content_hash(self._path)

    def changed(self, number: int | None = None) -> bool:
        return state_of(self._path) != self._opened

    def close(self) -> None:
        self._decoder.close()

    def _describe(self, stream: VideoStream, index: MovieIndex, rate: Fraction) -> None:
        base = stream.time_base or 1 / rate
        self._pixel_aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        self._tags: dict[str, object] = {
            "path": str(self._path.resolve()),
            "codec": stream.codec_context.codec.canonical_name,
            "profile": stream.profile,
            "time_base": base,
            "start": int(index.times[0]) * base if len(index.times) else Fraction(0),
            "duration_last": index.last_duration or round(1 / rate / base),
            "timecode": _timecode(stream),
            "color_range": int(stream.codec_context.color_range),
            "colorspace": int(stream.codec_context.colorspace),
            "color_primaries": int(stream.codec_context.color_primaries),
            "color_trc": int(stream.codec_context.color_trc),
        }

    def _info(self, picture: VideoFrame, last: int, rate: Fraction, sound: int) -> SourceInfo:
        layout, turn = self._reader.layout(picture), self._reader.orientation(picture)
        width, height, aspect = picture.width, picture.height, self._pixel_aspect
        if turn.transposed:
            width, height, aspect = height, width, 1 / aspect
        coding = layout.coding
        sampling = {(True, True): "420", (True, False): "422"}.get(
            (coding.half_width, coding.half_height), "444"
        )
        side_data = self._reader.side_data(picture)
        self._tags |= {
            "hdr": read_hdr(side_data),
            "left_out": not_carried(side_data),
            "pixel_format": picture.format.name,
            "bits": coding.bits,
            "sampling": sampling,
            "color_range": 2 if coding.full else 1,
            "rotation": turn.rotation,
            "mirrored": turn.mirrored,
        }
        return SourceInfo(
            kind="movie",
            width=width,
            height=height,
            first=0,
            last=last,
            channels=layout.channels,
            dtype=layout.dtype,
            rate=rate,
            pixel_aspect=aspect,
            sound=sound,
            tags=self._tags,
        )

    def _count_by_decoding(self, index: MovieIndex) -> MovieIndex:
        """Packets do not say their times (raw streams, some AVI): the frames are counted by decoding once."""
        count = 1
        while self._decoder.picture(count) is not None:
            count += 1
        return dataclasses.replace(index, times=index.times[:1].repeat(count))


def _timecode(stream: VideoStream) -> str | None:
    """Of the pictures, or of the whole file; Matroska writes names in capitals."""
    told = {**stream.container.metadata, **stream.metadata}
    return next((text for name, text in told.items() if name.lower() == "timecode"), None)


def _declared_packets(stream: VideoStream) -> int | None:
    """Number of packets that the header promises, where it does (MP4, MOV, AVI)."""
    return stream.frames or None


def _declared_by_duration(
    stream: VideoStream, duration: int | None, sound: int, index: MovieIndex, rate: Fraction
) -> int | None:
    """Number of packets that the header's duration implies (Matroska), where it speaks of the pictures."""
    seconds: float | None = None
    tag = next((value for key, value in stream.metadata.items() if key.upper().startswith("DURATION")), None)
    if tag is not None and tag.count(":") == 2:
        hours, minutes, rest = tag.split(":")
        try:
            seconds = int(hours) * 3600 + int(minutes) * 60 + float(rest)
        except ValueError:
            seconds = None
    elif duration is not None and not sound and stream.container.format.name.startswith("matroska"):
        seconds = duration / 1_000_000
    if seconds is None:
        return None
    implied = round(seconds * rate)
    return implied if implied > index.packets + 1 else None
