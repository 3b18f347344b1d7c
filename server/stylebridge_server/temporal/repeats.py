"""Frames that show what the frame before them shows: telecine, drawings shown for several frames, freezes.

Frames that are equal bit for bit are repeats. A movie's codec makes small differences of its own: there a frame is a
repeat, too, where it hardly differs from the one before while the picture changes much more before and after. That
asks for change on both sides, so a picture that moves slowly, and one that rests and only has grain, has no such
repeats. They come in short runs; a longer freeze counts where it is exact.

Over clips that were brought to 24 frames from 19.2 and 12 and encoded as H.264 (CRF 18 to 32), MPEG-4 and MPEG-2 the
worst block of a repeat differed by 1 to 20 of 255, of the next new frame by 32 to 200.
"""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import Pixels, Rgb8

_BLOCK = 16  # pixels each way: a thing of that size that moves is seen
_LIKE = 12.0  # of 255: the mean difference of the worst block, at most
_SHARE = (
    1 / 3
)  # of the worst block's difference, and of the whole picture's, before the run and after it, at most
_LONGEST = 4  # frames of a run of repeats that are not exact


class RepeatFinder:
    """Sees the frames of a clip in order; holds one.

    Args:
        lossy: whether the clip's codec changes pictures, so that repeats differ.
    """

    def __init__(self, lossy: bool) -> None:
        self._lossy = lossy
        self._before: tuple[Pixels, NDArray[np.uint8]] | None = None
        self._numbers: list[int] = []
        self._differences: list[tuple[float, float]] = []  # from the one before: of the worst block, of all

    def see(self, number: int, pixels: Pixels, shown: Rgb8) -> None:
        """The next frame: as it was decoded, and as (H, W, 3) uint8 display-referred RGB."""
        luma = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY) if self._lossy else np.empty((0, 0), np.uint8)
        self._numbers.append(number)
        self._differences.append(self._difference(pixels, luma))
        self._before = pixels, luma

    def found(self, cuts: Collection[int] = ()) -> list[int]:
        """The numbers of the repeats, ascending. What begins a scene is none."""
        runs, here = [], []
        for place in range(1, len(self._numbers)):
            if self._differences[place][0] <= _LIKE and self._numbers[place] not in cuts:
                here.append(place)
            elif here:
                runs.append(here)
                here = []
        runs += [here] if here else []
        return [self._numbers[place] for run in runs for place in self._repeats(run)]

    def _repeats(self, run: list[int]) -> list[int]:
        """Which of a run of frames that hardly differ are repeats."""
        exact = [place for place in run if self._differences[place] == (0.0, 0.0)]
        around = [place for place in (run[0] - 1, run[-1] + 1) if 1 <= place < len(self._numbers)]
        if not self._lossy or len(run) > _LONGEST or not around:
            return exact
        for of in (0, 1):
            within = max(self._differences[place][of] for place in run)
            if within > _SHARE * min(self._differences[place][of] for place in around):
                return exact
        return run

    def _difference(self, pixels: Pixels, luma: NDArray[np.uint8]) -> tuple[float, float]:
        if self._before is None:
            return np.inf, np.inf
        before, luma_before = self._before
        if before.shape == pixels.shape and np.array_equal(_bits(before), _bits(pixels)):
            return 0.0, 0.0
        if not self._lossy or luma_before.shape != luma.shape:
            return np.inf, np.inf
        apart = cv2.absdiff(luma, luma_before).astype(np.float32)
        size = max(1, luma.shape[1] // _BLOCK), max(1, luma.shape[0] // _BLOCK)
        blocks = cv2.resize(apart, size, interpolation=cv2.INTER_AREA)
        # Over 0 always: only what is equal bit for bit has no difference.
        return float(blocks.max()) + 1e-6, float(blocks.mean()) + 1e-6


def _bits(pixels: Pixels) -> NDArray[np.uint8]:
    """The bytes of a picture: values that are no number are equal where their bits are."""
    return np.ascontiguousarray(pixels).view(np.uint8)
