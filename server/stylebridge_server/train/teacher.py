"""MicroAST as a teacher: it paints the targets that our network learns.

Nothing of it is shipped: it is needed only while training and for comparison, and its files are given by the person
who trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stylebridge_models import checkpoints, microast
from stylebridge_models.microast import PARTS, Weights

# The original reflects the edge at every layer, which costs half its time here and draws a ring along the
# border. Here the picture is extended once by this many cells of 4 pixels, statistics leave them out, and
# they are cut off.
_RIM = 12


def _inside(x: Tensor, cell: int = 1) -> Tensor:
    """`x` without its rim; `cell` is the side of a cell in samples of `x`."""
    rim = _RIM * cell
    return x[..., rim:-rim, rim:-rim]


def _extended(rgb: Tensor) -> Tensor:
    wide = F.pad(rgb, (microast.STRIDE * _RIM,) * 4, mode="reflect")
    return wide.contiguous(memory_format=torch.channels_last)


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


class MicroAst(microast.MicroAst):
    """Stylises pictures after one another's style. RGB in [0, 1], (N, 3, H, W), sides multiples of 4."""

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> MicroAst:
        """Reads the four files of the release from `folder`."""
        parts: dict[str, Weights] = {}
        for part in PARTS:
            (path,) = sorted(folder.glob(f"{part}*.pth*"))
            state = {name: value.to(device) for name, value in checkpoints.read(path).items()}
            parts[part] = {
                name: value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
                for name, value in state.items()
            }
        return cls(parts)

    def conv(self, x: Tensor, weights: Mapping[str, Tensor], name: str, stride: int = 1) -> Tensor:
        """A convolution with zeros beyond the rim, where nothing is looked at."""
        return microast.convolved(x, weights, name, stride, microast.reach(weights, name))

    def inside(self, x: Tensor) -> Tensor:
        """Features without the rim."""
        return _inside(x)

    def signals(self, style: Tensor) -> Tensor:
        """As in `microast.MicroAst.signals`."""
        return super().signals(_extended(style))

    def stylise(self, content: Tensor, signals: Tensor) -> Tensor:
        """`content` in the style that `signals` describe; RGB clamped to [0, 1]."""
        return self.painting(content, signals).picture

    def painting(self, content: Tensor, signals: Tensor) -> Painting:
        """Like `stylise`, with what the teacher thought on the way."""
        _, x = self.encode(_extended(content), "content_encoder")
        mean, std = self.moments(x)
        steered = self.steer(x, signals)
        picture = _inside(self.paint(steered), microast.STRIDE).float().clamp(0, 1)
        return Painting(picture, _inside((x - mean) / std), _inside(steered))
