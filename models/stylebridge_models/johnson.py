"""Johnson's feed-forward network (Johnson, Alahi and Li 2016, "Perceptual losses for real-time style transfer"): one
network for each style, about 1.7 million parameters.

The variant of the widely used PyTorch example: instance normalisation (Ulyanov et al. 2016), edges reflected at
every convolution, enlarging by nearest neighbour and a convolution. Names of parameters are that example's, so its
checkpoints can be loaded. Networks that are trained here may have filter response normalisation (Singh and Krishnan
2019) in its place, which makes no dots and blotches, and other widths and numbers of blocks.

Colour: display-referred sRGB in 0 to 255, RGB order, (N, 3, H, W), in and out; the output is not clamped. Either
normalisation takes statistics over the whole picture, so the network is not local: it cannot work in tiles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4  # the output's sides are the input's, rounded up to multiples of this
SMALLEST = 8  # shortest side that edges can be reflected for

EPSILON = 1e-5  # added to the variance by torch's own instance normalisation
OLD_EPSILON = 1e-9  # by the first version of the example, whose checkpoints say `scale` and `shift`

WIDTHS = (32, 64, 128)
BLOCKS = 5

INSTANCE, FILTER_RESPONSE = "instance", "filter_response"
NORMALISATIONS = (INSTANCE, FILTER_RESPONSE)


class Conv(nn.Module):
    """A convolution over the picture with its edge reflected, of twice the size first where `enlarge`."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, enlarge: bool = False) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.conv2d = nn.Conv2d(inputs, outputs, size, stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.enlarge:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv2d(F.pad(x, (self.conv2d.kernel_size[0] // 2,) * 4, mode="reflect"))


class FilterResponse(nn.Module):
    """Filter response normalisation: each channel over the root of its mean square, with a gain and an offset, and a
    learnt threshold where a ReLU would be."""

    def __init__(self, channels: int, epsilon: float, threshold: bool) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.threshold = nn.Parameter(torch.zeros(channels)) if threshold else None

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()  # squares overflow or drown in 16 bits
        scale = torch.rsqrt((wide * wide).mean((2, 3), keepdim=True) + self.epsilon)
        gain, offset = (one[None, :, None, None] for one in (self.weight, self.bias))
        y = wide * (scale * gain) + offset
        if self.threshold is not None:
            y = torch.maximum(y, self.threshold[None, :, None, None])
        return y.to(x.dtype)


class Instance(nn.InstanceNorm2d):
    """Instance normalisation, and a ReLU where an activation is wanted."""

    def __init__(self, channels: int, epsilon: float, activate: bool) -> None:
        super().__init__(channels, epsilon, affine=True)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return F.relu(y) if self.activate else y


def _norm(kind: str, channels: int, epsilon: float, activate: bool) -> nn.Module:
    return (FilterResponse if kind == FILTER_RESPONSE else Instance)(channels, epsilon, activate)


class Block(nn.Module):
    """x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, channels: int, epsilon: float, normalisation: str) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels, 3)
        self.in1 = _norm(normalisation, channels, epsilon, activate=True)
        self.conv2 = Conv(channels, channels, 3)
        self.in2 = _norm(normalisation, channels, epsilon, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.in2(self.conv2(self.in1(self.conv1(x))))


class JohnsonNetwork(nn.Module):
    """RGB in 0 to 255 to RGB in about 0 to 255.

    Args:
        epsilon: added to variances; `EPSILON`, or `OLD_EPSILON` for the oldest checkpoints.
        normalisation: one of `NORMALISATIONS`.
        widths: channels at full, half and quarter resolution.
        blocks: residual blocks at quarter resolution.
    """

    def __init__(
        self,
        epsilon: float = EPSILON,
        normalisation: str = INSTANCE,
        widths: Sequence[int] = WIDTHS,
        blocks: int = BLOCKS,
    ) -> None:
        super().__init__()
        full, half, quarter = widths
        self.blocks = blocks
        self.conv1, self.conv2, self.conv3 = (
            Conv(3, full, 9),
            Conv(full, half, 3, 2),
            Conv(half, quarter, 3, 2),
        )
        self.deconv1, self.deconv2 = Conv(quarter, half, 3, enlarge=True), Conv(half, full, 3, enlarge=True)
        self.deconv3 = Conv(full, 3, 9)
        for number, width in enumerate((full, half, quarter, half, full), start=1):
            self.add_module(f"in{number}", _norm(normalisation, width, epsilon, activate=True))
        for number in range(1, blocks + 1):
            self.add_module(f"res{number}", Block(quarter, epsilon, normalisation))

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in (("conv1", "in1"), ("conv2", "in2"), ("conv3", "in3")):
            x = self._modules[norm](self._modules[conv](x))  # type: ignore[misc]
        for number in range(1, self.blocks + 1):
            x = self._modules[f"res{number}"](x)  # type: ignore[misc]
        for conv, norm in (("deconv1", "in4"), ("deconv2", "in5")):
            x = self._modules[norm](self._modules[conv](x))  # type: ignore[misc]
        return self.deconv3(x)


def build(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of `JohnsonNetwork`, but its epsilon, that fit a checkpoint under the present names; the usual
    ones where it does not say."""

    def outputs(name: str, usual: int) -> int:
        weight = state.get(f"{name}.conv2d.weight")
        return usual if weight is None or weight.dim() != 4 else weight.shape[0]

    numbers = {int(found[1]) for name in state if (found := re.match(r"res(\d{1,3})\.", name))}
    return {
        "normalisation": FILTER_RESPONSE if any(n.endswith(".threshold") for n in state) else INSTANCE,
        "widths": [outputs(f"conv{i}", usual) for i, usual in enumerate(WIDTHS, start=1)],
        "blocks": max(numbers, default=BLOCKS),
    }


def shapes(
    normalisation: str = INSTANCE, widths: Sequence[int] = WIDTHS, blocks: int = BLOCKS
) -> dict[str, tuple[int, ...]]:
    """Name to shape of every parameter."""
    with torch.device("meta"):
        network = JohnsonNetwork(normalisation=normalisation, widths=widths, blocks=blocks)
        return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def renamed(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
    """A checkpoint of any age under the present names, and the epsilon that it was trained with.

    Running statistics, which old versions of torch stored and the network never used, are left out. `scale` and
    `shift` become `weight` and `bias`.
    """
    kept: dict[str, Tensor] = {}
    old = False
    for name, value in state.items():
        if re.search(r"(^|\.)in\d+\.(running_(mean|var)|num_batches_tracked)$", name):
            continue
        found = re.fullmatch(r"(.*\bin\d+)\.(scale|shift)", name)
        if found:
            old = True
            name = f"{found[1]}.{'weight' if found[2] == 'scale' else 'bias'}"
        kept[name] = value
    return kept, OLD_EPSILON if old else EPSILON
