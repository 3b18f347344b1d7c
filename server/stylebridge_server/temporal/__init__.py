"""Steadiness over time: optical flow, scene cuts, the bounded look-back, and how steady a result is."""

from stylebridge_server.temporal.cuts import find_cuts
from stylebridge_server.temporal.flow import flow_pair, inside_picture, occlusion
from stylebridge_server.temporal.metrics import Series, sharpness, temporal_error, temporal_series
from stylebridge_server.temporal.window import Taps, blend, taps

__all__ = [
    "Series",
    "Taps",
    "blend",
    "find_cuts",
    "flow_pair",
    "inside_picture",
    "occlusion",
    "sharpness",
    "taps",
    "temporal_error",
    "temporal_series",
]
