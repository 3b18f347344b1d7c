"""What a result says about itself: notes by name, all of which begin with "stylebridge:"."""

from __future__ import annotations

import json
from collections.abc import Mapping

OWN = "stylebridge:"

#: Characters of ASCII that a note may take; a JPEG's comment holds 65,533 bytes.
LONGEST = 40_000


def fits_note(text: str) -> bool:
    """Whether a note can be written into every kind of file, JPEG's comment among them."""
    return len(json.dumps(text)) <= LONGEST


def is_own(name: str) -> bool:
    """Whether a name in a file's metadata is one of ours; containers may have changed its case."""
    return name.lower().startswith(OWN)


def one_text(notes: Mapping[str, str]) -> str:
    """Notes as one text of ASCII, for files that have only one; empty for none."""
    return json.dumps(dict(notes)) if notes else ""


def from_one_text(text: str) -> dict[str, str]:
    """The notes of ours in a text that `one_text` made; none in others."""
    try:
        found = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return {}
    return only_own(found) if isinstance(found, dict) else {}


def only_own(metadata: Mapping[str, object]) -> dict[str, str]:
    """The notes of ours in a file's metadata."""
    return {name.lower(): text for name, text in metadata.items() if is_own(name) and isinstance(text, str)}
