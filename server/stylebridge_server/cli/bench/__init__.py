"""`stylebridge bench`: what the product costs beside the least that it could cost, measured in one run."""

from __future__ import annotations

import json

from stylebridge.errors import Code, StylebridgeError

from . import bridge

PARTS = {"bridge": bridge}
LOADED = "The limits are for a machine that does nothing else: a loaded one fails them by itself."


def run(part: str, as_json: bool) -> str:
    """The figures of one part.

    Raises:
        StylebridgeError: bad_value for an unknown part.
    """
    if part not in PARTS:
        raise StylebridgeError(
            Code.BAD_VALUE, f'There is no benchmark "{part}": name one of {", ".join(PARTS)}.'
        )
    rows = PARTS[part].measure()
    return json.dumps(bridge.data(rows), indent=2) if as_json else f"{bridge.table(rows)}\n\n{LOADED}"
