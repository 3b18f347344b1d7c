"""The embedded segmenter's networks, ready for use."""

from __future__ import annotations

from functools import cache

import torch

from stylebridge_models import registry
from stylebridge_models.tracer import LOOK, TRACE, TracerNetwork
from stylebridge_server.segment.follower import Net, Planes
from stylebridge_server.steps import step
from stylebridge_server.values import Plane

_FILES = {LOOK: "embedded-look", TRACE: "embedded-trace"}
METHOD = "tracer-2"  # raised when the same weights would give other labels


@cache
def ready(planes: int) -> Net:
    """The network for that many planes of evidence, `LOOK` or `TRACE`; always on the CPU, one window at a time.

    Raises:
        StylebridgeError: where its weights are missing or damaged.
    """
    network = TracerNetwork(planes)
    network.load_state_dict(registry.load(_FILES[planes]))
    network = network.eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def net(evidence: Planes) -> Plane:
        step()
        batch = torch.from_numpy(evidence)[None].contiguous(memory_format=torch.channels_last)
        out: Plane = network(batch)[0, 0].clamp(-16, 16).numpy()
        return out

    return net


@cache
def checksum() -> str:
    """Changes whenever the same evidence would be judged otherwise, or be laid out otherwise."""
    return "-".join([METHOD, *(registry.find(name).sha256[:12] for name in _FILES.values())])
