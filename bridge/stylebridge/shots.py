"""What a client knows of a shot that a server has open, and of its analysis."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .inputs import Given


@dataclass
class Source:
    """What a shot is opened with.

    Attributes:
        fields: of the request.
        given: what the request names by hash.
    """

    fields: dict[str, Any]
    given: Given = field(default_factory=Given)


@dataclass(frozen=True)
class Shot:
    """A shot that the server has open.

    Attributes:
        id: its name at the server; the same source has the same id again, also at another server.
        info: what the source declares: "width", "height", "first", "last", "channels", "dtype", "rate"
            and more.
        source: what it was opened with, to open it again at a server that was started anew.
    """

    id: str
    info: dict[str, Any]
    source: Source = field(default_factory=lambda: Source({}), repr=False, compare=False)

    @property
    def frames(self) -> range:
        """All its frame numbers."""
        return range(self.info["first"], self.info["last"] + 1)


@dataclass(frozen=True)
class Analysis:
    """What was found in a shot. It stays at the server, immutable, under its id.

    Attributes:
        id: the hash of its contents.
        cuts: the first frame of each scene but the first.
        instances: for each its "id", "name", "label", "colour", "z", "first", "last" and "area".
        source: how it was made or from which file it was brought, for a server that has lost it.
        segmenter: what found the instances; "auto" is resolved.
    """

    id: str
    cuts: list[int]
    instances: list[dict[str, Any]]
    source: dict[str, Any] | Path | None = field(default=None, repr=False, compare=False)
    segmenter: str = ""
