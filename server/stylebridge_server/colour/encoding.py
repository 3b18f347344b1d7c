"""How the pixels of a shot are to be read: their colour space and their alpha. The way to what networks see, and back.

Networks, flow and segmenters see display-referred sRGB in [0, 1], unpremultiplied, without holes. What they paint goes
back into the shot's own space at the composite, pixel by pixel, with the source's own pixel at hand.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import ALPHAS
from stylebridge.wording import suggestion
from stylebridge_server.colour import shaper
from stylebridge_server.colour.config import USUAL, Config, find
from stylebridge_server.colour.fill import fill
from stylebridge_server.colour.working import to_working
from stylebridge_server.steps import step
from stylebridge_server.values import Pixels, Plane, Rgb, SourceInfo, usual_alpha

DISPLAY = "srgb"
# Rows at a time: what is held beside the pictures themselves does not grow with them.
_ROWS = 64

_Known = NDArray[np.bool_]


@dataclass(frozen=True)
class Encoding:
    """How pixels are to be read.

    Attributes:
        colour: "srgb", or the config's own name of the space.
        alpha: "none", "straight" or "premultiplied".
        id: names all this for cache keys; None for the plainest, "srgb" without alpha, whose values are what networks
            see.
    """

    colour: str = DISPLAY
    alpha: str = "none"
    id: str | None = None
    _trip: tuple[Any, Any] = field(default=(None, None), repr=False, compare=False)

    def display(self, pixels: Pixels) -> Rgb:
        """What networks see of a picture.

        Args:
            pixels: (H, W, C), uint8, uint16, float16 or float32; C is 1 (grey), 2 (grey, alpha), 3 or 4.

        Returns:
            (H, W, 3) float32 display-referred sRGB, in [0, 1]. Where alpha is 0, and where a value is not finite, it is
            filled from around.
        """
        if self.id is None and np.issubdtype(pixels.dtype, np.integer):
            return to_working(pixels)
        shown = np.empty((*pixels.shape[:2], 3), np.float32)
        known = np.empty(pixels.shape[:2], bool)
        for rows in _rows(pixels):
            own, known[rows], _ = self._own(pixels[rows])
            shown[rows] = self._seen(own, known[rows])
        return fill(shown, known)

    def back(self, painted: Rgb, seen: Rgb, pixels: Pixels) -> Rgb:
        """What was painted over a picture, in the picture's own space: S of the composite's formula.

        Where nothing was painted, and where the picture has no colour to paint over (see `display`), it is the
        picture's own value.

        Args:
            painted: (H, W, 3) float32 display-referred sRGB in [0, 1].
            seen: what it was painted over, from `display`.
            pixels: the picture.

        Returns:
            (H, W, 3) float32, white at 1, premultiplied where the picture is.
        """
        if self.id is None and np.issubdtype(pixels.dtype, np.integer):
            return painted
        result = np.empty(painted.shape, np.float32)
        for rows in _rows(pixels):
            result[rows] = self._back(painted[rows], seen[rows], pixels[rows])
        return result

    @staticmethod
    def lost(pixels: Pixels) -> int:
        """How many pixels hold a value, alpha included, that is not finite."""
        return int(np.count_nonzero(~_finite(pixels)))

    def _back(self, painted: Rgb, seen: Rgb, pixels: Pixels) -> Rgb:
        own, known, alpha = self._own(pixels)
        # Integers in sRGB are painted as they are: their codes are coarser than what is settled.
        coarse = self.colour == DISPLAY and np.issubdtype(pixels.dtype, np.integer)
        settled, unchanged = shaper.settled(painted, seen)
        if coarse:
            settled = painted
        with np.errstate(invalid="ignore", over="ignore"):
            if self.colour == DISPLAY:
                # What a display cannot show comes back as it was.
                made = settled + (own - np.clip(own, 0, 1))
            else:
                made = self._from_linear(shaper.expand(settled, seen, self._to_linear(own)))
            unchanged |= ~_finite(made)
            np.copyto(made, own, where=unchanged[..., None])
            if self.alpha == "premultiplied":
                shaper.scale(made, alpha)
        if not known.all():
            np.copyto(made, to_working(pixels), where=~known[..., None])
        return made

    def _own(self, pixels: Pixels) -> tuple[Rgb, _Known, Plane]:
        """The colours in the picture's own space, unpremultiplied, 0 where there is none; where there is one; alpha."""
        own = to_working(pixels)
        known = _finite(pixels)
        alpha = np.ones(known.shape, np.float32)
        if self.alpha != "none":
            alpha = pixels[..., -1].astype(np.float32)
            if np.issubdtype(pixels.dtype, np.integer):
                alpha /= np.float32(np.iinfo(pixels.dtype).max)
            known &= alpha > 0
        if self.alpha == "premultiplied":
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                shaper.scale(own, np.float32(1) / alpha)
            known &= _finite(own)
        if not known.all():
            own[~known] = 0
        return own, known, alpha

    def _seen(self, own: Rgb, known: _Known) -> Rgb:
        if self.colour == DISPLAY:
            return np.clip(own, 0, 1)
        linear = self._to_linear(own)
        known &= _finite(linear)
        if not known.all():
            linear[~known] = 0
        return shaper.compress(linear)

    def _to_linear(self, own: Rgb) -> Rgb:
        linear = own.copy()
        if self._trip[0] is not None:
            self._trip[0].applyRGB(linear)
        return linear

    def _from_linear(self, linear: Rgb) -> Rgb:
        if self._trip[1] is not None:
            self._trip[1].applyRGB(linear)
        return linear


