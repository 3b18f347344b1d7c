"""Live pictures: a camera, a network stream, or a file in place of one. No range, no sound, no way back."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.container import InputContainer

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.files import readable_file
from stylebridge_server.media.limits import MAX_PIXELS, check_size
from stylebridge_server.media.movie_decoder import open_container, video_stream
from stylebridge_server.media.page import LivePage
from stylebridge_server.media.picture import PictureReader
from stylebridge_server.values import Frame, Pixels

__all__ = ["LivePage", "LiveSource", "is_live", "open_live"]

_STREAM = re.compile(r"(rtsp|rtsps|rtmp|rtmps|http|https|udp|tcp|srt)://", re.IGNORECASE)
_CAMERA = re.compile(r"camera:(.*)", re.IGNORECASE)
_PATIENCE = (10.0, 10.0)  # seconds to connect, and between pictures


def is_live(name: str) -> bool:
    """Whether a name means a camera (`camera:0`) or the address of a stream, rather than a file."""
    return bool(_CAMERA.fullmatch(name) or _STREAM.match(name))


def open_live(name: str) -> LiveSource:
    """Open a camera (`camera:0`), a stream (`rtsp://...`), or a movie file that plays at its own rate.

    Raises:
        StylebridgeError: NOT_FOUND where there is no such camera, file or stream.
    """
    if camera := _CAMERA.fullmatch(name):
        if not camera.group(1).isdecimal() or len(camera.group(1)) > 3:
            raise StylebridgeError(
                Code.BAD_VALUE, f"{name} is no camera; cameras are camera:0, camera:1 and so on."
            )
        return _Camera(name, int(camera.group(1)))
    if _STREAM.match(name):
        try:
            options = {"max_pixels": str(MAX_PIXELS)}
            return _Stream(name, av.open(name, options=options, timeout=_PATIENCE), paced=False)
        except (av.error.FFmpegError, OSError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise StylebridgeError(
                Code.NOT_FOUND, f"No stream answers at {name} ({reason}); check the address."
            ) from error
    return _Stream(name, open_container(readable_file(name)), paced=True)


class LiveSource(ABC):
    """An iterator of frames as they come, numbered from 0. Frames that nobody took in time may be lost."""

    name: str

    def __init__(self) -> None:
        self._closed = False
        self._reading = False

    def __iter__(self) -> Iterator[Frame]:
        self._reading = True
        try:
            for number, pixels in enumerate(self._pictures()):
                if self._closed:
                    return
                yield Frame(number, pixels)
                if self._closed:
                    return
        finally:
            self._reading = False
            self._release()

    def close(self) -> None:
        """End the iteration, also one that runs in another thread, and let go of the camera or stream."""
        self._closed = True
        if not self._reading:  # who reads lets go, lest it be taken away in the middle of a picture
            self._release()

    @abstractmethod
    def _pictures(self) -> Iterator[Pixels]: ...

    @abstractmethod
    def _release(self) -> None: ...

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Camera(LiveSource):
    def __init__(self, name: str, number: int) -> None:
        super().__init__()
        self.name = name
        level = cv2.utils.logging.setLogLevel(0)  # an absent camera is told by us, in one sentence
        try:
            self._capture = cv2.VideoCapture(number)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened():
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"There is no camera {number}; connect one, or name another (camera:0, camera:1).",
            )

    def _pictures(self) -> Iterator[Pixels]:
        while True:
            arrived, picture = self._capture.read()
            if not arrived:
                return
            yield np.ascontiguousarray(picture[..., ::-1])

    def _release(self) -> None:
        self._capture.release()


class _Stream(LiveSource):
    def __init__(self, name: str, container: InputContainer, paced: bool) -> None:
        super().__init__()
        self.name = name
        self._container = container
        self._paced = paced
        self._stream = video_stream(container, Path(name))
        check_size(name, self._stream.codec_context.width, self._stream.codec_context.height)

    def _pictures(self) -> Iterator[Pixels]:
        reader = PictureReader(self.name)
        started: tuple[float, float] | None = None
        try:
            for picture in self._container.decode(self._stream):
                if self._paced and picture.time is not None:
                    now = time.monotonic()
                    started = started or (now, picture.time)
                    time.sleep(max(0.0, picture.time - started[1] - (now - started[0])))
                yield reader.pixels(picture)
        except av.error.FFmpegError:
            return  # the stream broke off

    def _release(self) -> None:
        self._container.close()
