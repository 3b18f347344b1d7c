"""Steadiness over time: optical flow, scene cuts, the bounded window, and how steady a result is."""

from stylebridge_server.temporal.cuts import find_cuts
from stylebridge_server.temporal.flow import believed, flow_pair, inside_picture, occlusion
from stylebridge_server.temporal.given import Given
from stylebridge_server.temporal.half import for_window, halved_pair, shown
from stylebridge_server.temporal.methods import DIS, Dis, Flow
from stylebridge_server.temporal.metrics import (
    Series,
    other_flow,
    sharpness,
    temporal_error,
    temporal_series,
    warp_error,
    warped_difference,
)
from stylebridge_server.temporal.repeats import RepeatFinder
from stylebridge_server.temporal.window import METHOD, Link, Taps, blend, fade, taps

__all__ = [
    "DIS",
    "METHOD",
    "Dis",
    "Flow",
    "Given",
    "Link",
    "RepeatFinder",
    "Series",
    "Taps",
    "believed",
    "blend",
    "fade",
    "find_cuts",
    "flow_pair",
    "for_window",
    "halved_pair",
    "inside_picture",
    "occlusion",
    "other_flow",
    "sharpness",
    "shown",
    "taps",
    "temporal_error",
    "temporal_series",
    "warp_error",
    "warped_difference",
]
