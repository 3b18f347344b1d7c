"""Where one scene of a clip ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterable
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

    Hard cuts only, by PySceneDetect's adaptive content detector. Streaming: one small picture is held at a
    time.

    Args:
        frames: (the source's own number, (h, w, 3) uint8 display-referred RGB), in the order of the clip.

    Returns:
        Frame numbers.
    """
    detector = AdaptiveDetector(
        window_width=_NEIGHBOURS, min_scene_len=1, luma_only=True, min_content_val=_LEAST_CHANGE
    )
    numbers: list[int] = []
    found: set[int] = set()
    place = 0
    small = None

    def feed() -> None:
        nonlocal place
        # The rate is never used: scene lengths are given in frames.
        for cut in detector.process_frame(FrameTimecode(place, fps=Fraction(25)), small):
            found.add(cut.frame_num - _NEIGHBOURS)
        place += 1

    for number, picture in frames:
        small = _reduced(picture)
        if not numbers:
            # The first and the last picture stand still for a while, so that a cut next to them has
            # neighbours too.
            for _ in range(_NEIGHBOURS):
                feed()
        numbers.append(number)
        feed()
    if numbers:
        for _ in range(_NEIGHBOURS):
            feed()
    return [numbers[index] for index in sorted(found) if 0 < index < len(numbers)]


def _reduced(picture: Rgb8) -> Rgb8:
    height, width = picture.shape[:2]
    scale = min(1.0, _LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    bgr: Rgb8 = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return bgr
