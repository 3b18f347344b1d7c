"""RAFT as a method of flow, on the networks that the user has installed; see `stylebridge_models.optical_flow`."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, optical_flow
from stylebridge_models.installed import Card
from stylebridge_server.steps import step
from stylebridge_server.temporal.methods import Numbers, Pictures
from stylebridge_server.temporal.working import Field, enlarged, working_size
from stylebridge_server.values import FlowPair, Rgb

# The short side at which it works at most: it compares every pixel of an eighth of the size with every other, which at
# 540x960 takes 260 MB and at 1080x1920 sixteen times of it.
LINES = 540
_MULTIPLE, _LEAST = 8, 128  # what sides the network takes
MEMORY = 2 << 30  # bytes at its peak at that size, the weights included: estimated, on the safe side


class Raft:
    """See `methods.Flow`. Twelve updates, of which the last is the flow; float32.

    Args:
        version: names the weights.
        open: gives the network, ready for use; called when it is first needed.
        device: where it runs.
    """

    METHOD = "1"  # raised when the same weights would give another flow

    def __init__(self, version: str, open: Callable[[], nn.Module], device: str) -> None:
        self.id = f"raft-{self.METHOD}-{version}"
        self._open, self._device = open, device
        self._network: nn.Module | None = None

    def memory(self, pixels: int) -> int:
        return MEMORY

    def name(self, numbers: Numbers) -> str:
        return self.id

    def pair(self, numbers: Numbers, pictures: Pictures) -> FlowPair:
        size = pictures[0].shape[0], pictures[0].shape[1]
        small = working_size(size, LINES)
        first, second = (_input(picture, small, self._device) for picture in pictures)
        forward = enlarged(self._flow(first, second, small), size)
        step()
        backward = enlarged(self._flow(second, first, small), size)
        step()
        return FlowPair(forward, backward, np.ones(size, np.float32), np.ones(size, np.float32))

    @torch.inference_mode()
    def _flow(self, a: Tensor, b: Tensor, size: tuple[int, int]) -> Field:
        if self._network is None:
            self._network = self._open().to(self._device)
        flow = self._network(a, b)[-1][0, :, : size[0], : size[1]]
        return np.ascontiguousarray(flow.permute(1, 2, 0).cpu().numpy())


def _input(picture: Rgb, size: tuple[int, int], device: str) -> Tensor:
    """(1, 3, h, w) in [-1, 1], the edge repeated to the right and below up to a size that the network takes."""
    shown = np.clip(np.nan_to_num(picture), 0.0, 1.0)
    if shown.shape[:2] != size:
        shown = cv2.resize(shown, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    below, beside = (max(-(-side // _MULTIPLE) * _MULTIPLE, _LEAST) - side for side in size)
    padded = cv2.copyMakeBorder(shown, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    return torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None].to(device) * 2 - 1


def cards() -> dict[str, Card]:
    """The installed networks for flow, by kind: the one that is named so, or else the first by name."""
    known = [card for card in installed.models().values() if card.kind in optical_flow.WHAT]
    found: dict[str, Card] = {}
    for card in sorted(known, key=lambda one: (one.name != one.kind, one.name)):
        found.setdefault(card.kind, card)
    return found


def opened(kind: str, device: str) -> Raft:
    """The method of that kind; its file is read when it is first needed.

    Raises:
        StylebridgeError: NOT_FOUND where none is installed, with what to do.
    """
    card = cards().get(kind)
    if card is None:
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"The flow '{kind}' needs a network that is not installed: `stylebridge models pull {kind}` fetches it, "
            "`stylebridge models import FILE` takes in one that you have; or choose the flow 'dis'.",
        )
    return Raft(f"{kind}-{card.version}", lambda: optical_flow.load(kind, installed.load(card)), device)
