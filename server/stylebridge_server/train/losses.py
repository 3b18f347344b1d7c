"""What training asks for: the teacher's picture, its texture, the style's own statistics, and steadiness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylebridge_models.network import moments

# (inputs, outputs) of VGG-19's convolutions up to conv3_1. Those up to conv3_4 would double the cost of a step.
_LAYERS = ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256))
_POOL_AFTER = (1, 3)
# Layers that losses look at: relu1_1, relu2_1, relu3_1.
_TAKEN = (0, 2, 4)
_MEAN_BGR = (103.939, 116.779, 123.68)


class Vgg:
    """VGG-19 (Simonyan and Zisserman 2014) up to relu3_1, as a measure of pictures; never trained, never
    shipped."""

    def __init__(self, weights: list[tuple[Tensor, Tensor]]) -> None:
        self.weights = weights

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Vgg:
        """Reads `group{n}-shard1of1`: little-endian float32, a kernel (h, w, in, out) and its bias, one file
        a layer."""
        weights = []
        for number, (inputs, outputs) in enumerate(_LAYERS, start=1):
            flat = torch.from_numpy(np.fromfile(folder / f"group{number}-shard1of1", "<f4"))
            kernel = flat[: 9 * inputs * outputs].view(3, 3, inputs, outputs).permute(3, 2, 0, 1)
            kernel = kernel.contiguous(memory_format=torch.channels_last).to(device)
            weights.append((kernel, flat[9 * inputs * outputs :].to(device)))
        return cls(weights)

    @classmethod
    def random(cls, seed: int = 0) -> Vgg:
        """Random filters: enough to try the machinery out without anybody's weights."""
        generator = torch.Generator().manual_seed(seed)
        return cls(
            [
                (torch.randn(o, i, 3, 3, generator=generator) * (2 / (9 * i)) ** 0.5, torch.zeros(o))
                for i, o in _LAYERS
            ]
        )

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Features of RGB in [0, 1], (N, 3, H, W), at the three layers taken."""
        mean = torch.tensor(_MEAN_BGR, device=rgb.device, dtype=rgb.dtype)
        x = rgb.flip(1) * 255 - mean[None, :, None, None]
        taken = []
        for i, (weight, bias) in enumerate(self.weights):
            x = F.relu(F.conv2d(x, weight, bias, padding=1))
            if i in _TAKEN:
                taken.append(x)
            if i in _POOL_AFTER:
                x = F.max_pool2d(x, 2)
        return taken


def statistics(features: list[Tensor]) -> list[Tensor]:
    """Mean and deviation of every channel of every layer, each (N, 2C): what a style is, to the losses."""
    return [moments(x) for x in features]


def windows(features: list[Tensor], count: int) -> list[Tensor]:
    """Like `statistics`, in count x count parts of the picture, each (N, 2C, count, count)."""
    rows = []
    for x in features:
        size = x.shape[-1] // count
        x = x.float()
        mean = F.avg_pool2d(x, size)
        square = F.avg_pool2d(x * x, size)
        rows.append(torch.cat([mean, ((square - mean * mean).clamp_min(0) + 1e-5).sqrt()], 1))
    return rows


def texture(a: Tensor, b: Tensor, levels: int = 3) -> Tensor:
    """How differently strong the fine structure of two pictures (N, 3, H, W) is, place by place.

    Compares energies, not values: what a pixel loss averages to a blur has too little of it.
    """
    parts = []
    for level in range(levels):
        energies = []
        for x in (a, b):
            fine = x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
            energies.append((F.avg_pool2d(fine * fine, 8, 4).sum(1) + 1e-5).sqrt())
        parts.append((energies[0] - energies[1]).abs().mean() / 2**level)
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return torch.stack(parts).sum()


def charbonnier(difference: Tensor, rounding: float = 1e-2) -> Tensor:
    """Mean of |difference|, rounded off near zero so that its slope is gentle where little is left to do."""
    return (difference.float() ** 2 + rounding**2).sqrt().mean() - rounding


def edges(difference: Tensor) -> Tensor:
    """Charbonnier of the horizontal and vertical slopes: strokes and their edges, not just tone."""
    return charbonnier(difference[..., 1:] - difference[..., :-1]) + charbonnier(
        difference[..., 1:, :] - difference[..., :-1, :]
    )


def relative(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Mean over layers of the squared distance of `a` to `b`, as a share of the energy of `b`."""
    parts = []
    for x, y in zip(a, b, strict=True):
        x, y = x.float(), y.detach().float()
        parts.append(((x - y) ** 2).mean() / ((y**2).mean() + 1e-6))
    return torch.stack(parts).mean()


def steadiness(a: Tensor, b: Tensor, shift_a: Tensor, shift_b: Tensor, ring: int = 16) -> Tensor:
    """How differently two views of one picture came out, compared where both show the same place.

    Args:
        a, b: (N, 3, H, W), two outputs.
        shift_a, shift_b: (N, 2) int, (x, y) of the views' corners on the common picture.
        ring: pixels left out all round, where the edges of the views tell in.
    """
    size = a.shape[-1]
    parts = []
    for i in range(a.shape[0]):
        difference = (shift_b[i] - shift_a[i]).tolist()
        # A point at p in view b lies at p + difference in view a.
        (x_a, x_b), (y_a, y_b) = ((max(d, 0), max(-d, 0)) for d in difference)
        width, height = size - abs(difference[0]), size - abs(difference[1])
        piece_a = a[i, :, y_a : y_a + height, x_a : x_a + width]
        piece_b = b[i, :, y_b : y_b + height, x_b : x_b + width]
        # Hardly rounded off: what faint noise changes counts too.
        parts.append(charbonnier((piece_a - piece_b)[:, ring:-ring, ring:-ring], 1e-3))
    return torch.stack(parts).mean()
