"""Where something moves by itself: the evidence of motion of a frame, judged by the network that ships."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from stylebridge_models import registry
from stylebridge_models.independence import Independence
from stylebridge_server.segment.evidence import CHANNELS, Flows, evidence
from stylebridge_server.segment.planes import plane
from stylebridge_server.steps import step
from stylebridge_server.values import Plane

WEIGHTS = "embedded-motion"
METHOD = "motion-1"  # raised when the same weights would find other things


@cache
def checksum() -> str:
    """Changes whenever the same frames would be judged otherwise."""
    return f"{METHOD}-{registry.find(WEIGHTS).sha256[:12]}"


@cache
def network() -> Independence:
    """The network with the weights that ship, on the CPU.

    Raises:
        StylebridgeError: NOT_FOUND or NOT_READABLE where they are missing or damaged.
    """
    out = Independence(CHANNELS)
    out.load_state_dict(registry.load(WEIGHTS))
    return out.eval()


def independence(flows: Flows, number: int) -> Plane:
    """Log odds that a pixel belongs to something that moves by itself, (h, w) float32 at the size of `evidence.size`.

    Args:
        flows: the scene.
        number: the frame.
    """
    around = flows.around(number)
    rgb = flows.frame(number)
    if not around:
        return np.full(rgb.shape[:2], -8, np.float32)
    channels = torch.from_numpy(evidence(rgb, around))[None]
    step()
    with torch.inference_mode():
        return plane(network()(channels)[0].numpy())
