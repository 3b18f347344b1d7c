"""What networks, flow and segmenters see of a shot's frames."""

from __future__ import annotations

import numpy as np

from stylebridge_server import colour
from stylebridge_server.values import Frame, Rgb, Rgb8


class Shown:
    """A shot's frames as display-referred pictures; every kind of shot is one.

    Attributes:
        encoding: how its pixels are read.
        overwritten: whether the source was found to be another now.
    """

    encoding: colour.Encoding
    overwritten = False
    #: Pictures kept: the frame at hand, and the one that the window has reached.
    SHOWN = 2
    _shown: tuple[tuple[str, Rgb], ...] = ()

    def read(self, number: int) -> Frame:
        """The frame as it is."""
        raise NotImplementedError

    def content(self, number: int) -> str:
        """A name for the contents of one frame and how they are read."""
        raise NotImplementedError

    def check_current(self, number: int | None = None) -> None:
        """Refuse to go on where the source changed since it was opened; frames that a client pushed cannot."""

    def display(self, number: int) -> Rgb:
        """(H, W, 3) float32 display-referred sRGB of a frame: see `colour.Encoding.display`. Not to be written to.

        Raises:
            StylebridgeError: as `read` does.
        """
        if self.encoding.id is None:
            return self.encoding.display(self.read(number).pixels)
        name = self.content(number)
        for kept, picture in self._shown:
            if kept == name:
                return picture
        self._shown = self._shown[-(self.SHOWN - 1) :]  # before the next one is made
        self._shown += ((name, self.encoding.display(self.read(number).pixels)),)
        return self._shown[-1][1]

    def display8(self, frame: Frame) -> Rgb8:
        """The same in 8 bits, of a frame that was read: what analyses look at."""
        return as_rgb8(frame, self.encoding)


def as_rgb8(frame: Frame, encoding: colour.Encoding | None = None) -> Rgb8:
    """(H, W, 3) uint8 of any frame, for analyses and for people.

    Args:
        encoding: how it is read; None for plain sRGB, whose alpha is dropped and whose floats are clipped to [0, 1].
    """
    pixels = frame.pixels
    if (encoding is None or encoding.id is None) and pixels.dtype == np.uint8 and pixels.shape[-1] >= 3:
        return np.ascontiguousarray(pixels[..., :3])
    return colour.from_working((encoding or colour.Encoding()).display(pixels), np.dtype(np.uint8))
