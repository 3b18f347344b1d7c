"""How much of the noise of a picture comes through a style network."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import colour, style
from stylebridge_server.values import Frame, Rgb

DEVIATION = 2 / 255


def noise_response(engine: style.Engine, chosen: style.Style, frames: Sequence[Frame]) -> float:
    """Mean change of the output over mean change of the input, for Gaussian noise of deviation 2/255.

    1 is a network that hands noise on as it is; a network that answers it with new texture is above. The scene's
    statistics are those of the clean frames, as they would be in a shot.

    Raises:
        StylebridgeError: BAD_VALUE for a style that no network paints; as painting does.
    """
    if isinstance(chosen, style.ChainStyle):
        raise StylebridgeError(
            Code.BAD_VALUE,
            "--noise measures a network, and this style is optimised for each frame anew: name a preset, a picture or "
            "an installed network.",
        )
    plates = [_plate(frame) for frame in frames]
    ground = None if isinstance(chosen, style.FrameStyle) else engine.statistics(plates)
    moved, added = [], []
    for number, plate in enumerate(plates):
        rng = np.random.default_rng(number)
        noisy = np.clip(plate + rng.normal(0, DEVIATION, plate.shape).astype(np.float32), 0, 1)
        added.append(np.abs(noisy - plate).mean())
        clean, other = (_painted(engine, chosen, one, ground) for one in (plate, noisy))
        moved.append(np.abs(other - clean).mean())
    return float(np.mean(moved) / max(float(np.mean(added)), 1e-9))


def _plate(frame: Frame) -> Rgb:
    size = style.network_size(frame.height, frame.width, 1.0)
    working = np.clip(np.nan_to_num(colour.to_working(frame.pixels)), 0, 1)
    if working.shape[:2] == size:
        return working
    return np.asarray(cv2.resize(working, (size[1], size[0]), interpolation=cv2.INTER_AREA))


def _painted(
    engine: style.Engine, chosen: style.CodeStyle | style.FrameStyle, plate: Rgb, ground: object
) -> Rgb:
    """The whole picture in the style."""
    if isinstance(chosen, style.FrameStyle):
        return chosen.paint(plate)
    assert isinstance(ground, np.ndarray)
    features = engine.features(plate)
    result = np.empty_like(plate)
    for piece in style.pieces(style.tiles(*plate.shape[:2])):
        result[piece.slices] = engine.decode(features, ground, chosen.code, piece)
    return result
