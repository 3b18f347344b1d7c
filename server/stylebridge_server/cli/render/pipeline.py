"""Pictures on their way from the server to the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Picture
from stylebridge_server import media
from stylebridge_server.values import Frame


def carry(pictures: Iterable[Picture], sink: media.Sink, see: Callable[[Frame], None]) -> str | None:
    """Write all pictures to the sink, in the order in which they come, while the next ones are made.

    Args:
        pictures: as a render brings them.
        sink: takes them; finishing it is the caller's.
        see: shown each frame.

    Returns:
        The sentence that says where a truncated source ends, or None.

    Raises:
        StylebridgeError: as the render and the sink do; a source that ends before its first frame.
    """
    try:
        with media.WriteBehind(sink) as behind:
            for picture in pictures:
                frame = Frame(picture.number, np.asarray(picture))
                behind.put(frame)
                see(frame)
    except StylebridgeError as error:
        if error.code != Code.PARTIAL or not sink.written:
            raise
        return error.message
    return None
