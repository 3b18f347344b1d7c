"""The work of the server that `stylebridge bench bridge` starts: hashes a frame, and gives it back inverted."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from stylebridge.pixels import Picture
from stylebridge_server.worker.context import Context, Handler

_frames: dict[int, Picture] = {}


def put_frame(context: Context, fields: dict[str, Any]) -> dict[str, Any]:
    """Keeps a frame, and answers the hash of its bytes."""
    picture: Picture = fields["picture"]
    _frames[picture.number] = picture
    return {"hash": hashlib.blake2b(picture.data, digest_size=32).hexdigest()}


def render(context: Context, fields: dict[str, Any]) -> None:
    """Every byte of each frame inverted."""
    for number in fields["frames"]:
        picture = _frames[number]
        inverted = np.bitwise_not(np.frombuffer(picture.data, np.uint8))
        context.frame(number, Picture(number, picture.layout, inverted.data))


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
