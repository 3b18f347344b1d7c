"""Proxies: a shot as if its plate had been shrunk by area averaging.

At scale n the pixel (x, y) of a proxy is the mean of the plate's pixels from (n x, n y) to (n x + n, n y + n), ends
excluded, as far as they lie in the picture: so the size is the plate's divided by n, rounded up. The mean is taken of
the values that the shot holds, as far as they are finite; straight alpha weighs the colours that it goes with. Mattes
are shrunk in the same way.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import cv2
import numpy as np

from stylebridge_server.shot.cache import key
from stylebridge_server.shot.shot import AnyShot
from stylebridge_server.shot.shown import Shown
from stylebridge_server.values import Frame, Pixels, Plane, SourceInfo, usual_alpha


class Proxy(Shown):
    """A shot seen at a scale.

    Args:
        shot: what it is made from; it stays the caller's.
        scale: 2 or more.

    Attributes:
        id: names contents, range and scale.
        scale: as given.
        info: what the source declares, with the proxy's size.
        encoding: as of the shot.
    """

    KEPT = 3  # as of a shot

    def __init__(self, shot: AnyShot, scale: int) -> None:
        self._shot, self.scale = shot, scale
        self._recent: OrderedDict[int, Frame] = OrderedDict()
        self.live = shot.live
        self.encoding = shot.encoding
        self.id = key("proxy", shot.id, scale)
        self.info = shrunk_info(shot.info, scale)

    def read(self, number: int) -> Frame:
        """The frame of that number, shrunk; raises as the shot does."""
        kept = None if self.live else self._recent.get(number)
        if kept is None:
            kept = Frame(number, shrink(self._shot.read(number).pixels, self.scale, self.info.alpha))
            self._recent[number] = kept
            while len(self._recent) > self.KEPT:
                self._recent.popitem(last=False)
        return kept

    def content(self, number: int) -> str:
        """A name for the contents of one frame, for cache keys, without reading it."""
        return key("proxy", self._shot.content(number), self.scale)


def shrunk_info(info: SourceInfo, scale: int) -> SourceInfo:
    """What a source declares, at a scale; a display window to the nearest whole pixels."""
    if scale == 1:
        return info
    display = None
    if info.display is not None:
        x0, y0, x1, y1 = (round(edge / scale) for edge in info.display)
        display = (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))
    return replace(info, width=-(-info.width // scale), height=-(-info.height // scale), display=display)


def shrink(pixels: Pixels, scale: int, kind: str | None = None) -> Pixels:
    """A picture shrunk by area averaging, as the module says.

    Args:
        pixels: (H, W, C), of any sample type.
        scale: 1 or more.
        kind: what the last of 2 or 4 channels is: "straight", "premultiplied" or "none"; None for the usual.

    Returns:
        (ceil(H / scale), ceil(W / scale), C) of the same type; integers are rounded to the nearest, halves to even.
    """
    if scale == 1:
        return pixels
    values = pixels.astype(np.float32)
    finite = np.asarray(np.isfinite(values).all(axis=-1))
    values[~finite] = 0
    plain: Pixels = _means(values, scale)
    whole = np.ones((1, 1, 1), np.float32)
    there = whole if finite.all() else _means(finite[..., None].astype(np.float32), scale)
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = np.where(there > 0, plain / there, plain)
        if (kind or usual_alpha(pixels.shape[2])) == "straight":
            weighed = _means(values[..., :-1] * values[..., -1:], scale)
            share = plain[..., -1:] * there
            plain[..., :-1] = np.where(share > 0, weighed / share, plain[..., :-1])
    if np.issubdtype(pixels.dtype, np.integer):
        np.rint(plain, out=plain)
    return plain.astype(pixels.dtype)


def shrink_matte(matte: Plane, scale: int) -> Plane:
    """A matte, (H, W) float32, shrunk in the same way."""
    return matte if scale == 1 else _means(matte[..., None], scale)[..., 0]


def _means(values: Pixels, scale: int) -> Pixels:
    """Means of blocks of (H, W, C) float32; those at the right and lower edge are of what there is of them."""
    height, width, channels = values.shape
    rows, columns = -(-height // scale), -(-width // scale)
    below, beside = rows * scale - height, columns * scale - width
    whole = cv2.copyMakeBorder(values, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=0)
    # Over whole multiples "area" is the mean of each block.
    means = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA).reshape(rows, columns, channels)
    means[-1] *= np.float32(scale / (scale - below))
    means[:, -1] *= np.float32(scale / (scale - beside))
    return means
