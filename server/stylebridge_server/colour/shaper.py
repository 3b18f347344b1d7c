"""Between scene-linear light and the pictures that networks know: there by a curve, back by what the curve took.

There: a pixel whose greatest channel n is over 1/2 is made darker as a whole, so that n becomes T(n) < 1; its hue and
its saturation stay. What lies under 0 (colours outside Rec.709) is left out. Then sRGB's transfer function. Up to 1/2,
mid grey included, that is just how a display shows the plate.

    T(n) = n                             n <= 1/2
           1 - 1 / (2 sqrt(4 n - 1))     n >  1/2, with the same slope at 1/2, and 1 only at infinity

Back: what was painted is light again, and each pixel gets back from its own source what the way there took of it: the
exposure n / T(n), and what lay outside the gamut, as far as the painted colour is still the source's. So nothing is
lost where nothing was painted, and a highlight stays one. A pixel over 1 stays over 1, and becomes darker by
less than a stop: where the paint is darker it is brightened to `floor`, which rises over almost two stops so that no
edge shows where it begins.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import Plane, Rgb

_F = NDArray[np.float32]

KNEE = 0.5
#: Up to here a pixel may become as dark as any paint.
FREE = 0.3
#: So many times brighter paint may become where it is too dark for a highlight; beyond, the source's light is added.
_BRIGHTER = 4
#: Of what a highlight has over 1, so much is left however dark it is painted.
_LEFT = 0.55
#: A change under two codes of the 16 bits that streams are kept with is none.
_STILL = 1.0 / 65535.0
# What is this dark has no hue to compare (linear light).
_DARK = 0.01


def tone(n: Plane) -> Plane:
    """T(n) for the greatest channel n of each pixel, linear light."""
    bright = np.maximum(n, np.float32(KNEE))
    with np.errstate(over="ignore"):
        return np.where(n <= KNEE, n, 1 - 0.5 / np.sqrt(4 * bright - 1)).astype(np.float32)


def floor(n: Plane) -> Plane:
    """The least greatest channel that a painted pixel comes back with, for the n that it had: 0 up to `FREE`, never
    more than n, 1 at 1, and over a half of n above."""
    t = np.clip(1 - np.log2(np.maximum(n, np.float32(FREE))) / np.float32(np.log2(FREE)), 0, 1)
    over = np.maximum(n - 1, 0)
    above = 1 + _LEFT * over + (1 - _LEFT) * over / (1 + over)
    return np.where(n < 1, n * t * t * (3 - 2 * t), above).astype(np.float32)


def compress(linear: Rgb) -> Rgb:
    """The picture that networks see.

    Args:
        linear: (h, w, 3) float32, scene-linear Rec.709, any finite values.

    Returns:
        (h, w, 3) float32 display-referred sRGB in [0, 1]: new memory.
    """
    shown = np.maximum(linear, 0)
    n = _greatest(shown)
    if n.size and n.max() > KNEE:
        scale(shown, np.float32(1) / _gain(n))
    return encode(shown)


def expand(painted: Rgb, seen: Rgb, linear: Rgb) -> Rgb:
    """What was painted over a picture as scene-linear light.

    Args:
        painted: (h, w, 3) float32 display-referred sRGB in [0, 1].
        seen: what it was painted over, as `compress` made it of `linear`.
        linear: (h, w, 3) float32, scene-linear Rec.709.

    Returns:
        (h, w, 3) float32, scene-linear Rec.709: new memory.
    """
    light = decode(painted)
    inside = np.maximum(linear, 0)
    n = _greatest(inside)
    outside = _least(linear) < 0
    rest = None
    if outside.any():
        rest = (linear - inside)[outside] * _likeness(light[outside], decode(seen[outside]))[:, None]
    if n.size and n.max() > FREE:
        scale(light, _gain(n))
        _lift(light, inside, n)
    if rest is not None:
        light[outside] += rest
    return light


def settled(painted: Rgb, seen: Rgb) -> tuple[Rgb, NDArray[np.bool_]]:
    """The paint with all changes smaller by what rounding can make: none is none, and no step where one begins; and
    (h, w) where nothing was painted at all."""
    change = painted - seen
    size = np.abs(change)
    size -= np.float32(_STILL)
    np.maximum(size, 0, out=size)
    still = np.asarray(_greatest(size) == 0)
    np.copysign(size, change, out=change)
    change += seen
    return np.clip(change, 0, 1, out=change), still


def scale(values: _F, factors: Plane) -> None:
    """Multiplies the channels of every pixel, in place."""
    cv2.multiply(values, cv2.merge((factors, factors, factors)), dst=values)


def decode(shown: Rgb) -> Rgb:
    """sRGB to linear light (IEC 61966-2-1), for values in [0, 1]."""
    light = cv2.pow((shown + np.float32(0.055)) * np.float32(1 / 1.055), 2.4)
    dark = shown <= 0.04045
    np.multiply(shown, np.float32(1 / 12.92), out=light, where=dark)
    return light


def encode(light: Rgb) -> Rgb:
    """Linear light in [0, 1] to sRGB."""
    shown = cv2.pow(light, 1 / 2.4)
    shown *= np.float32(1.055)
    shown -= np.float32(0.055)
    np.multiply(light, np.float32(12.92), out=shown, where=light <= 0.0031308)
    return np.clip(shown, 0, 1, out=shown)


def _gain(n: Plane) -> Plane:
    return np.where(n > KNEE, n / np.maximum(tone(n), np.float32(KNEE)), np.float32(1))


def _lift(light: Rgb, source: Rgb, n: Plane) -> None:
    """Brighten what is under the floor until any channel reaches it: the paint, then with the source's own colour.

    Around the floor paint turns into it smoothly, over a width that leaves alone what is as bright as the source.
    """
    most, least = _greatest(light), floor(n)
    width = np.minimum(least, n - least)
    bend = np.maximum(width - np.abs(most - least), 0)
    wanted = np.maximum(most, least) + bend * bend / np.maximum(4 * width, np.float32(1e-9))
    factor = wanted / np.maximum(most, np.float32(1e-9))
    scale(light, np.minimum(factor, _BRIGHTER))
    short = factor > _BRIGHTER
    if not short.any():
        return
    paint = light[short]
    colours = source[short] / n[short][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(colours > 0, (wanted[short][:, None] - paint) / colours, np.float32(np.inf))
    light[short] = paint + np.maximum(_least(each), 0)[:, None] * colours


def _likeness(painted: _F, seen: _F) -> _F:
    """How much of what was outside the gamut a painted colour gets back: all where it is the source's, less where it is
    darker, none where it is another hue."""
    most, before = _greatest(painted) + np.float32(_DARK), _greatest(seen) + np.float32(_DARK)
    other = _greatest(np.abs(painted / most[:, None] - seen / before[:, None]))
    like = np.maximum(1 - 2 * other, 0)
    return np.asarray(np.minimum(most / before, 1) * like * like)


def _greatest(values: _F) -> _F:
    return np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])


def _least(values: _F) -> _F:
    return np.minimum(np.minimum(values[..., 0], values[..., 1]), values[..., 2])
