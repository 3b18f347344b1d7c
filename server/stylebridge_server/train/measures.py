"""Measures of a style network, on features that no training here has seen: SqueezeNet 1.1.

All distances are shares of the energy of what is compared with, so that layers count alike; lower is better.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylebridge_models.fitting import FITTING_SIDE, Fitting
from stylebridge_models.network import STYLE_SIDE, THUMBNAIL_SIDE, StyleNetwork
from stylebridge_server.style import pixels

from . import losses
from .pictures import Rgb8, shortened
from .run import tensor
from .teacher import MicroAst

# (content, style) to the styled content, both (1, 3, H, W) float32 in [0, 1], sides multiples of 4.
Stylise = Callable[[Tensor, Tensor], Tensor]

_TAKEN = (1, 4, 7, 9, 12)  # after the first ReLU and four of the fire modules
_CONTENT = 2  # the one of them that content is compared on
_MEAN_BGR = (104.0, 117.0, 123.0)


class SqueezeNet:
    """SqueezeNet 1.1 (Iandola et al. 2016) as a measure."""

    def __init__(self, weights: Path) -> None:
        """Reads an .npz with torchvision's names for the Caffe weights."""
        import torchvision

        network = torchvision.models.squeezenet1_1(weights=None)
        network.features[0].padding = (0, 0)
        with np.load(weights) as arrays:
            network.load_state_dict({name: torch.from_numpy(arrays[name]).float() for name in arrays.files})
        self.layers = network.features.eval()

    @torch.inference_mode()
    def features(self, rgb: Tensor) -> list[Tensor]:
        """Features of RGB in [0, 1], (N, 3, H, W), at the layers taken."""
        x = rgb.flip(1) * 255 - torch.tensor(_MEAN_BGR)[None, :, None, None]
        taken = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in _TAKEN:
                taken.append(x)
        return taken


@dataclass(frozen=True)
class Measures:
    """Means over all pictures and styles.

    Attributes:
        content: distance of the result to the content, features of one layer, after normalising each channel.
        style: distance of the result to the style, means and deviations of five layers.
        noise: what share of input noise, deviation 0.02, comes through: deviation of the change over 0.02.
        shift: mean absolute change, in [0, 1], when the input is shifted by whole pixels and the output back.
        sharpness: mean absolute Laplacian of the result's luma, in units of 1/255.
    """

    content: float
    style: float
    noise: float
    shift: float
    sharpness: float


def _normalised(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (2, 3), keepdim=True, correction=0)
    return (x - mean) / (variance + 1e-5).sqrt()


def _sharpness(rgb: Tensor) -> float:
    luma = (rgb * torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]).sum(1, keepdim=True) * 255
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return float(F.conv2d(luma, kernel).abs().mean())


@torch.inference_mode()
def evaluate(
    stylise: Stylise, contents: Sequence[Rgb8], styles: Sequence[Rgb8], judge: SqueezeNet
) -> Measures:
    """Every content in every style. Contents and styles: (H, W, 3) uint8 with sides that are multiples of
    4."""
    rows = []
    for number, content in enumerate(contents):
        x = tensor(content)[None]
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(number)) * 0.02
        wanted_content = _normalised(judge.features(x)[_CONTENT])
        for style in styles:
            s = tensor(style)[None]
            output = stylise(x, s).clamp(0, 1)
            ours = judge.features(output)
            noisy = stylise((x + noise).clamp(0, 1), s).clamp(0, 1)
            # Shifted by (3, 2) and cut to whole cells; the rim, where the edge tells in, is left out.
            shifted = stylise(x[..., 2:-2, 3:-1], s).clamp(0, 1)
            change = (shifted - output[..., 2:-2, 3:-1])[..., 32:-32, 32:-32]
            rows.append(
                (
                    float(((_normalised(ours[_CONTENT]) - wanted_content) ** 2).mean()),
                    float(losses.relative(losses.statistics(ours), losses.statistics(judge.features(s)))),
                    float((noisy - output).std()) / 0.02,
                    float(change.abs().mean()),
                    _sharpness(output),
                )
            )
    return Measures(*np.mean(rows, 0).tolist())


def of_network(network: StyleNetwork) -> Stylise:
    """Our network on whole pictures as the engine runs it: grain calmed, codes fitted, the scene's statistics taken
    from the picture itself."""
    fitting = Fitting(network)
    codes: dict[bytes, Tensor] = {}

    def stylise(content: Tensor, style: Tensor) -> Tensor:
        def small(x: Tensor, side: int) -> Tensor:
            scale = side / min(x.shape[2:])
            size = [max(side, round(n * scale / 4) * 4) for n in x.shape[2:]]
            return F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)

        calm = torch.from_numpy(pixels.calmed(content[0].permute(1, 2, 0).contiguous().numpy()))
        features = network.content(calm.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last))
        statistics = network.statistics(small(content, THUMBNAIL_SIDE))
        name = hashlib.sha256(style.numpy().tobytes()).digest()
        if name not in codes:
            codes[name] = fitting.code(small(style, STYLE_SIDE), small(style, FITTING_SIDE))
        return network.decoder(features, statistics, codes[name])

    return stylise


def of_teacher(teacher: MicroAst) -> Stylise:
    """MicroAST on whole pictures."""
    return lambda content, style: teacher.stylise(content, teacher.signals(style))


def whole_cells(picture: Rgb8, side: int) -> Rgb8:
    """The picture at a short side of `side`, cut to sides that are multiples of 4."""
    short = shortened(picture, side)
    return short[: short.shape[0] // 4 * 4, : short.shape[1] // 4 * 4]


def table(results: dict[str, Measures]) -> str:
    """Results by name as a Markdown table."""
    columns = list(asdict(next(iter(results.values()))))
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for name, measures in results.items():
        lines.append(
            f"| {name} | " + " | ".join(f"{value:.4g}" for value in asdict(measures).values()) + " |"
        )
    return "\n".join(lines)
