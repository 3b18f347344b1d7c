"""Random access to the pictures of a movie: seek to a key packet, decode forward, remember the place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from stylebridge.errors import Code, StylebridgeError

from stylebridge_server.media.limits import MAX_PIXELS
from stylebridge_server.media.movie_index import MovieIndex

# Containers only: playlists and the like would open other files and addresses.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mxf,ogg,flv,asf,gif,nut,ivf,h264,hevc,m4v"
_THREADS = min(os.cpu_count() or 1, 8)
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


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


class MovieDecoder:
    """Decodes the picture of any frame number, counted from 0; reading in order never seeks."""

    def __init__(self, path: Path, index: MovieIndex) -> None:
        self._path = path
        self._index = index
        self._container: InputContainer | None = None
        self._last: tuple[int, VideoFrame] | None = None  # what was decoded last, and its number
        self._fed = 0  # position of the packet after the ones given to the decoder
        self._pictures: Iterator[VideoFrame] = iter(())
        self._restart()

    def picture(self, number: int) -> VideoFrame | None:
        """The decoded picture of a frame; None where the file's data do not yield it."""
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        if not self._index.ordered:
            return self._counted(number)
        time = int(self._index.times[number])
        key = self._index.key_before(time, len(self._index.pts))
        if self._last is not None and self._last[0] < number:
            near = number - self._last[0] <= _NEAR or key < self._fed
            if near and (picture := self._forward_to(number)) is not None:
                return picture
        while True:  # an earlier key where decoding from this one does not yield the frame
            self._seek(key)
            picture = self._forward_to(number)
            if picture is not None or key == 0:
                return picture
            key = self._index.key_before(time, key)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = None

    def _counted(self, number: int) -> VideoFrame | None:
        """For movies without usable times: decode from the start, and count."""
        if self._last is not None and self._last[0] > number:
            self._restart()
        for picture in self._pictures:
            count = 0 if self._last is None else self._last[0] + 1
            self._last = (count, picture)
            if count == number:
                return picture
        return None

    def _forward_to(self, number: int) -> VideoFrame | None:
        for picture in self._pictures:
            shown = None if picture.pts is None else self._index.number_at(picture.pts)
            if shown is None:
                continue
            self._last = (shown, picture)
            if shown == number:
                return picture
            if shown > number:
                return None
        return None

    def _restart(self) -> None:
        self.close()
        self._container = open_container(self._path)
        self._stream = video_stream(self._container, self._path)
        self._stream.thread_type = "AUTO"
        self._stream.thread_count = _THREADS
        self._begin(self._container.demux(self._stream), 0)

    def _begin(self, packets: Iterator[Packet[VideoStream]], fed: int) -> None:
        self._last = None
        self._fed = fed
        self._pictures = self._decode(packets)

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

    def _decode(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame]:
        try:
            for packet in packets:
                self._fed += 1
                if packet.is_corrupt:
                    continue
                try:
                    pictures = packet.decode()
                except av.error.FFmpegError:
                    continue  # damaged: the frames that this loses are missed by number
                yield from pictures
        except av.error.FFmpegError:  # reading failed: what the decoder still holds is good
            yield from self._stream.decode(None)
