"""Where on the media of a strip a point of the sequencer's picture lies, and back. Pure maths.

Three coordinates, each for a point:

- *view*: of the preview region, in pixels of the scene's resolution, origin at the centre of the picture, y up: what
  `region.view2d.region_to_view` returns.
- *picture*: of the sequencer's picture, normalised to its size, origin top left, y down.
- *source*: of the strip's media before crop and transform, normalised to their size, origin top left, y down. Those of
  prompts and looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Geometry:
    """How a strip lays its media into the picture, at one frame.

    Attributes:
        picture: width and height of the sequencer's picture in pixels, at full resolution.
        media: width and height of the strip's media in pixels.
        offset: of the transform, in pixels of the picture, y up.
        scale, rotation: of the transform; radians, counterclockwise.
        origin: the point of the media about which they are scaled and turned, normalised, y up.
        crop: what is cut off left, right, at the bottom and at the top, in pixels of the media.
        flip: whether mirrored from left to right, and upside down; after all else, as Blender does.
        aspect: width of a pixel over its height.
    """

    picture: tuple[int, int]
    media: tuple[int, int]
    offset: Point = (0.0, 0.0)
    scale: Point = (1.0, 1.0)
    rotation: float = 0.0
    origin: Point = (0.5, 0.5)
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    flip: tuple[bool, bool] = (False, False)
    aspect: float = 1.0

    def to_picture(self, source: Point) -> Point:
        """Where a point of the media is shown, or would be where it is cropped off."""
        wide, high = self.media
        x, y = self._turned((source[0] - self.origin[0]) * wide, (1.0 - source[1] - self.origin[1]) * high)
        left, low = self._pivot()
        x, y = (x + left) / self.picture[0], 1.0 - (y + low) / self.picture[1]
        return (1.0 - x if self.flip[0] else x), (1.0 - y if self.flip[1] else y)

    def to_source(self, picture: Point) -> Point:
        """Which point of the media is shown there; beyond 0 to 1 where the media end before.

        Raises:
            ValueError: where the strip is scaled to nothing.
        """
        if not all(self.scale):
            raise ValueError("The strip is scaled to nothing.")
        x = 1.0 - picture[0] if self.flip[0] else picture[0]
        y = 1.0 - picture[1] if self.flip[1] else picture[1]
        left, low = self._pivot()
        x, y = x * self.picture[0] - left, (1.0 - y) * self.picture[1] - low
        cosine, sine = math.cos(self.rotation), math.sin(self.rotation)
        x, y = (cosine * x + sine * y) / self.scale[0], (cosine * y - sine * x) / self.scale[1]
        return x / self.media[0] + self.origin[0], 1.0 - (y / self.media[1] + self.origin[1])

    def shows(self, source: Point) -> bool:
        """Whether a point of the media is neither cropped off nor outside the picture."""
        left, right, bottom, top = self.crop
        wide, high = self.media
        inside = left <= source[0] * wide <= wide - right and top <= source[1] * high <= high - bottom
        x, y = self.to_picture(source)
        return inside and 0.0 <= x <= 1.0 and 0.0 <= y <= 1.0

    def from_view(self, view: Point) -> Point:
        """View to picture."""
        return 0.5 + view[0] / (self.picture[0] * self.aspect), 0.5 - view[1] / self.picture[1]

    def to_view(self, picture: Point) -> Point:
        """Picture to view."""
        return (picture[0] - 0.5) * self.picture[0] * self.aspect, (0.5 - picture[1]) * self.picture[1]

    def _turned(self, x: float, y: float) -> Point:
        x, y = x * self.scale[0], y * self.scale[1]
        cosine, sine = math.cos(self.rotation), math.sin(self.rotation)
        return cosine * x - sine * y, sine * x + cosine * y

    def _pivot(self) -> Point:
        """Where the origin of the media comes to lie, in pixels from the bottom left of the picture."""
        # Blender centres in whole pixels, rounded towards zero.
        left = int((self.picture[0] - self.media[0]) / 2) + self.offset[0] + self.media[0] * self.origin[0]
        low = int((self.picture[1] - self.media[1]) / 2) + self.offset[1] + self.media[1] * self.origin[1]
        return left, low


def box_around(points: list[Point]) -> Box:
    """The upright box that holds some points: left, top, right, bottom."""
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return min(xs), min(ys), max(xs), max(ys)


def corners(box: Box) -> list[Point]:
    """The four corners of a box."""
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
