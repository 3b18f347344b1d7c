"""Two tracks of one instance, from the key frame before and from the one after, made one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylebridge_server.segment.planes import signed_distance
from stylebridge_server.values import Plane

_MIDDLE = 0.2  # share of the way from key to key on which the two are mixed


def between(frame: int, keys: Sequence[int], ahead: Plane | None, back: Plane | None) -> Plane | None:
    """The label of a frame between its key frames: that of the nearer key.

    In the middle, where both tracks see the instance, their shapes are mixed by signed distance, so that one
    turns into the other gradually.

    Args:
        frame: the frame's number.
        keys: the instance's key frames.
        ahead, back: (h, w) labels in [0, 1] from the sweeps forward and backward, where they have one.

    Returns:
        (h, w) float32 in [0, 1], or None where neither sweep came by.
    """
    before = [frame - key for key in keys if key <= frame]
    after = [key - frame for key in keys if key >= frame]
    if not before or ahead is None:
        return back
    if not after or back is None:
        return ahead
    share = min(before) / max(min(before) + min(after), 1)
    share = min(max((share - 0.5) / _MIDDLE + 0.5, 0.0), 1.0)
    if not ahead.any() or not back.any():
        return ahead if share <= 0.5 else back
    mixed = (1 - share) * signed_distance(ahead) + share * signed_distance(back)
    return np.asarray(np.clip(mixed * 0.5 + 0.5, 0, 1), np.float32)
