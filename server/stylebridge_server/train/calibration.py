"""The least deviations that normalisation divides by, from ordinary scenes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from stylebridge_models.network import CHANNELS, THUMBNAIL_SIDE, StyleNetwork

from .pictures import Rgb8, shortened
from .run import tensor

# Share of an ordinary scene's deviation that normalisation does not go below.
_LEAST = 0.6


@torch.no_grad()
def calibrate(network: StyleNetwork, scenes: Sequence[Rgb8]) -> None:
    """Sets the least deviations that the decoder divides by from ordinary scenes, (H, W, 3) uint8, in place.

    Ordinary scenes come out as before; in flat ones noise is no longer blown up to a full range of strokes.
    """
    device = str(network.decoder.floor.device)
    rows = [network.statistics(tensor(shortened(scene, THUMBNAIL_SIDE), device)[None]) for scene in scenes]
    deviations = torch.cat(rows)[:, CHANNELS : 2 * CHANNELS]
    network.decoder.floor.copy_(_LEAST * deviations.mean(0))
