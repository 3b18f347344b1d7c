"""Movies written frame by frame, with the source's sound, and moved into place when whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from stylebridge.errors import Code, StylebridgeError
from stylebridge.stamp import Record
from stylebridge_server.media.base import Sink
from stylebridge_server.media.codecs import FORMATS
from stylebridge_server.media.companions import COPY, Companions
from stylebridge_server.media.encoding import choose_encoding
from stylebridge_server.media.files import PartFile, not_writable, writable_place
from stylebridge_server.media.hdr import Hdr, with_hdr
from stylebridge_server.media.matroska import set_pixel_aspect
from stylebridge_server.media.notes import is_own
from stylebridge_server.media.picture import to_picture
from stylebridge_server.media.timecode import shifted_timecode
from stylebridge_server.values import Frame, SourceInfo

DEFAULT_RATE = Fraction(24)
"""Frames a second of a movie made from pictures that have no rate."""


class MovieSink(Sink):
    """Writes one movie; see `Sink`.

    Same rate, time base, frame times, pixel aspect, colour tags and metadata as the source; upright pixels,
    hence no rotation; timecode moved on to the first frame written.
    """

    def __init__(
        self,
        path: Path,
        like: SourceInfo,
        first: int,
        last: int,
        sound_from: Path | None,
        metadata: dict[str, str],
        lossless: bool,
        codec: str | None = None,
        sound: str = COPY,
    ) -> None:
        super().__init__(like, first, last)
        self.name = str(path)
        self._path = writable_place(path)
        self._encoding = choose_encoding(path, like, lossless, codec)
        self.lossless = self._encoding.written.lossless
        self.description, self.form = self._encoding.description, self._encoding.form
        self._metadata.update(metadata)
        self.left_out += like.tags.get("left_out", [])
        self._rate = like.rate or DEFAULT_RATE
        self._base: Fraction = like.tags.get("time_base") or 1 / self._rate
        self._companions: Companions | None = None
        self._part = PartFile(path)
        try:
            self._open(sound_from, sound)
        except BaseException:
            self.abort()
            raise

    def annotate(self, metadata: Mapping[str, str], record: Record) -> None:
        super().annotate(metadata, record)
        self._container.metadata.update(self.notes(record))  # the header is written with the first frame

    def _open(self, sound_from: Path | None, sound: str) -> None:
        options = {}
        if self._path.suffix.lower() in (".mp4", ".mov"):
            options["movflags"] = (
                "+faststart+use_metadata_tags"  # else only the few tags that it has names for
            )
        self._container = av.open(
            f"file:{self._part.path}", "w", FORMATS[self._path.suffix.lower()], container_options=options
        )
        given = self.like.tags.get("metadata", {}).items()
        kept = {key: value for key, value in given if key not in _OWN_TAGS and not is_own(key)}
        self._container.metadata.update(kept | self._metadata)
        self._stream = self._video_stream()
        if sound_from is not None:
            self._companions = Companions(
                sound_from,
                self._container,
                self.name,
                self._source_time(self.first),
                self.first == self.like.first,
                sound,
            )
            self._companions.add_chapters(self._source_time(self.last + 1), self.last == self.like.last)
            self.description = ", ".join([self.description, *self._companions.said])
            self.left_out += self._companions.left_out

    def _video_stream(self) -> Any:
        encoding, like = self._encoding, self.like
        os.environ.setdefault("SVT_LOG", "1")  # errors alone: SVT-AV1 writes to the terminal by itself
        options: dict[str, str] | None = encoding.options
        hdr = like.tags.get("hdr", Hdr())
        if hdr != Hdr():
            options = with_hdr(encoding.options, encoding.written.encoder, hdr)
            if options is None:
                self.left_out.append("HDR metadata (mastering display, light levels)")
        stream = self._container.add_stream(
            encoding.written.encoder, self._rate, options=options or encoding.options
        )
        context: Any = stream.codec_context
        context.width, context.height, context.pix_fmt = like.width, like.height, encoding.layout.format
        context.time_base = stream.time_base = self._base
        context.sample_aspect_ratio = like.pixel_aspect
        for name, value in encoding.color.items():
            setattr(context, name, value)
        if encoding.tag:
            context.codec_tag = encoding.tag
        if encoding.layout.alpha and encoding.written.name == "vp9":
            stream.metadata["alpha_mode"] = "1"
        if timecode := like.tags.get("timecode"):
            stream.metadata["timecode"] = shifted_timecode(timecode, self.first - like.first, self._rate)
        return stream

    def _write(self, frame: Frame) -> None:
        pixels = frame.pixels
        if pixels.dtype == np.uint8 and self._encoding.layout.coding.bits > 8:
            pixels = pixels.astype(np.uint16) * 257
        picture = to_picture(pixels, self._encoding.layout)
        for name, value in self._encoding.color.items():
            setattr(picture, name, value)
        picture.pts = self._stamp(frame.number) - self._stamp(self.first)
        picture.time_base = self._base
        picture.duration = self._stamp(frame.number + 1) - self._stamp(frame.number)
        self._mux(picture)

    def _mux(self, picture: VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                if self._companions is not None and packet.dts is not None:
                    self._companions.copy_until(self._source_time(self.first) + packet.dts * packet.time_base)
                self._container.mux_one(packet)
        except av.error.FFmpegError as error:
            raise self._failed(error) from error

    def _finish(self) -> None:
        try:
            self._mux(None)
            if self._companions is not None:
                self._companions.finish(self._source_time(self.next), whole_end=self.next > self.like.last)
            self._container.close()
            self._close_companions()
            self._set_aspect()
            self._part.keep()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        finally:
            self._part.discard()

    def _set_aspect(self) -> None:
        aspect, told = self.like.pixel_aspect, self._path.suffix.lower() not in (".mkv", ".webm")
        if aspect != 1 and not (told or set_pixel_aspect(self._part.path, aspect)):
            self.left_out.append(f"the pixel aspect {aspect.numerator}:{aspect.denominator}")

    def _failed(self, error: Exception) -> StylebridgeError:
        if isinstance(error, OSError):
            return not_writable(self._path, error)
        return StylebridgeError(
            Code.NOT_WRITABLE, f"{self.name} could not be encoded ({self._encoding.description}): {error}."
        )

    def _abort(self) -> None:
        with contextlib.suppress(OSError):  # first, so that closing does not tidy up what goes anyway
            self._part.discard()
        try:
            if container := getattr(self, "_container", None):
                container.close()
        except (av.error.FFmpegError, OSError, ValueError):
            pass  # what could not be written is removed anyway
        finally:
            self._close_companions()
            self._part.discard()

    def _close_companions(self) -> None:
        if self._companions is not None:
            self._companions.close()

    def _stamp(self, number: int) -> int:
        """Time at which a frame is shown, in units of the time base from the source's first frame."""
        index = number - self.like.first
        times = self.like.tags.get("times")
        if times is None:
            return round(index / self._rate / self._base)
        if index < len(times):
            return int(times[index])
        return int(times[-1]) + int(self.like.tags["duration_last"])

    def _source_time(self, number: int) -> Fraction:
        """The same in seconds of the source."""
        return Fraction(self.like.tags.get("start", 0)) + self._stamp(number) * self._base


# Written by the container itself.
_OWN_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
