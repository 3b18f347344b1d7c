"""MicroAST (Wang et al. 2023, "MicroAST: Towards super-fast ultra-resolution arbitrary style transfer"): any style
picture, 0.47 million parameters.

Written from the paper and the shapes in its published weights (MIT licence), whose names of parameters it uses.
Nothing of theirs is shipped: the files are given by the person who wants to use them.

Colour: display-referred sRGB in [0, 1], RGB order, (N, 3, H, W). The features are normalised by their own
statistics over the whole picture (AdaIN), so the network is not local: it cannot work in tiles.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDE = 4  # sides must be multiples of this, or the output is larger than the input
SMALLEST = 12  # shortest side that edges can be reflected for
CHANNELS = 64
PARTS = ("content_encoder", "style_encoder", "modulator", "decoder")
SIGNALS = 8  # rows of a style's signals: mean, deviation, gain and share of both levels

_EPSILON = 1e-5

Weights = Mapping[str, Tensor]


class MicroAst:
    """Paints pictures after one another's style, exactly as published.

    Args:
        weights: the state dicts of the four parts, by part.
    """

    def __init__(self, weights: Mapping[str, Weights]) -> None:
        self.weights = weights

    def signals(self, style: Tensor) -> Tensor:
        """All that is needed to know of a style picture: (N, 8, 64)."""
        rows: list[Tensor] = []
        for level, x in enumerate(self.encode(style, "style_encoder"), start=1):
            rows += [moment.flatten(1) for moment in self.moments(x)]
            for kind in ("weight", "bias"):
                filtered = self.conv(x, self.weights["modulator"], f"{kind}{level}.0")
                rows.append(self.inside(filtered).float().mean((2, 3)))
        return torch.stack(rows, 1)

    def stylise(self, content: Tensor, signals: Tensor) -> Tensor:
        """`content` in the style that `signals` describe; not clamped."""
        _, features = self.encode(content, "content_encoder")
        return self.paint(self.steer(features, signals))

    def encode(self, rgb: Tensor, part: str) -> tuple[Tensor, Tensor]:
        """Features (N, 64, H/4, W/4) after the first and after the second residual block."""
        w = self.weights[part]
        x = F.relu(self.conv(rgb, w, "enc1.0"))
        for i, stride in ((2, 2), (4, 1), (6, 2), (8, 1)):
            x = F.relu(self.conv(x, w, f"enc1.{i}", stride))
        first = self._residual(x, w, "enc1.10")
        return first, self._residual(first, w, "enc2.0")

    def steer(self, features: Tensor, signals: Tensor) -> Tensor:
        """The features after the style has worked on them, (N, 64, h, w)."""
        x = features
        rows = [row[:, :, None, None] for row in signals.unbind(1)]
        for name, (mean, std, gain, share) in (("dec1", rows[4:]), ("dec2", rows[:4])):
            own_mean, own_std = self.moments(x)
            x = ((x - own_mean) / own_std * std + mean).to(x.dtype)
            x = self._modulated(x, name, gain.to(x.dtype), share.to(x.dtype))
        return x

    def paint(self, steered: Tensor) -> Tensor:
        """Features to RGB (N, 3, 4h, 4w)."""
        x, w = steered, self.weights["decoder"]
        for i, j in ((1, 3), (6, 8)):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = F.relu(self.conv(F.relu(self.conv(x, w, f"dec3.{i}")), w, f"dec3.{j}"))
        return self.conv(x, w, "dec3.10")

    # How edges are treated; the teacher of our own network has another way, which is faster.

    def conv(self, x: Tensor, weights: Weights, name: str, stride: int = 1) -> Tensor:
        """A convolution over the picture with its edge reflected."""
        return convolved(F.pad(x, (reach(weights, name),) * 4, mode="reflect"), weights, name, stride)

    def inside(self, x: Tensor) -> Tensor:
        """The part of features that statistics are taken over."""
        return x

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of every channel, each (N, C, 1, 1) float32."""
        variance, mean = torch.var_mean(self.inside(x).float(), (2, 3), keepdim=True)
        return mean, (variance + _EPSILON).sqrt()

    def _residual(self, x: Tensor, weights: Weights, name: str) -> Tensor:
        y = F.relu(self.conv(x, weights, f"{name}.conv1"))
        return x + self.conv(y, weights, f"{name}.conv2")

    def _modulated(self, x: Tensor, name: str, gain: Tensor, share: Tensor) -> Tensor:
        w = self.weights["decoder"]
        y = F.relu(gain * self.conv(x, w, f"{name}.conv1") + share * x)
        return x + gain * self.conv(y, w, f"{name}.conv2") + share * y


def reach(weights: Weights, name: str) -> int:
    """How far a convolution looks beyond a pixel."""
    return weights[f"{name}.conv_layer.weight"].shape[-1] // 2


def convolved(x: Tensor, weights: Weights, name: str, stride: int = 1, padding: int = 0) -> Tensor:
    """A convolution; the number of groups follows from the shape of the weight."""
    weight, bias = weights[f"{name}.conv_layer.weight"], weights[f"{name}.conv_layer.bias"]
    return F.conv2d(x, weight, bias, stride, padding, groups=x.shape[1] // weight.shape[1])


def joined(parts: Mapping[str, Weights]) -> dict[str, Tensor]:
    """The four parts as one table, "part.name" to tensor."""
    return {f"{part}.{name}": value for part in PARTS for name, value in parts[part].items()}


def parted(state: Weights) -> dict[str, dict[str, Tensor]]:
    """What `joined` put together."""
    return {
        part: {name[len(part) + 1 :]: value for name, value in state.items() if name.startswith(f"{part}.")}
        for part in PARTS
    }


def shapes() -> dict[str, tuple[int, ...]]:
    """Name to shape of every parameter, by the names of `joined`."""
    encoder = {
        **_of("enc1.0", 16, 3, 9),
        **_of("enc1.2", 32, 1, 3),
        **_of("enc1.4", 32, 32, 1),
        **_of("enc1.6", CHANNELS, 1, 3),
        **_of("enc1.8", CHANNELS, CHANNELS, 1),
        **_block("enc1.10"),
        **_block("enc2.0"),
    }
    modulator: dict[str, tuple[int, ...]] = {}
    for name in ("weight1", "bias1", "weight2", "bias2"):
        modulator |= _of(f"{name}.0", CHANNELS, 1, 3)
    decoder = {
        **_block("dec1"),
        **_block("dec2"),
        **_of("dec3.1", 32, 2, 3),
        **_of("dec3.3", 32, 32, 1),
        **_of("dec3.6", 16, 2, 3),
        **_of("dec3.8", 16, 16, 1),
        **_of("dec3.10", 3, 16, 9),
    }
    parts = dict(zip(PARTS, (encoder, encoder, modulator, decoder), strict=True))
    return {f"{part}.{name}": shape for part, rows in parts.items() for name, shape in rows.items()}


def _of(name: str, outputs: int, inputs: int, size: int) -> dict[str, tuple[int, ...]]:
    layer = f"{name}.conv_layer"
    return {f"{layer}.weight": (outputs, inputs, size, size), f"{layer}.bias": (outputs,)}


def _block(name: str) -> dict[str, tuple[int, ...]]:
    return {
        **_of(f"{name}.conv1", CHANNELS, CHANNELS, 3),
        **_of(f"{name}.conv2", CHANNELS, CHANNELS, 3),
    }
