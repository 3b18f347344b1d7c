"""Which packet holds which frame: one pass over a movie's packets, without decoding."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from stylebridge_server import steps

_COMMON_RATES = [
    *(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 100, 120)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120)),
]
_MISSING = -(2**63)


@dataclass(frozen=True)
class MovieIndex:
    """Packets of the video stream in the order of the file, and frames in the order of showing.

    Attributes:
        pts: (packets,) presentation times in units of the stream's time base.
        keys: positions of the key packets, ascending.
        times: (frames,) presentation times, ascending: frame n is shown at times[n].
        last_duration: of the frame shown last, in the same units; 0 where unknown.
        packets: number of packets, with those that are decoded but not shown.
        complete_until: all frames shown no later than this are in the file, even if it is cut off.
        ordered: False where packets have no distinct times, so that frames can only be counted by decoding.
        by_time: (packets,) positions in the order of presentation.
    """

    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    times: NDArray[np.int64]
    last_duration: int
    packets: int
    complete_until: int
    ordered: bool
    by_time: NDArray[np.int64]

    def position_of(self, pts: int) -> int | None:
        """The packet of that presentation time."""
        place = int(np.searchsorted(self.pts, pts, sorter=self.by_time))
        return (
            int(self.by_time[place])
            if place < len(self.pts) and self.pts[self.by_time[place]] == pts
            else None
        )

    def number_at(self, pts: int) -> int | None:
        """The frame shown at that time, counted from 0; None where it is none of the index."""
        position = int(np.searchsorted(self.times, pts))
        return position if position < len(self.times) and self.times[position] == pts else None

    def key_before(self, time: int, below: int) -> int:
        """Position, before `below`, of the last key packet from which the frame at `time` can be decoded.

        A frame that follows a key packet in the file but is shown before it may refer to what came
        before the key (open groups of pictures), so the key must be shown no later than the frame.
        """
        usable = self.keys[(self.keys < below) & (self.pts[self.keys] <= time)]
        return int(usable[-1]) if len(usable) else 0


def index_movie(container: InputContainer, stream: VideoStream) -> MovieIndex:
    """Read all packets of the stream. 34 bytes of memory a frame."""
    pts, keys, shown = array("q"), array("q"), array("b")
    ordered, last_dts, step, duration_at = True, _MISSING, 0, (_MISSING, 0)
    try:
        for packet in container.demux(stream):
            steps.step()
            if packet.size == 0 or packet.is_corrupt:  # the end, or a packet that is cut off
                continue
            time = packet.pts if packet.pts is not None else packet.dts
            ordered = ordered and packet.pts is not None
            if packet.is_keyframe:
                keys.append(len(pts))
            pts.append(time if time is not None else len(pts))
            shown.append(not packet.is_discard)
            duration_at = max(duration_at, (pts[-1], packet.duration or 0))
            if packet.dts is not None:
                last_dts, step = packet.dts, packet.duration or 1
    except av.error.FFmpegError:
        pass  # a damaged end: what came before it counts
    all_times = np.frombuffer(pts, np.int64) if pts else np.empty(0, np.int64)
    positions = np.frombuffer(keys, np.int64) if keys else np.zeros(0, np.int64)
    times = np.sort(all_times[np.frombuffer(shown, np.int8).astype(bool)]) if pts else all_times
    ordered = ordered and len(np.unique(all_times)) == len(all_times)
    until = last_dts + step if last_dts != _MISSING else (int(times[-1]) if len(times) else 0)
    return MovieIndex(
        all_times, positions, times, duration_at[1], len(pts), until, ordered, np.argsort(all_times)
    )


def constant_rate(index: MovieIndex, stream: VideoStream) -> tuple[Fraction, bool]:
    """Frames a second, and whether every frame keeps to it within the resolution of its time base.

    Containers with coarse time bases (Matroska: a millisecond) only hint at the rate, so rates in common use
    are tried before the hint there.
    """
    base = stream.time_base or Fraction(1, 1000)
    hints = [rate for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    candidates = [*hints, *_COMMON_RATES]
    if base >= Fraction(1, 1000) and hints:
        candidates = [*sorted(_COMMON_RATES, key=lambda rate: abs(rate - hints[0])), *hints]
    steps = np.arange(len(index.times), dtype=np.float64)
    seconds = (index.times - (index.times[0] if len(index.times) else 0)) * float(base)
    for rate in candidates:
        if len(index.times) > 1 and np.abs(seconds - steps / float(rate)).max() <= float(base) * 1.01:
            return Fraction(rate), True
    if len(index.times) < 2:
        return Fraction(hints[0]) if hints else Fraction(24), True
    span = Fraction(int(index.times[-1] - index.times[0])) * base
    average = Fraction(len(index.times) - 1) / span if span else Fraction(24)
    return Fraction(hints[0]) if hints else average.limit_denominator(1001), False
