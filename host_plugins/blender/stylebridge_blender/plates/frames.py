"""Which frame of its media a strip shows when, for strips that play their media frame by frame.

Of strips that play faster, slower or with another rate, only Blender knows (it differs from version to version):
those are rendered through it, and have no numbers but their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from . import media

#: Relative difference of rates that is no difference.
SAME_RATE = 1e-5

_counted: dict[tuple[str, int, int], int] = {}


def start(strip: Any) -> int:
    """The timeline frame of the content's first frame, whether it is trimmed off or not."""
    return int(strip.frame_start)


def visible(strip: Any) -> range:
    """The timeline frames in which a strip is shown."""
    return range(int(strip.frame_final_start), int(strip.frame_final_end))


def indexing(strip: Any) -> Callable[[int], int]:
    """Gives for a timeline frame which frame of its media a strip then shows, counted from 0 with those that were cut
    off. Beyond its ends the first and the last frame are held.
    """
    begin, last, cut_off = start(strip), strip.frame_duration - 1, int(strip.animation_offset_start)
    if strip.type == "MOVIE" and strip.use_reverse_frames:
        return lambda frame: cut_off + last - min(max(frame - begin, 0), last)
    return lambda frame: cut_off + min(max(frame - begin, 0), last)


def first_number(strip: Any) -> int:
    """The number of the frame of the media with index 0: 0 in a movie, the file's own in a numbered sequence."""
    pattern = media.numbered(strip) if strip.type == "IMAGE" else None
    number = pattern.number(media.names_of(strip)[0]) if pattern else None
    return number - int(strip.animation_offset_start) if number is not None else 0


def numbering(scene: Any, strip: Any) -> Callable[[int], int]:
    """Gives for a timeline frame the source's own number of the frame that a strip then shows: that of its media
    where it plays them frame by frame, else counted from the start of the strip.
    """
    begin = start(strip)
    if not has_numbers(scene, strip):
        return lambda frame: frame - begin
    if strip.type == "IMAGE" and len(set(media.names_of(strip))) == 1:
        return lambda frame: 0
    first, index = first_number(strip), indexing(strip)
    return lambda frame: first + index(frame)


def has_numbers(scene: Any, strip: Any) -> bool:
    """Whether a strip shows its media frame by frame."""
    return strip.type in ("MOVIE", "IMAGE") and not why_not_one_to_one(scene, strip) and strip.strobe <= 1.0


def why_not_one_to_one(scene: Any, strip: Any) -> str:
    """Why a movie or image strip does not show one frame of its media per timeline frame; "" where it does."""
    if getattr(strip, "speed_factor", 1.0) != 1.0 or len(getattr(strip, "retiming_keys", ())) > 0:
        return "its speed is changed"
    edges = (strip.frame_start, strip.frame_offset_start, strip.frame_offset_end)
    if any(edge != int(edge) for edge in edges):
        return "it does not begin at a whole frame"
    untrimmed = strip.frame_final_duration + strip.frame_offset_start + strip.frame_offset_end
    if round(untrimmed) != strip.frame_duration:
        return "its speed is changed"
    if strip.type == "MOVIE" and not _same_rate(scene, strip):
        return f"its {_fps(strip):.6g} frames per second are played at the scene's {rate(scene):.6g}"
    return ""


def rate(scene: Any) -> float:
    """Frames per second of the timeline."""
    return float(scene.render.fps / scene.render.fps_base)


def _fps(strip: Any) -> float:
    """A movie's own rate, which its element knows: `strip.fps` opens the file each time, which takes long."""
    known = strip.elements[0].orig_fps if len(strip.elements) else 0.0
    return float(known if known > 0 else strip.fps)


def _same_rate(scene: Any, strip: Any) -> bool:
    """Whether a movie is shown frame by frame, which Blender does not say where rates differ.

    It either shows it so, or at the movie's own speed ("Adjust Playback Rate", which no property tells). Then the
    strip's length is another than the movie's, except in a short strip or with nearly the same rate: that is
    taken for adjusted, which is always right, since Blender then renders it.
    """
    if _fps(strip) <= 0:
        return False
    ratio = rate(scene) / _fps(strip)
    if abs(ratio - 1.0) < SAME_RATE:
        return True
    count = _count(media.path_of(strip))
    whole = strip.frame_duration + strip.animation_offset_start + strip.animation_offset_end
    return bool(count == whole and abs(count * ratio - count) > 1.0)


def _count(path: str) -> int:
    """How many frames Blender finds in a movie."""
    size, time = media.mark(path)
    known = _counted.get((path, size, time))
    if known is None:
        clip = bpy.data.movieclips.load(path)
        known = _counted[path, size, time] = int(clip.frame_duration)
        bpy.data.movieclips.remove(clip)
    return known
