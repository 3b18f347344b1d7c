"""A plate: what of a strip is styled, how the client opens it, and which of its frames is shown when. No bpy here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .._bridge.stylebridge.client import Client, Shot
from .._bridge.stylebridge.errors import Code, StylebridgeError
from .._bridge.stylebridge.pattern import Pattern, parse_pattern
from .gather import gather
from .work import Work


@dataclass
class Plate:
    """The pictures of a strip, before styling. Plain data.

    Attributes:
        label: the media's name, for sentences and folders.
        key: the name of all that its pixels depend on; another key is another picture.
        frames: (timeline frame, source frame number) for each visible frame of the strip, in order. Numbers may repeat
            (a still, a held end).
        start: timeline frame of the content's first frame, before trims.
        rate: frames per second of the timeline.
        placed: whether these are the sequencer's own pictures, in the scene's resolution with transform, crop and
            grading applied, instead of the media's.
        size: width and height; (0, 0) where only the file knows.
        why: why Blender renders it; "" where the media are read as they are.
        path: what the client opens: a movie, a picture or the pattern of a sequence.
        files: paths of pictures by number, which are first put together under `path`; None for none.
        work: what has Blender render the pictures of `path`; None where they are the media.
        colour, alpha: of the pixels, as the client is told; "" for what the files usually are.
        colour_space: Blender's name of the colour space of the pixels, which files that come back get.
        alpha_mode: Blender's name of how colour and alpha belong together in files that come back.
        transparent: whether some pixels may be; known once it was opened, None before.
    """

    label: str
    key: str
    frames: list[tuple[int, int]]
    start: int
    rate: float
    placed: bool
    size: tuple[int, int]
    why: str
    path: str
    files: dict[int, str] | None = None
    work: Work | None = None
    colour: str = ""
    alpha: str = ""
    colour_space: str = "sRGB"
    alpha_mode: str = "STRAIGHT"
    transparent: bool | None = field(default=None, compare=False)

    def open(self, client: Client, job: Any) -> Shot:
        """Makes the pictures that have to be made and opens the shot. For a worker thread.

        Args:
            job: with `step()`, `progress(done, total, stage)` and `on_cancel(function)`.

        Raises:
            StylebridgeError: what the client raises; cancelled; `NOT_READABLE` where Blender cannot render the strip,
                or where a movie cannot be read frame by frame as Blender does.
        """
        if self.work is not None:
            self.work.make(job)
        if self.files is not None:
            gather(self.files, pattern_of(self.path), job.step)
        told = {name: value for name, value in (("colour", self.colour), ("alpha", self.alpha)) if value}
        # A strip that is deinterlaced is rendered by Blender; any other shows its movie's frames as they are.
        told["deinterlace"] = "off"
        shot = client.open_shot(
            self.path, **told, progress=lambda at: job.progress(at.done, at.total, at.stage)
        )
        self.transparent = self.work.transparent if self.work else shot.info["channels"] in (2, 4)
        self._fit(shot)
        return shot

    def discard(self) -> None:
        """Lets go of what was prepared for a plate that will not be opened."""
        if self.work is not None:
            self.work.discard_copy()

    def _fit(self, shot: Shot) -> None:
        """Holds the last frame where the server finds fewer than Blender, who counts some movies by their duration.

        Raises:
            StylebridgeError: `NOT_READABLE` where far fewer are there, or they are shown for different times: Blender
                then goes by the clock. And where they have another size: what comes back would not lie over the strip.
        """
        size = (shot.info["width"], shot.info["height"])
        if self.size not in ((0, 0), size):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self.label} is {self.size[0]} x {self.size[1]} in Blender, but its file says {size[0]} x {size[1]} "
                "(turned, or with a data window): put the strip into a meta strip, which Blender renders.",
            )
        self.size = size
        first, last = shot.info["first"], shot.info["last"]
        beyond = sum(number > last for _, number in self.frames)
        if shot.info.get("steady") is False and self.work is None:
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self.label} has a varying frame rate, of which Blender repeats and leaves out frames: put the strip "
                "into a meta strip, which Blender renders, or convert it to a constant frame rate.",
            )
        if beyond > max(2, len(self.frames) // 50) or any(number < first for _, number in self.frames):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self.label} has the frames {first} to {last} for the server, but Blender shows "
                f"{self.frames[0][1]} to {self.frames[-1][1]} of it: put the strip into a meta strip, which Blender "
                "renders, or convert it to a constant frame rate.",
            )
        self.frames[:] = [(frame, min(number, last)) for frame, number in self.frames]


def pattern_of(path: str) -> Pattern:
    """The pattern that a plate's own path is."""
    pattern = parse_pattern(path)
    assert pattern is not None
    return pattern
