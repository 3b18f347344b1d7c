"""How steady a styled clip is, and what it paid for that.

The temporal error is E_warp of Lai et al. ("Learning blind video temporal consistency", ECCV 2018) over a
distance of
d frames: sum M (warp(V_{t+d}) - V_t)^2 / sum M, RGB in [0, 1], M counted over three channels, averaged over
the pairs; flow and validity M are those of the source. It rewards blur, so sharpness belongs beside it, and
the source's own error, which no faithful result can undercut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.temporal.flow import SMALLEST_SIDE, flow_pair, grid, luma8, sample, validity
from stylebridge_server.values import FlowPair, Rgb, Rgb8

Flow = Callable[[Rgb8, Rgb8], FlowPair]


def other_flow(a: Rgb8, b: Rgb8) -> FlowPair:
    """Flow both ways by a method that the filter does not use: Farneback 2003, "Two-frame motion estimation based on
    polynomial expansion", OpenCV's. (h, w, 3) uint8 each; validity as in `flow_pair`."""
    first, second = luma8(a), luma8(b)
    forward, backward = _farneback(first, second), _farneback(second, first)
    return FlowPair(forward, backward, validity(forward, backward), validity(backward, forward))


def _farneback(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    start = np.zeros((*a.shape, 2), np.float32)
    if min(a.shape) < SMALLEST_SIDE:
        return start
    flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN
    return np.asarray(cv2.calcOpticalFlowFarneback(a, b, start, 0.5, 5, 15, 5, 7, 1.5, flags), np.float32)


@dataclass(frozen=True)
class Series:
    """What one pair of frames, t and t + d, shows.

    Attributes:
        index: t, counted from 0 in the order given.
        source: E_warp of the source itself.
        styled: E_warp of the styled clip.
        sharpness: of styled frame t.
    """

    index: int
    source: float
    styled: float
    sharpness: float


def temporal_series(
    source: Iterable[Rgb8], styled: Iterable[Rgb8], distance: int = 1, flow: Flow = flow_pair
) -> Iterator[Series]:
    """The error of every pair of frames `distance` apart, one at a time; `distance` + 1 frames of each are
    held.

    Args:
        source, styled: frames in order, (h, w, 3) uint8 display-referred RGB, all of one size. The shorter
            ends it.
        distance: frames between the two of a pair, 1 or more.
        flow: the method for flow from frame t to t + d of the source. A filter should not be judged by the
            flow it was made with: pass another.
    """
    held: deque[tuple[Rgb8, Rgb8]] = deque()
    for index, frames in enumerate(zip(source, styled, strict=False)):
        held.append(frames)
        if len(held) <= distance:
            continue
        (source_then, styled_then), (source_now, styled_now) = held.popleft(), frames
        pair = flow(source_then, source_now)
        yield Series(
            index=index - distance,
            source=warp_error(source_then, source_now, pair),
            styled=warp_error(styled_then, styled_now, pair),
            sharpness=sharpness(styled_then),
        )


def temporal_error(
    source: Iterable[Rgb8], styled: Iterable[Rgb8], distance: int = 1, flow: Flow = flow_pair
) -> float:
    """E_warp of a styled clip: the mean of `temporal_series`, NaN without `distance` + 1 frames."""
    errors = [entry.styled for entry in temporal_series(source, styled, distance, flow)]
    return float(np.mean(errors)) if errors else float("nan")


def warp_error(then: Rgb8, now: Rgb8, pair: FlowPair) -> float:
    """sum M (warp(now) - then)^2 / sum M for one pair, with `pair` the source's flow from `then` to `now`."""
    difference = warped_difference(then, now, pair)
    mask = pair.forward_valid.astype(np.float64)
    energy = (difference.astype(np.float64) ** 2).sum(axis=-1)
    return float((mask * energy).sum() / max(3.0 * mask.sum(), 1e-12))


def warped_difference(then: Rgb8, now: Rgb8, pair: FlowPair) -> Rgb:
    """|warp(now) - then|, (h, w, 3) float32 in [0, 1], with `pair` the source's flow from `then` to `now`."""
    positions = grid(*then.shape[:2]) + pair.forward
    return np.abs(sample(_unit(now), positions) - _unit(then))


def sharpness(rgb: Rgb8) -> float:
    """Mean |Laplacian| of the luma, which is taken in 0 to 255."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(luma, cv2.CV_32F, borderType=cv2.BORDER_REPLICATE)).mean())


def _unit(rgb: Rgb8) -> Rgb:
    return rgb.astype(np.float32) / 255.0
