"""What a stream paints with: a code of the embedded network, or a network of another kind.

The embedded network is local and runs in tiles. The others take statistics over the picture that they work on, so a
tile alone would come out in other colours than the frame: they paint a whole frame at network size, and tiles are cut
from that. What is optimised may begin as the frame before it: a chain from the scene's first frame, each link kept.
Every way what comes out is a pure function of the frame, those before it in its scene and the style's id.
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


@dataclass(frozen=True)
class Before:
    """The frame before, painted, and the way to it from the frame that is painted now.

    Attributes:
        picture: (h, w, 3) float32 in [0, 1].
        flow: (h, w, 2) float32 pixels (x, y): what this frame shows at p was at p + flow[p].
        valid: (h, w) float32 in [0, 1], how far that can be believed.
    """

    picture: Rgb
    flow: NDArray[np.float32]
    valid: NDArray[np.float32]


@dataclass(frozen=True)
class ChainStyle:
    """A style whose frames may each need the one before, back to the first of the scene.

    Attributes:
        id: names everything that `paint` depends on beside its arguments.
        linked: whether frames need the one before.
        paint: called with the frame (h, w, 3), a name for it that seeds what is drawn at random, the frame before or
            None, and what to call in every step with (steps done, steps at most). Returns the frame painted.
    """

    id: str
    linked: bool
    paint: Callable[[Rgb, str, Before | None, Callable[[int, int], None] | None], Rgb] = field(repr=False)


Style = CodeStyle | FrameStyle | ChainStyle
