"""What a stream paints with: a code of the embedded network, or a network of another kind.

The embedded network is local and runs in tiles. The others take statistics over the picture that they work on, so a
tile alone would come out in other colours than the frame: they paint a whole frame at network size, and tiles are cut
from that. Either way what comes out is a pure function of the frame and the style's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import Rgb


@dataclass(frozen=True)
class CodeStyle:
    """A style of the embedded network.

    Attributes:
        code: (D,) float32.
    """

    code: NDArray[np.float32]

    @property
    def id(self) -> str:
        """Names the style by its numbers, whatever it is called; the network's checksum is in the fingerprint."""
        return "code-" + hashlib.blake2b(self.code.tobytes(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class FrameStyle:
    """A style that an installed network paints over whole frames.

    Attributes:
        id: names weights, settings, runtime and, where it paints after a picture, that picture.
        model, version: the installed network.
        paint: (h, w, 3) float32 display-referred sRGB in [0, 1] to the same, styled. Raises TOO_LARGE where the
            frame is more than a network can hold.
    """

    id: str
    model: str
    version: str
    paint: Callable[[Rgb], Rgb] = field(repr=False)


Style = CodeStyle | FrameStyle
