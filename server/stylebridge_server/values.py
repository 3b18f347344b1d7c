"""The typed values that pass between the rooms. The rooms know these and not one another.

Arrays are numpy, C-contiguous, rows top-down, channels last, RGB order. Frame numbers are the source's own:
the file's number in a sequence, 0-based in a movie. Positions are pixels, x to the right, y down, the centre of
the top left pixel at (0, 0), unless a docstring says normalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]  # (H, W, C), uint8 | uint16 | float16 | float32
Rgb = NDArray[np.float32]  # (H, W, 3), display-referred sRGB, nominally [0, 1]
Plane = NDArray[np.float32]  # (H, W)
Rgb8 = NDArray[np.uint8]  # (H, W, 3), display-referred sRGB
Stroke = tuple[tuple[float, float], ...]  # (x, y) normalised to the picture, joined by straight lines


@dataclass(frozen=True)
class Frame:
    """One decoded picture, exactly as the source holds it.

    Attributes:
        number: the source's own frame number.
        pixels: (H, W, C) in the source's dtype; C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).
    """

    number: int
    pixels: Pixels

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


@dataclass(frozen=True)
class SourceInfo:
    """What a source declares about itself.

    Attributes:
        kind: "movie", "sequence", "still" or "frames" (pushed by a host).
        width, height: pixels, after rotation.
        first, last: the declared range, inclusive, in the source's own numbers.
        channels: 1, 2, 3 or 4, as in `Frame.pixels`.
        dtype: "uint8", "uint16", "float16" or "float32".
        whole: the source's own range, where first to last is only the part of it that was given; else None.
        rate: frames a second; None for a still.
        pixel_aspect: width of a pixel over its height.
        sound: number of sound streams.
        colour: the colour space of the pixels: "srgb" (display-referred), or a name that colour/ knows ("linear",
            "acescg", ...).
        alpha: what the last of 2 or 4 channels is: "straight", "premultiplied", or "none" where it is no alpha; ""
            stands for the usual, "straight" with 2 or 4 channels and "none" with 1 or 3.
        display: of files that know a display window (OpenEXR), where it lies in the picture: x0, y0, x1, y1 in pixels,
            ends excluded; it may reach beyond the picture, or be smaller. None where the picture is what is shown.
        tags: what a sink needs to write the same kind of file (codec, pixel format, colour tags, time base);
            only the media room reads it.
    """

    kind: str
    width: int
    height: int
    first: int
    last: int
    channels: int = 3
    dtype: str = "uint8"
    rate: Fraction | None = None
    pixel_aspect: Fraction = Fraction(1)
    sound: int = 0
    colour: str = "srgb"
    alpha: str = ""
    display: tuple[int, int, int, int] | None = None
    whole: tuple[int, int] | None = None
    tags: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.alpha:
            object.__setattr__(self, "alpha", usual_alpha(self.channels))

    @property
    def count(self) -> int:
        """Number of frames in the declared range."""
        return self.last - self.first + 1


def usual_alpha(channels: int) -> str:
    """What `SourceInfo.alpha` is where nothing else is said."""
    return "straight" if channels in (2, 4) else "none"


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture: columns x0 to x1 and rows y0 to y1, ends excluded."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an (H, W, ...) array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def overlaps(self, x0: int, y0: int, x1: int, y1: int) -> bool:
        """Whether the box (ends excluded) shares a pixel with this tile."""
        return self.x0 < x1 and x0 < self.x1 and self.y0 < y1 and y0 < self.y1


@dataclass(frozen=True)
class FlowPair:
    """Optical flow between two pictures a and b of one size, both ways.

    Attributes:
        forward: (h, w, 2) float32 pixels (x, y): what a shows at p, b shows at p + forward[p].
        backward: (h, w, 2) float32, the same from b to a.
        forward_valid: (h, w) float32 in [0, 1]: 1 where a's pixel is seen in b, falling to 0 where it is
            occluded, leaves the picture or lies on a motion boundary.
        backward_valid: (h, w) float32, the same for b's pixels in a.
    """

    forward: NDArray[np.float32]
    backward: NDArray[np.float32]
    forward_valid: Plane
    backward_valid: Plane

    @property
    def reversed(self) -> FlowPair:
        """The same flow seen from b."""
        return FlowPair(self.backward, self.forward, self.backward_valid, self.forward_valid)

    @property
    def nbytes(self) -> int:
        arrays = (self.forward, self.backward, self.forward_valid, self.backward_valid)
        return sum(array.nbytes for array in arrays)


class Motion(NamedTuple):
    """How a renderer says that a frame's picture moves.

    Attributes:
        following: (H, W, 2) float32 pixels (x, y): what the frame shows at p the next one shows at p + following[p].
            Not finite where it is not known.
        previous: the same to the frame before.
    """

    following: NDArray[np.float32]
    previous: NDArray[np.float32]


@dataclass(frozen=True)
class GivenFlow:
    """The motion of every frame of a shot, as the user brings it.

    Attributes:
        content: names all its files.
        contents: names what the file of a frame holds, by the frame's number.
        read: gives a frame's motion at the shot's size.
    """

    content: str
    contents: Callable[[int], str]
    read: Callable[[int], Motion]


@dataclass(frozen=True)
class Prompt:
    """Points at one thing on one frame. Coordinates are normalised to the picture, origin top left.

    Attributes:
        name: what looks select the instance by. Several prompts of one name point at the same thing.
        frame: the source's own frame number.
        points, not_points: (x, y) on the thing, and beside it.
        box: (x0, y0, x1, y1) around the thing.
        matte: (H, W) uint8, 0 to 255, in place of points, box and scribbles.
        scribbles, not_scribbles: strokes drawn on the thing, and beside it: each the (x, y) that straight lines join,
            one or more.
    """

    name: str
    frame: int
    points: tuple[tuple[float, float], ...] = ()
    not_points: tuple[tuple[float, float], ...] = ()
    box: tuple[float, float, float, float] | None = None
    matte: NDArray[np.uint8] | None = None
    scribbles: tuple[Stroke, ...] = ()
    not_scribbles: tuple[Stroke, ...] = ()


@dataclass(frozen=True)
class GivenMatte:
    """A matte that the user brings for every frame of a shot.

    Attributes:
        name: what looks select its instance by.
        z: of the instance; None for above all that the segmenter finds, later ones above earlier ones.
        content: names what all its frames hold.
        read: gives (H, W) uint8 of the shot's size by frame number, 255 where the thing covers the pixel.
    """

    name: str
    z: int | None
    content: str
    read: Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Instance:
    """A thing that keeps its id for the whole shot.

    Attributes:
        id: 1 and up; 0 is the background.
        name: the prompt's name, or label and ordinal ("person:1"), or "thing:1" where nothing is known.
        label: the segmenter's class, where it has one.
        colour: 8-bit RGB of overlays and lists.
        z: higher lies on top where mattes overlap.
        first, last: first and last frame on which its matte is not empty.
        area: mean share of the picture covered on those frames, in (0, 1].
    """

    id: int
    name: str
    label: str | None
    colour: tuple[int, int, int]
    z: int
    first: int
    last: int
    area: float
