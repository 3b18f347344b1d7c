"""A reading of MicroAST (Wang et al., AAAI 2023), used as a teacher: it paints the targets that our network
learns.

Written from the paper and the shapes in its published weights (MIT licence). Nothing of it is shipped: it is
needed only while training and for comparison, and its files are given by the person who trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]

# The original reflects the edge at every layer, which costs half its time here and draws a ring along the
# border. Here the picture is extended once by this many cells of 4 pixels, statistics leave them out, and
# they are cut off.
_RIM = 12

PARTS = ("content_encoder", "style_encoder", "modulator", "decoder")


def _conv(x: Tensor, weights: Weights, name: str, stride: int = 1) -> Tensor:
    """A convolution; the number of groups follows from the shape of the weight."""
    weight, bias = weights[f"{name}.conv_layer.weight"], weights[f"{name}.conv_layer.bias"]
    groups = x.shape[1] // weight.shape[1]
    return F.conv2d(x, weight, bias, stride=stride, padding=weight.shape[-1] // 2, groups=groups)


def _inside(x: Tensor, cell: int = 1) -> Tensor:
    """`x` without its rim; `cell` is the side of a cell in samples of `x`."""
    rim = _RIM * cell
    return x[..., rim:-rim, rim:-rim]


def _extended(rgb: Tensor) -> Tensor:
    wide = F.pad(rgb, (4 * _RIM,) * 4, mode="reflect")
    return wide.contiguous(memory_format=torch.channels_last)


def _mean_std(x: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(_inside(x).float(), (2, 3), keepdim=True)
    return mean, (variance + 1e-5).sqrt()


def _adain(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    own_mean, own_std = _mean_std(x)
    return ((x - own_mean) / own_std * std + mean).to(x.dtype)


@dataclass(frozen=True)
class Painting:
    """What the teacher made of a picture (N, 3, H, W).

    Attributes:
        picture: (N, 3, H, W) in [0, 1].
        encoded: its features of the content, (N, 64, H/4, W/4), every channel of mean 0 and deviation 1.
        steered: the features after the style has worked on them, (N, 64, H/4, W/4).
    """

    picture: Tensor
    encoded: Tensor
    steered: Tensor


class MicroAst:
    """Stylises pictures after one another's style. RGB in [0, 1], (N, 3, H, W), sides multiples of 4."""

    def __init__(self, weights: dict[str, Weights]) -> None:
        self.weights = weights

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> MicroAst:
        """Reads the four files of the release from `folder`."""
        parts: dict[str, Weights] = {}
        for part in PARTS:
            (path,) = sorted(folder.glob(f"{part}*.pth*"))
            state = torch.load(path, map_location=device, weights_only=True)
            parts[part] = {
                name: value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
                for name, value in state.items()
            }
        return cls(parts)

    def _encode(self, x: Tensor, part: str) -> tuple[Tensor, Tensor]:
        """Features after the first and after the second residual block, at a quarter of the resolution."""
        w = self.weights[part]
        x = F.relu(_conv(x, w, "enc1.0"))
        for i, stride in ((2, 2), (4, 1), (6, 2), (8, 1)):
            x = F.relu(_conv(x, w, f"enc1.{i}", stride))
        first = x + _conv(F.relu(_conv(x, w, "enc1.10.conv1")), w, "enc1.10.conv2")
        second = first + _conv(F.relu(_conv(first, w, "enc2.0.conv1")), w, "enc2.0.conv2")
        return first, second

    def signals(self, style: Tensor) -> Tensor:
        """All that the decoder needs to know of a style: (N, 8, 64), mean, std, weight and bias of both
        levels."""
        rows: list[Tensor] = []
        for level, x in enumerate(self._encode(_extended(style), "style_encoder"), start=1):
            modulator = self.weights["modulator"]
            rows += [moment.flatten(1) for moment in _mean_std(x)]
            for kind in ("weight", "bias"):
                rows.append(_inside(_conv(x, modulator, f"{kind}{level}.0")).float().mean((2, 3)))
        return torch.stack(rows, 1)

    def _modulated(self, x: Tensor, name: str, gain: Tensor, share: Tensor) -> Tensor:
        w = self.weights["decoder"]
        y = F.relu(gain * _conv(x, w, f"{name}.conv1") + share * x)
        return x + gain * _conv(y, w, f"{name}.conv2") + share * y

    def stylise(self, content: Tensor, signals: Tensor) -> Tensor:
        """`content` in the style that `signals` describe; RGB clamped to [0, 1]."""
        return self.painting(content, signals).picture

    def painting(self, content: Tensor, signals: Tensor) -> Painting:
        """Like `stylise`, with what the teacher thought on the way."""
        _, x = self._encode(_extended(content), "content_encoder")
        mean, std = _mean_std(x)
        encoded = _inside((x - mean) / std)
        rows = [row[:, :, None, None] for row in signals.unbind(1)]
        for name, level in (("dec1", rows[4:]), ("dec2", rows[:4])):
            mean, std, gain, share = level
            x = self._modulated(_adain(x, mean, std), name, gain.to(x.dtype), share.to(x.dtype))
        w, steered = self.weights["decoder"], _inside(x)
        for i, j in ((1, 3), (6, 8)):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = F.relu(_conv(F.relu(_conv(x, w, f"dec3.{i}")), w, f"dec3.{j}"))
        return Painting(_inside(_conv(x, w, "dec3.10"), 4).float().clamp(0, 1), encoded, steered)