def encode(
    colour: str = DISPLAY, alpha: str | None = None, channels: int = 3, config: Config | None = None
) -> Encoding:
    """How pixels are read that somebody calls so.

    Args:
        colour: "srgb", or a name, alias or role of the config.
        alpha: "none", "straight" or "premultiplied"; None for the usual.
        channels: of the pixels.
        config: OpenColorIO's; None for its own ACES configs, the one with cameras' spaces last.

    Raises:
        StylebridgeError: bad_value.
    """
    alpha = alpha or usual_alpha(channels)
    if alpha not in ALPHAS:
        raise StylebridgeError(
            Code.BAD_VALUE, f"There is no alpha {alpha[:60]!r}: {suggestion(alpha, ALPHAS)}"
        )
    if alpha != "none" and channels not in (2, 4):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f'Pictures of {channels} channel{"s" if channels > 1 else ""} cannot have the alpha "{alpha}": '
            'declare "none".',
        )
    if colour.lower() == DISPLAY:
        return Encoding(DISPLAY, alpha, None if alpha == "none" else f"{DISPLAY} {alpha}")
    if config is not None:
        found, space = find(colour, (config,))
        return Encoding(space, alpha, f"{found.id} {space} {alpha}", found.trip(space))
    return _usual(colour, alpha)


def encode_declared(info: SourceInfo, alpha: str | None = None, config: Config | None = None) -> Encoding:
    """How the pixels of a source are read that says itself in which space they are.

    Args:
        info: of the source. What the config does not know is looked up in OpenColorIO's own.
        alpha: in place of the source's; None for that.
        config: as for `encode`.

    Raises:
        StylebridgeError: bad_value.
    """
    known = config is not None and config.find(info.colour) is not None
    try:
        return encode(info.colour, alpha or info.alpha, info.channels, config if known else None)
    except StylebridgeError as error:
        if info.colour == DISPLAY or alpha is not None:
            raise
        raise StylebridgeError(
            error.code,
            f"The source says that its colour space is {info.colour[:60]!r}: say which it is with --colour. "
            f"{error.message}",
        ) from None


@functools.lru_cache(maxsize=64)
def _usual(colour: str, alpha: str) -> Encoding:
    found, space = find(colour, tuple(_built_in(name) for name in USUAL))
    return Encoding(space, alpha, f"{found.id} {space} {alpha}", found.trip(space))


@functools.lru_cache(maxsize=8)
def _built_in(name: str) -> Config:
    return Config.built_in(name)


def _finite(pixels: Pixels) -> _Known:
    if np.issubdtype(pixels.dtype, np.integer):
        return np.ones(pixels.shape[:2], bool)
    # Half floats cannot reach beyond floats, which are quicker to ask.
    finite = np.isfinite(pixels.astype(np.float32, copy=False))
    known = finite[..., 0]
    for channel in range(1, pixels.shape[2]):
        known = known & finite[..., channel]
    return np.asarray(known)


def _rows(pixels: Pixels) -> Iterator[slice]:
    for top in range(0, pixels.shape[0], _ROWS):
        step()
        yield slice(top, top + _ROWS)
