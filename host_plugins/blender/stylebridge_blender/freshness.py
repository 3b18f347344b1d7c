"""Is what was rendered still what would be rendered now?

The request of a strip is built again, now and then, while somebody looks at its panel, and its stamp compared with
those of the strips that were made of it. Nothing is rendered and no server is asked.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from . import request, strips
from ._bridge.stylebridge.errors import StylebridgeError

#: By the uid of a strip: a sentence where its results are stale, "" where they are not.
known: dict[str, str] = {}


def look(uid: str) -> Generator[None, None, None]:
    """Finds out about one strip, in the main thread, in steps."""
    found = strips.find(uid)
    if found is None:
        known.pop(uid, None)
        return
    known[uid] = yield from sentence(*found)


def sentence(scene: Any, strip: Any) -> Generator[None, None, str]:
    """Why a strip's results are stale; "" where they are not, or there are none."""
    stamps = {made.stylebridge.stamp for _, made in strips.made_of(strip.stylebridge.uid)}
    if not stamps:
        return ""
    try:
        order = yield from request.build(scene, strip, "", prepare=False)
    except StylebridgeError as error:
        return f"What was rendered cannot be made again: {error.message}"
    return "" if stamps == {order.stamp} else "What was rendered is not what is set now: render again."
