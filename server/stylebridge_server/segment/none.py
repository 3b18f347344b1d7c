"""The back end that finds nothing: the whole picture is background."""

from __future__ import annotations

from collections.abc import Sequence

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment.interface import FORGETFUL, Flow, FrameReader, MatteStore, Parts, Progress
from stylebridge_server.values import Instance, Prompt


class Nothing:
    """See `Segmenter`; refuses prompts, since it could not follow them."""

    name = "none"
    checksum = "none"
    memory = 0

    def track(
        self,
        frames: FrameReader,
        scenes: Sequence[tuple[int, int]],
        prompts: Sequence[Prompt],
        flow: Flow,
        store: MatteStore,
        progress: Progress,
        parts: Parts = FORGETFUL,
    ) -> list[Instance]:
        """No instances."""
        if prompts:
            name = prompts[0].name
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The segmenter 'none' cannot follow prompt {name!r}; choose 'auto', or remove the prompt.",
            )
        return []
