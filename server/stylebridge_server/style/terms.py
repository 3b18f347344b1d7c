"""What style transfer asks of a picture, in torch: training a network and optimising a picture ask alike.

Distances of features are shares of the energy of what is compared with. So layers count alike, and a weight means the
same with every loss network, however large its numbers are.

Content and Gram matrices: Gatys, Ecker and Bethge 2016. Means and deviations: Huang and Belongie 2017. Temporal terms:
Ruder, Dosovitskiy and Brox 2016.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

GRAM, MOMENTS = "gram", "moments"
STYLE_KINDS = (GRAM, MOMENTS)

_LEAST = 1e-8  # of the energy that a distance is divided by: a black picture has none


def gram(features: Tensor) -> Tensor:
    """How channels go together: (N, C, H, W) to (N, C, C) float32, a mean over places, per channel."""
    n, c, h, w = features.shape
    # Autocast would multiply in 16 bits, and these sums overflow or drown there.
    with torch.autocast(features.device.type, enabled=False):
        flat = features.reshape(n, c, h * w).float()
        return flat @ flat.transpose(1, 2) / (c * h * w)


def moments(features: Tensor) -> Tensor:
    """Mean and deviation of every channel: (N, C, H, W) to (N, 2C) float32."""
    variance, mean = torch.var_mean(features.float(), (2, 3), correction=0)
    return torch.cat([mean, (variance + 1e-5).sqrt()], 1)


def summary(features: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """What a style is, by layer: `GRAM` matrices or `MOMENTS`."""
    one = gram if kind == GRAM else moments
    return {name: one(value) for name, value in features.items()}


def blended(summaries: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """One style of several, by weights, which need not add up to 1."""
    total = sum(weights)
    return {
        name: torch.stack([w / total * one[name] for w, one in zip(weights, summaries, strict=True)]).sum(0)
        for name in summaries[0]
    }


def distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance as a share of the energy of `wanted`, whose batch may be 1: a scalar."""
    found, wanted = found.float(), wanted.detach().float()
    return ((found - wanted) ** 2).mean() / ((wanted**2).mean() + _LEAST)


def weighted(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], layers: Sequence[str], weights: Sequence[float]
) -> Tensor:
    """Mean over layers of `distance`, by the layers' weights: a scalar."""
    parts = [w * distance(found[name], wanted[name]) for name, w in zip(layers, weights, strict=True)]
    return torch.stack(parts).sum() / sum(weights)


def total_variation(rgb: Tensor) -> Tensor:
    """Mean squared difference of neighbours, down and across."""
    rgb = rgb.float()
    down, across = rgb[..., 1:, :] - rgb[..., :-1, :], rgb[..., 1:] - rgb[..., :-1]
    return sum((d**2).mean() for d in (down, across) if d.numel()) + rgb.new_zeros(())


def warped(x: Tensor, flow: Tensor) -> Tensor:
    """`x` read where the flow points, bilinear; the edge goes on outside. Gradients reach `x`.

    Args:
        x: (N, C, H, W).
        flow: (N, H, W, 2), displacements (x, y) in pixels of x.
    """
    height, width = x.shape[2:]
    columns = torch.arange(width, device=x.device, dtype=torch.float32)
    rows = torch.arange(height, device=x.device, dtype=torch.float32)
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) + flow.float()
    # Pixel centres: a picture of one pixel has its only centre in the middle.
    size = torch.tensor([width, height], device=x.device, dtype=torch.float32)
    return F.grid_sample(
        x.float(), (places + 0.5) * 2 / size - 1, mode="bilinear", padding_mode="border", align_corners=False
    )


def temporal(later: Tensor, earlier: Tensor, flow: Tensor, mask: Tensor) -> Tensor:
    """How far a picture is from the one before it, brought to it by flow, where that can be believed: a scalar.

    Args:
        later, earlier: (N, C, H, W) two outputs, or features of them. Gradients reach both.
        flow: (N, H, W, 2) pixels, from the later picture back to the earlier.
        mask: (N, H, W) in [0, 1], 0 where the later picture shows what the earlier does not.
    """
    difference = (later.float() - warped(earlier, flow)) ** 2
    return (mask[:, None].float() * difference).mean()
