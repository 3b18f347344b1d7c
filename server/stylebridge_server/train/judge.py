"""Content and style distance of any result, on features that no training here has seen: SqueezeNet 1.1.

The same distances as in `measures`, for results that no network at hand made: somebody else's clip.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylebridge_models.loss_networks import LossNetwork
from stylebridge_server.values import Rgb8

from . import losses

LAYERS = ("relu1", "fire3", "fire5", "fire6", "fire9")
_CONTENT = "fire5"
SMALLEST = 32  # shortest side of a picture that has features of every layer


Seen = dict[str, Tensor]  # features by layer


class Judge:
    """Compares pictures by what SqueezeNet sees in them.

    Args:
        network: SqueezeNet 1.1, from `loss_networks`.
    """

    def __init__(self, network: LossNetwork) -> None:
        network.check(LAYERS)
        self._network = network

    @torch.inference_mode()
    def see(self, picture: Rgb8) -> Seen:
        """The features of a picture, (H, W, 3) uint8 with sides of `SMALLEST` or more."""
        rgb = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        return self._network.features(rgb, LAYERS)


@torch.inference_mode()
def content_distance(result: Seen, source: Seen) -> float:
    """How far the result's things are from the source's, 0 and up: features of one layer after normalising each
    channel. Both pictures have one size."""
    return float(((_normalised(result[_CONTENT]) - _normalised(source[_CONTENT])) ** 2).mean())


@torch.inference_mode()
def style_distance(result: Seen, style: Seen) -> float:
    """How far the result's look is from the style's, 0 and up: means and deviations of five layers, as a share of the
    style's own energy. The pictures' sizes may differ."""
    a, b = ([seen[name] for name in LAYERS] for seen in (result, style))
    return float(losses.relative(losses.statistics(a), losses.statistics(b)))


def _normalised(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (2, 3), keepdim=True, correction=0)
    return (x - mean) / (variance + 1e-5).sqrt()
