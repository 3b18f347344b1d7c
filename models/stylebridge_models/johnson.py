"""Johnson's feed-forward network (Johnson, Alahi and Li 2016, "Perceptual losses for real-time style transfer"): one
network for each style, about 1.7 million parameters.

The variant of the widely used PyTorch example: instance normalisation (Ulyanov et al. 2016), edges reflected at
every convolution, enlarging by nearest neighbour and a convolution. Names of parameters are that example's, so its
checkpoints can be loaded.

Colour: display-referred sRGB in 0 to 255, RGB order, (N, 3, H, W), in and out; the output is not clamped. Instance
normalisation takes statistics over the whole picture, so the network is not local: it cannot work in tiles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4  # the output's sides are the input's, rounded up to multiples of this
SMALLEST = 8  # shortest side that edges can be reflected for

EPSILON = 1e-5  # added to the variance by torch's own instance normalisation
OLD_EPSILON = 1e-9  # by the first version of the example, whose checkpoints say `scale` and `shift`

_WIDTHS = (32, 64, 128)
_BLOCKS = 5


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


class Block(nn.Module):
    """x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels, 3)
        self.in1 = nn.InstanceNorm2d(channels, epsilon, affine=True)
        self.conv2 = Conv(channels, channels, 3)
        self.in2 = nn.InstanceNorm2d(channels, epsilon, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.in2(self.conv2(F.relu(self.in1(self.conv1(x)))))


class JohnsonNetwork(nn.Module):
    """RGB in 0 to 255 to RGB in about 0 to 255.

    Args:
        epsilon: added to variances; `EPSILON`, or `OLD_EPSILON` for the oldest checkpoints.
    """

    def __init__(self, epsilon: float = EPSILON) -> None:
        super().__init__()
        full, half, quarter = _WIDTHS
        self.conv1, self.conv2, self.conv3 = (
            Conv(3, full, 9),
            Conv(full, half, 3, 2),
            Conv(half, quarter, 3, 2),
        )
        self.deconv1, self.deconv2 = Conv(quarter, half, 3, enlarge=True), Conv(half, full, 3, enlarge=True)
        self.deconv3 = Conv(full, 3, 9)
        for number, width in enumerate((full, half, quarter, half, full), start=1):
            self.add_module(f"in{number}", nn.InstanceNorm2d(width, epsilon, affine=True))
        for number in range(1, _BLOCKS + 1):
            self.add_module(f"res{number}", Block(quarter, epsilon))

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in (("conv1", "in1"), ("conv2", "in2"), ("conv3", "in3")):
            x = F.relu(self._modules[norm](self._modules[conv](x)))  # type: ignore[misc]
        for number in range(1, _BLOCKS + 1):
            x = self._modules[f"res{number}"](x)  # type: ignore[misc]
        for conv, norm in (("deconv1", "in4"), ("deconv2", "in5")):
            x = F.relu(self._modules[norm](self._modules[conv](x)))  # type: ignore[misc]
        return self.deconv3(x)


def shapes() -> dict[str, tuple[int, ...]]:
    """Name to shape of every parameter."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in JohnsonNetwork().state_dict().items()}


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
