"""A compositor's frame to what networks see and back: 1080p, RGBA in half floats, premultiplied, ACEScg.

Beside it the least that it could be, by plain numpy over the whole frame: floats, divided by alpha, a matrix, sRGB's
transfer function, and the same back; without curve, source at hand, floor, fill or rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylebridge_server import colour
from stylebridge_server.values import Pixels, Rgb

from .timing import median_ms

WIDTH, HEIGHT = 1920, 1080
# ACEScg to linear Rec.709, as OpenColorIO's config has it.
_MATRIX = np.array(
    [[1.705051, -0.621792, -0.083259], [-0.130256, 1.140805, -0.010548], [-0.024003, -0.128969, 1.152972]],
    np.float32,
)


def plate() -> Pixels:
    """(H, W, 4) float16: soft colours, a tenth of them over 1, a fifth of the frame without cover."""
    rng = np.random.default_rng(0)
    small = rng.random((HEIGHT // 8, WIDTH // 8, 3), np.float32)
    rgb = np.repeat(np.repeat(small, 8, 0), 8, 1) * np.float32(1.1)
    rgb *= rng.random((HEIGHT, WIDTH, 1), np.float32) * 0.2 + 0.8
    rgb[200:400, 300:900] *= 12
    alpha = np.clip(np.linspace(-0.5, 2, WIDTH, dtype=np.float32), 0, 1)[None, :, None].repeat(HEIGHT, 0)
    return np.concatenate((rgb * alpha, alpha), axis=-1).astype(np.float16)


def plain_there(pixels: Pixels) -> Rgb:
    values = pixels.astype(np.float32)
    colours = values[..., :3] / np.maximum(values[..., 3:], 1e-6)
    linear = np.clip(colours @ _MATRIX.T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def plain_back(shown: Rgb, pixels: Pixels) -> NDArray[np.float16]:
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    colours = linear @ np.linalg.inv(_MATRIX).T.astype(np.float32)
    return np.asarray((colours * pixels[..., 3:].astype(np.float32)).astype(np.float16))


def colours() -> list[str]:
    """The table's lines."""
    pixels = plate()
    encoding = colour.encode("acescg", "premultiplied", 4)
    seen = encoding.display(pixels)
    painted = np.clip(seen[:, ::-1] * np.float32(0.9), 0, 1)
    rows = [
        ("there", lambda: encoding.display(pixels), lambda: plain_there(pixels)),
        ("back", lambda: encoding.back(painted, seen, pixels), lambda: plain_back(painted, pixels)),
    ]
    lines = ["| 1080p half RGBA, ACEScg | ms | plain numpy | times |", "|---|---|---|---|"]
    for name, ours, plain in rows:
        took, least = median_ms(ours, 5), median_ms(plain, 5)
        lines.append(f"| {name} | {took:.0f} | {least:.0f} | {took / least:.2f} |")
    return lines


if __name__ == "__main__":
    print("\n".join(colours()))
