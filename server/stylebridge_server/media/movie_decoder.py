"""Random access to the pictures of a movie: seek to a key packet, decode forward, remember the place."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, cast

import av
from av.codec import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.limits import MAX_PIXELS
from stylebridge_server.media.movie_index import MovieIndex
from stylebridge_server.steps import step

# Containers only: playlists and the like would open other files and addresses.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mxf,ogg,flv,asf,gif,nut,ivf,h264,hevc,m4v"
_THREADS = min(os.cpu_count() or 1, 8)
_ATTEMPTS = 3  # key packets tried for a frame: gradual refreshes need the one before the last
_KEPT, _KEPT_BYTES = 32, 192 << 20  # decoded pictures kept, and what they may take
_NEAR = 8  # frames: nearer ones are decoded on the way rather than sought


def open_container(path: Path) -> InputContainer:
    """The file as a container of streams; refuses what is no movie in a sentence."""
    try:
        return av.open(
            f"file:{path}",
            options={"max_pixels": str(MAX_PIXELS)},
            container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{path} is not a movie that can be read ({_reason(error)}); check that it is whole "
            "and plays elsewhere.",
        ) from error


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures, cover art not counted; everything else is skipped in reading."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams or streams[0].codec_context is None:
        what = (
            "holds no moving pictures" if not streams else "holds pictures in a codec that cannot be decoded"
        )
        raise StylebridgeError(Code.NOT_READABLE, f"{path} {what}.")
    for stream in container.streams:
        stream.discard = Discard.default if stream.index == streams[0].index else Discard.all
    return streams[0]


def alpha_decoder(stream: VideoStream) -> VideoCodecContext | None:
    """A fresh decoder that also yields the alpha beside VP8 and VP9, which the usual ones pass over."""
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
    if tags.get("alpha_mode") != "1" or name is None:
        return None
    decoder: Any = CodecContext.create(name, "r")
    return cast(VideoCodecContext, decoder)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


class MovieDecoder:
    """Decodes the picture of any frame number, counted from 0; reading in order never seeks.

    The pictures decoded last are kept, as many as fit a fixed amount of memory: who steps backwards, or looks
    a few frames back at every step, does not decode a whole group of pictures each time.
    """

    def __init__(self, path: Path, index: MovieIndex) -> None:
        self._path = path
        self._index = index
        self._container: InputContainer | None = None
        self._kept: OrderedDict[int, VideoFrame] = OrderedDict()
        self._place: int | None = None  # number of the frame that the decoder gave last
        self._fed = 0  # position of the packet after the ones given to the decoder
        self._pictures: Iterator[VideoFrame] = iter(())
        self._restart()

    def picture(self, number: int) -> VideoFrame | None:
        """The decoded picture of a frame; None where the file's data do not yield it."""
        if number in self._kept:
            return self._kept[number]
        if not self._index.ordered:
            return self._counted(number)
        time = int(self._index.times[number])
        key = self._index.key_before(time, len(self._index.pts))
        if self._place is not None and self._place < number:
            near = number - self._place <= _NEAR or key < self._fed
            if near and (picture := self._forward_to(number)) is not None:
                return picture
        for _ in range(_ATTEMPTS):
            self._seek(key)
            picture = self._forward_to(number)
            if picture is not None or key == 0:
                return picture
            key = self._index.key_before(time, key)  # it takes more to decode this frame: an earlier key
        return None

    def close(self) -> None:
        self._kept.clear()
        self._pictures = iter(())
        if self._container is not None:
            self._container.close()
        self._container = None

    def _counted(self, number: int) -> VideoFrame | None:
        """For movies without usable times: decode from the start, and count."""
        if self._place is not None and self._place >= number:
            self._restart()
        for picture in self._pictures:
            count = 0 if self._place is None else self._place + 1
            self._keep(count, picture)
            if count == number:
                return picture
        return None

    def _forward_to(self, number: int) -> VideoFrame | None:
        for picture in self._pictures:
            shown = None if picture.pts is None else self._index.number_at(picture.pts)
            if shown is None:
                continue
            self._keep(shown, picture)
            if shown == number:
                return picture
            if shown > number:
                return None
        return None

    def _keep(self, number: int, picture: VideoFrame) -> None:
        self._place = number
        self._kept[number] = picture
        self._kept.move_to_end(number)
        size = sum(plane.buffer_size for plane in picture.planes)
        while len(self._kept) > max(2, min(_KEPT, _KEPT_BYTES // size)):
            self._kept.popitem(last=False)
        step()  # all is whole here: nothing is lost where it ends

    def _restart(self) -> None:
        self.close()
        self._container = open_container(self._path)
        self._stream = video_stream(self._container, self._path)
        self._stream.thread_type = "AUTO"
        self._stream.thread_count = _THREADS
        self._begin(self._container.demux(self._stream), 0)

    def _begin(self, packets: Iterator[Packet[VideoStream]], fed: int) -> None:
        self._place = None
        self._fed = fed
        self._pictures = self._decode(packets, alpha_decoder(self._stream) or self._stream.codec_context)

    def _seek(self, key: int) -> None:
        """Place the reader so that the packet at position `key` is the next one decoded."""
        aim = key
        while aim > 0:
            assert self._container is not None
            try:
                self._container.seek(int(self._index.pts[aim]), stream=self._stream, backward=True)
            except av.error.FFmpegError:
                break
            if self._skip_to(key):
                return
            aim = self._index.key_before(int(self._index.pts[aim]), aim)  # it landed behind: aim earlier
        self._restart()
        if key > 0:
            assert self._container is not None
            self._skip_to(key)

    def _skip_to(self, key: int) -> bool:
        """Pass over packets up to the one at position `key`; False where the reader is already beyond it."""
        assert self._container is not None
        packets = self._container.demux(self._stream)
        for packet in packets:
            position = None if packet.pts is None else self._index.position_of(packet.pts)
            if packet.size == 0 or (position is not None and position > key):
                return False
            if position == key:
                self._begin(chain([packet], packets), key)
                return True
        return False

    def _decode(
        self, packets: Iterator[Packet[VideoStream]], codec: VideoCodecContext
    ) -> Iterator[VideoFrame]:
        try:
            for packet in packets:
                self._fed += 1
                if packet.is_corrupt:
                    continue
                try:
                    pictures = codec.decode(packet if packet.size else None)
                except av.error.FFmpegError:
                    continue  # damaged: the frames that this loses are missed by number
                yield from pictures
        except av.error.FFmpegError:  # reading failed: what the decoder still holds is good
            yield from codec.decode(None)
