"""Where one scene of a clip ends and the next begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import cv2
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from stylebridge_server.values import Rgb8

# Pictures are compared at this many pixels on the long side: a cut changes the whole picture, and grain
# averages out.
_LONG_SIDE = 160
# The detector compares a frame's change with the mean change of so many frames before and after it, so that a
# fast pan, a fade or a flickering light is not a cut.
_NEIGHBOURS = 2
# Mean change of brightness (0 to 255) that a cut makes at least. Brightness alone counts: hue and saturation
# leap when a fade reaches black or white.
_LEAST_CHANGE = 8.0


def find_cuts(frames: Iterable[tuple[int, Rgb8]]) -> list[int]:
    """The first frame of every new scene, in order; the clip's own first frame is none.

    Hard cuts only, by PySceneDetect's adaptive content detector; a flash of a frame or two is none. Streaming: a
    handful of small pictures is held at a time.

    Args:
        frames: (the source's own number, (h, w, 3) uint8 display-referred RGB), in the order of the clip.

    Returns:
        Frame numbers.
    """
    detector = AdaptiveDetector(
        window_width=_NEIGHBOURS, min_scene_len=1, luma_only=True, min_content_val=_LEAST_CHANGE
    )
    cuts: list[int] = []
    recent: deque[tuple[int, Rgb8]] = deque(maxlen=2 * _NEIGHBOURS + 2)
    for place, (number, small) in enumerate(_with_ends(frames)):
        recent.append((number, small))
        # The rate is never used: scene lengths are given in frames.
        if detector.process_frame(FrameTimecode(place, fps=Fraction(25)), small):
            # What it has found is the picture that now has its neighbours on both sides.
            before, after = list(recent)[: -_NEIGHBOURS - 1], list(recent)[-_NEIGHBOURS - 1 :]
            if not _goes_on([picture for _, picture in before], [picture for _, picture in after]):
                cuts.append(after[0][0])
    return cuts


def _with_ends(frames: Iterable[tuple[int, Rgb8]]) -> Iterator[tuple[int, Rgb8]]:
    """Reduced pictures; the first and the last stand still for a while, so that a cut there has neighbours too."""
    numbered: tuple[int, Rgb8] | None = None
    for number, picture in frames:
        first = numbered is None
        numbered = (number, _reduced(picture))
        for _ in range(_NEIGHBOURS + 1 if first else 1):
            yield numbered
    if numbered is not None:
        for _ in range(_NEIGHBOURS):
            yield numbered


def _goes_on(before: list[Rgb8], after: list[Rgb8]) -> bool:
    """Whether a picture after the supposed cut is nearer to one before it than half the cut: a flash, then."""
    jump = _difference(before[-1], after[0])
    return any(_difference(a, b) < 0.5 * jump for a in before for b in after)


def _difference(a: Rgb8, b: Rgb8) -> float:
    return float(cv2.absdiff(a, b).mean())


def _reduced(picture: Rgb8) -> Rgb8:
    height, width = picture.shape[:2]
    scale = min(1.0, _LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    bgr: Rgb8 = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return bgr
