"""An earlier network of our own as what is aimed at: what it paints of the clean picture, asked of the disturbed one.

A network that learns from somebody else's pictures cannot foretell every stroke of theirs, and paints the mean of what
it takes for possible: soft. Its own pictures it can paint again exactly, so nothing is left to learn but not to answer
to noise and sampling, and no sharpness is lost on the way.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylebridge_models.network import LEARNT, StyleNetwork

from .starts import begin_from


class Reference:
    """A network that does not learn.

    Args:
        weights: its state, see `begin_from`.
        sharpened: how much of its pictures' finest detail is added to what is aimed at, a share.
    """

    def __init__(self, weights: dict[str, Tensor], sharpened: float, device: str) -> None:
        network = StyleNetwork()
        begin_from(network, weights)
        self._network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self._sharpened = sharpened

    @torch.no_grad()
    def spread(self, first: Tensor, second: Tensor, mix: Tensor, amount: float, seed: list[int]) -> Tensor:
        """Codes (N, 137) between those of two rows of style pictures, and round about them: each goes up to `amount`
        of the way to another of the step, or as far away from it. So the network is at home where codes end up that
        are fitted to a picture."""
        code = torch.lerp(self._network.style(first), self._network.style(second), mix[:, None])
        ways = torch.from_numpy(np.random.default_rng(seed).uniform(-amount, amount, len(code))).float()
        moved = code + ways[:, None].to(code.device) * (code.roll(1, 0) - code)
        # Colours stay those of a picture: a covariance cannot be moved so.
        return torch.cat([moved[:, :LEARNT], code[:, LEARNT:]], 1)

    @torch.no_grad()
    def painted(self, contents: Tensor, thumbnails: Tensor, codes: Tensor) -> Tensor:
        """What it makes of clean contents, (N, 3, H, W) in [0, 1]; thumbnails of the first half serve both halves."""
        statistics = self._network.statistics(thumbnails)
        features = self._network.content(contents.contiguous(memory_format=torch.channels_last))
        painting = self._network.decoder(features, torch.cat([statistics] * 2), codes).float().clamp(0, 1)
        blurred = F.avg_pool2d(painting, 3, 1, 1, count_include_pad=False)
        return (painting + self._sharpened * (painting - blurred)).clamp(0, 1)
