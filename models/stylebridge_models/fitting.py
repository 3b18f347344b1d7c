"""A style picture to a code that does it justice: the style encoder's guess, then some steps on the code itself.

A style encoder that has seen few paintings puts one that it has not seen near those that it has. The decoder can do
better: so the code is moved, by gradients through the decoder, until what the network paints of a few pictures of
nothing in particular has the texture of the style picture. It takes seconds, once for each style.

Texture is what Portilla and Simoncelli 2000 ("A parametric texture model based on joint statistics of complex wavelet
coefficients") measure it by, simplified: means and deviations of oriented edges and lines, cut at nought, of three
opponent colours at four sizes. No network is in it, so nobody's weights are needed, and there is none to deceive.

Everything is drawn from fixed seeds and runs on the CPU: one picture gives one code, bit for bit, with one version of
torch, one instruction set and one number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .dead_leaves import dead_leaves
from .network import LEARNT, StyleNetwork, moments

FITTING_SIDE = 512  # short side, in pixels, at which texture is taken from a style picture
_PICTURES = 4  # that the network paints meanwhile, a different one every step
_SIZE = (128, 176)  # of these, height and width
_LEAVES = 400
_STEPS = 40
_RATE = 0.02  # of Adam at first: no number of a code moves further than this times the steps
_KEPT = 1.0  # weight of the code's way from where it began, so that what texture leaves open stays
_LEVELS = 4  # sizes of texture, each twice the one before
_ANGLES = 6
_REACH = 3  # pixels that a filter looks at each way
# How much more of the finest texture is asked for than the style has: photographs are softer than the pictures that
# codes are fitted on, and what was fitted on these alone would come out soft. More is crisper and less steady.
CRISP = 1.34
_FINE = (1.0, 0.15, 0.0, 0.0)  # how far the sizes, finest first, count as the finest texture
_FAINT = 1e-3  # energies much below this, of plain pictures, do not count
# Brightness, red against green, yellow against blue.
_OPPONENTS = ((0.33, 0.33, 0.33), (0.5, -0.5, 0.0), (0.25, 0.25, -0.5))


def _filters() -> Tensor:
    """Edges and lines of six directions, (12, 1, 7, 7), each blind to plain brightness and of mean strength 6."""
    y, x = torch.meshgrid(*[torch.arange(-_REACH, _REACH + 1.0)] * 2, indexing="ij")
    kernels = []
    for i in range(_ANGLES):
        angle = math.pi * i / _ANGLES
        u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        bell = torch.exp(-(u * u / (2 * 0.8**2) + v * v / (2 * 1.4**2)))
        for kernel in (u * bell, (u * u / 0.8**2 - 1) * bell):
            kernel = kernel - kernel.mean()
            kernels.append(6 * kernel / kernel.abs().sum())
    return torch.stack(kernels)[:, None]


def texture(rgb: Tensor, filters: Tensor) -> list[Tensor]:
    """Statistics of texture of pictures (N, 3, H, W), a row (N, 144) for every size that the pictures have."""
    rows = []
    opponents = torch.tensor(_OPPONENTS)
    for _ in range(_LEVELS):
        if min(rgb.shape[2:]) <= _REACH:
            break
        planes = torch.einsum("oc,nchw->nohw", opponents, rgb)
        count, _, height, width = planes.shape
        planes = F.pad(planes.reshape(-1, 1, height, width), (_REACH,) * 4, mode="reflect")
        found = F.conv2d(planes, filters).reshape(count, -1, height, width)
        rows.append(moments(torch.cat([F.relu(found), F.relu(-found)], 1)))
        rgb = F.avg_pool2d(rgb, 2)
    return rows


def distance(ours: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Squared distance of statistics as a share of the energy of those wanted, mean over sizes."""
    shares = [((a - b) ** 2).mean() / ((b**2).mean() + _FAINT) for a, b in zip(ours, wanted, strict=False)]
    return torch.stack(shares).mean()


class Fitting:
    """Fits codes of one network. Making one takes about as long as a step; it can be used again and again.

    Args:
        network: on the CPU, not learning; looked at, never changed.
    """

    def __init__(self, network: StyleNetwork) -> None:
        self._network = network
        self._scenes: list[tuple[Tensor, Tensor]] = []  # features and statistics
        with torch.inference_mode(False), torch.no_grad():
            self._filters = _filters()
            for seed in range(_PICTURES):
                picture = torch.from_numpy(dead_leaves(seed, *_SIZE, _LEAVES)).permute(2, 0, 1)[None]
                picture = picture.contiguous(memory_format=torch.channels_last)
                self._scenes.append((network.content(picture), network.statistics(picture)))

    def code(
        self, small: Tensor, large: Tensor, step: Callable[[], None] | None = None, crisp: float = CRISP
    ) -> Tensor:
        """The code (1, 137) of a style picture, (1, 3, H, W) in [0, 1], given at a short side of `STYLE_SIDE` and at
        one of `FITTING_SIDE`."""
        with torch.inference_mode(False), torch.no_grad():
            guess = self._network.style(small.clone())
        return self.fitted(guess, large, step, crisp)

    def fitted(
        self,
        code: Tensor,
        picture: Tensor,
        step: Callable[[], None] | None = None,
        crisp: float = CRISP,
    ) -> Tensor:
        """The code (1, 137) of a style picture, moved to where the network paints its texture best.

        Args:
            code: where to begin, (1, 137), from the style encoder. Colours are taken over as they are.
            picture: (1, 3, H, W) in [0, 1], the style at a short side of `FITTING_SIDE`.
            step: called before every step.
            crisp: how much of the finest texture is asked for; 1 is what the style has.
        """
        with torch.inference_mode(False), torch.enable_grad():
            found = texture(picture.clone(), self._filters)
            wanted = [row * (1 + (crisp - 1) * share) for row, share in zip(found, _FINE, strict=False)]
            begin, colours = code[:, :LEARNT].clone(), code[:, LEARNT:].clone()
            learnt = begin.clone().requires_grad_(True)
            optimiser = torch.optim.Adam([learnt], lr=_RATE)
            for number in range(_STEPS):
                if step:
                    step()
                features, statistics = self._scenes[number % len(self._scenes)]
                painting = self._network.decoder(features, statistics, torch.cat([learnt, colours], 1))
                loss = distance(texture(painting.clamp(0, 1), self._filters), wanted)
                loss = loss + _KEPT * ((learnt - begin) ** 2).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                for group in optimiser.param_groups:
                    group["lr"] = _RATE * math.sqrt(1 - number / _STEPS)
                optimiser.step()
            return torch.cat([learnt.detach(), colours], 1)
