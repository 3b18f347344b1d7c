"""A video of what a styled clip does over time: its pictures above, below them how each differs from the next one after
motion is taken out. Flicker and boiling shine there, and what moves as the source does stays black.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import media
from stylebridge_server.temporal import warped_difference
from stylebridge_server.values import FlowPair, Frame, Rgb8, SourceInfo

GAIN = 6  # differences are shown so many times as bright
_LINES = 360  # short side of one picture
_BAR = 26  # pixels of a caption
_PAPER, _INK, _HIDDEN = (24, 25, 28), (236, 236, 232), (40, 41, 46)


class Difference:
    """Writes the video, a frame for each of the clip's. A context manager: leaving it finishes the file.

    Args:
        path: a movie.
        names: of the clips, from left to right.
        size: (width, height) of their pictures; at most 360 lines are shown.
        count: frames.
        rate: frames a second.

    Raises:
        StylebridgeError: NOT_WRITABLE, BAD_VALUE.
    """

    def __init__(
        self, path: Path, names: Sequence[str], size: tuple[int, int], count: int, rate: Fraction | None
    ) -> None:
        if path.suffix.lower() not in media.MOVIES:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{path} is no movie: a video of differences ends in {', '.join(media.MOVIES)}.",
            )
        scale = min(1.0, _LINES / min(size))
        # Even sides, which every codec takes.
        self._size = tuple(max(2, round(side * scale / 2) * 2) for side in size)
        width, height = self._size
        self._captions = [_caption(width, name) for name in names]
        self._captions += [_caption(width, f"{name}: change to the next frame x{GAIN}") for name in names]
        like = SourceInfo(
            "movie",
            width * len(names),
            2 * (height + _BAR),
            0,
            count - 1,
            rate=rate or Fraction(24),
        )
        self._sink = media.open_sink(path, like, 0, count - 1)

    def __enter__(self) -> Difference:
        return self

    def __exit__(self, *error: object) -> None:
        self._sink.__exit__(*error)  # type: ignore[arg-type]

    def add(self, pictures: Sequence[Rgb8], following: Sequence[Rgb8] | None, pair: FlowPair | None) -> None:
        """The next frame.

        Args:
            pictures: of the clips, (h, w, 3) uint8 of one size.
            following: their next pictures; None where there are none, or a scene ends.
            pair: the source's flow between the two.
        """
        above = [self._fitted(one) for one in pictures]
        below = [np.full_like(one, _HIDDEN) for one in above]
        if following is not None and pair is not None:
            changes = [warped_difference(a, b, pair) for a, b in zip(pictures, following, strict=True)]
            hidden = pair.forward_valid[..., None] < 0.5
            shown = [
                np.where(hidden, np.array(_HIDDEN, np.float32), change * 255 * GAIN) for change in changes
            ]
            below = [self._fitted(np.clip(one, 0, 255).astype(np.uint8)) for one in shown]
        columns = zip(self._captions, [*above, *below], strict=True)
        stacked = [np.vstack(column) for column in columns]
        half = len(stacked) // 2
        page = np.vstack([np.hstack(stacked[:half]), np.hstack(stacked[half:])])
        self._sink.write(Frame(self._sink.next, np.ascontiguousarray(page)))

    def _fitted(self, picture: Rgb8) -> Rgb8:
        width, height = self._size
        if picture.shape[:2] == (height, width):
            return picture
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _caption(width: int, text: str) -> Rgb8:
    bar = Image.new("RGB", (width, _BAR), _PAPER)
    ImageDraw.Draw(bar).text((8, 5), text, _INK, ImageFont.load_default(14))
    return np.asarray(bar)
