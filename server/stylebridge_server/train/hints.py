"""What the teacher thinks on the way to its picture, as a lesson: features and signals to be read off the student.

A student that is told only the picture has to find out everything between by itself (FitNets, Romero et al. 2015).
Three linear readings, used in training alone, compare the student's content features, its steered features and its
style code with the teacher's; the student may hold them in any order and any mixture.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stylebridge_models.network import CHANNELS, LEARNT

_TEACHER = 64  # channels of the teacher's features
_SIGNALS = 8 * _TEACHER


class Hints(nn.Module):
    """The three readings. Each method gives a loss: the squared distance as a share of the teacher's energy."""

    def __init__(self) -> None:
        super().__init__()
        self.from_encoded = nn.Conv2d(CHANNELS, _TEACHER, 1)
        self.from_steered = nn.Conv2d(CHANNELS, _TEACHER, 1)
        self.from_code = nn.Linear(LEARNT, _SIGNALS)
        for reading in (self.from_encoded, self.from_steered, self.from_code):
            nn.init.zeros_(
                reading.weight
            )  # nothing is asked of the student before the reading knows it a little
            nn.init.zeros_(reading.bias)  # type: ignore[arg-type]
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(_SIGNALS))
        self.register_buffer("deviation", torch.ones(_SIGNALS))

    def settle(self, signals: Tensor) -> None:
        """What the signals of ordinary styles, (N, 8, 64), are like: their distances count relative to it."""
        deviation, mean = torch.std_mean(signals.float().flatten(1), 0)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation + 0.05 * deviation.mean())

    def encoded(self, features: Tensor, wanted: Tensor) -> Tensor:
        return _share(self.from_encoded(features), wanted)

    def steered(self, features: Tensor, wanted: Tensor) -> Tensor:
        return _share(self.from_steered(features), wanted)

    def signals(self, code: Tensor, wanted: Tensor) -> Tensor:
        """`code` (N, 137), `wanted` (N, 8, 64)."""
        normal = (wanted.float().flatten(1) - self.mean) / self.deviation
        return ((self.from_code(code[:, :LEARNT]) - normal) ** 2).mean()


def _share(ours: Tensor, wanted: Tensor, ring: int = 2) -> Tensor:
    """The outermost cells, where the crop's edge tells in, do not count."""
    inside = (..., slice(ring, -ring), slice(ring, -ring))
    difference = (ours[inside] - wanted[inside]) ** 2
    return (difference.mean((1, 2, 3)) / (wanted[inside] ** 2).mean((1, 2, 3))).mean()
