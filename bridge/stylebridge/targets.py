"""What a look tells the analysis: prompts that point at things, and mattes of things that are given."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """Points at one thing on one frame. Coordinates are normalised to the picture, origin top left.

    Attributes:
        name: what an instance is selected by. Prompts of one name on several frames point at the same thing.
        frame: the source's own frame number.
        box: (x0, y0, x1, y1) around the thing.
        points, not_points: (x, y) on the thing, and beside it.
        matte: path of a picture that is white where the thing is, in place of all else.
        scribbles, not_scribbles: strokes on the thing, and beside it: each the (x, y) that straight lines join.
    """

    name: str
    frame: int
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    not_points: tuple[tuple[float, float], ...] = ()
    matte: str | None = None
    scribbles: tuple[tuple[tuple[float, float], ...], ...] = ()
    not_scribbles: tuple[tuple[tuple[float, float], ...], ...] = ()

    def to_data(self) -> dict[str, Any]:
        """The table that this prompt was read from."""
        data: dict[str, Any] = {"name": self.name, "frame": self.frame}
        if self.box is not None:
            data["box"] = list(self.box)
        for name, points in (("points", self.points), ("not_points", self.not_points)):
            if points:
                data[name] = [list(point) for point in points]
        for name, strokes in (("scribbles", self.scribbles), ("not_scribbles", self.not_scribbles)):
            if strokes:
                data[name] = [[list(point) for point in stroke] for stroke in strokes]
        if self.matte is not None:
            data["matte"] = self.matte
        return data


@dataclass(frozen=True)
class Matte:
    """An instance whose matte is given for every frame.

    Attributes:
        name: what it is selected by.
        path: of a picture, or a pattern of pictures with the shot's frame numbers.
        channel: of the file; None for alpha, or where there is none the mean of the colours.
        cryptomatte: the name of a thing in a Cryptomatte; the channel is then which of the file's Cryptomattes.
        z: the greater lies on top; None for above all that is found.
    """

    name: str
    path: str
    channel: str | None = None
    cryptomatte: str | None = None
    z: int | None = None

    def to_data(self) -> dict[str, Any]:
        """The table that this matte was read from."""
        return {name: value for name, value in asdict(self).items() if value is not None}
