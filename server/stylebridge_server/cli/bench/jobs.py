"""The work of the server that `stylebridge bench bridge` starts: gives a frame back inverted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylebridge.pixels import Picture
from stylebridge_server.worker.context import Context, Handler

_frames: dict[int, Picture] = {}
_scratch: dict[int, NDArray[np.uint8]] = {}  # by its size


def put_frame(context: Context, fields: dict[str, Any]) -> dict[str, Any]:
    """Keeps a frame, and answers the hash of its bytes, which the worker has made while they came."""
    picture: Picture = fields["picture"]
    _frames[picture.number] = picture
    return {"hash": picture.extra["hash"]}


def render(context: Context, fields: dict[str, Any]) -> None:
    """Every byte of each frame inverted."""
    for number in fields["frames"]:
        picture = _frames[number]
        frame = np.frombuffer(picture.data, np.uint8)
        if frame.size not in _scratch:
            _scratch[frame.size] = np.empty_like(frame)
        inverted = np.bitwise_not(frame, out=_scratch[frame.size])
        context.frame(number, Picture(number, picture.layout, inverted.data))  # which copies


def handlers() -> dict[str, Handler]:
    """Request to handler."""
    return {"put_frame": put_frame, "render": render, "describe": lambda context, fields: {}}


def ended(session: str) -> None:
    """Nothing is kept for one client alone."""


def fingerprint() -> str:
    """Of nothing."""
    return "bench"


def status() -> dict[str, Any]:
    """Nothing is counted."""
    return {}
