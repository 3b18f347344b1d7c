"""Pictures laid over the sequencer's preview."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gpu
from gpu_extras.batch import batch_for_shader

from .. import compat

Point = tuple[float, float]


def texture(width: int, height: int, samples: Any) -> Any:
    """A texture of RGBA floats, rows from the bottom up."""
    buffer = gpu.types.Buffer("FLOAT", width * height * 4, samples)
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=buffer)


def draw(image: Any, points: Sequence[Point], part: float = 1.0, blended: bool = False) -> None:
    """Draws a texture between four places of the region: top left, top right, bottom right, bottom left.

    Args:
        part: how much of it is drawn, from the left.
        blended: whether its alpha counts.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    right_top = (x0 + (x1 - x0) * part, y0 + (y1 - y0) * part)
    right_bottom = (x3 + (x2 - x3) * part, y3 + (y2 - y3) * part)
    shader = gpu.shader.from_builtin(compat.IMAGE_SHADER)
    places = ((0.0, 1.0), (part, 1.0), (part, 0.0), (0.0, 0.0))
    corners = [(x0, y0), right_top, right_bottom, (x3, y3)]
    batch = batch_for_shader(shader, "TRI_FAN", {"pos": corners, "texCoord": places})
    gpu.state.blend_set("ALPHA" if blended else "NONE")
    shader.bind()
    shader.uniform_sampler("image", image)
    batch.draw(shader)
    gpu.state.blend_set("NONE")
