"""The networks of the embedded segmenter: what cuts a thing out of a small picture by evidence laid out for it.

A U-Net (Ronneberger et al. 2015) of a few hundred thousand parameters. Two of them ship with equal layers: one that
looks where a prompt points (`look`), one that follows from frame to frame (`trace`); what their inputs mean is decided
where they are used, `stylebridge_server/segment`. All convolutions but the last work at half the picture's resolution
or less; without normalisation, so that what is seen in one place does not depend on what lies far from it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE = 16  # of which the sides are
LOOK, TRACE = 12, 19  # planes of evidence
_WIDTHS = (24, 40, 56, 72)  # channels at 1/2, 1/4, 1/8 and 1/16
_FINE = 8  # channels at full resolution


class _Block(nn.Module):
    """Two convolutions around which the input goes, (N, width, h, w)."""

    def __init__(self, width: int, reach: int = 1) -> None:
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=reach, dilation=reach)
        self.two = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.two.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.two(F.relu(self.one(F.relu(x))))


class TracerNetwork(nn.Module):
    """Planes of evidence to the log odds of a thing.

    Args:
        planes: of evidence, `LOOK` or `TRACE`.
    """

    def __init__(self, planes: int) -> None:
        super().__init__()
        a, b, c, d = _WIDTHS
        self.into = nn.Conv2d(4 * planes, a, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(w, v, 3, stride=2, padding=1) for w, v in pairwise(_WIDTHS))
        self.inward = nn.ModuleList(_Block(w) for w in (a, b, c))
        self.deep = nn.Sequential(_Block(d), _Block(d, 2))
        self.whole = nn.Linear(2 * d, d)
        self.up = nn.ModuleList(nn.Conv2d(v, w, 1) for w, v in pairwise(_WIDTHS))
        self.outward = nn.ModuleList(_Block(w) for w in (a, b, c))
        self.out = nn.Conv2d(a, 4 * _FINE, 3, padding=1)
        self.fine = nn.Conv2d(planes, _FINE, 3, padding=1)
        self.odds = nn.Conv2d(_FINE, 1, 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        """Log odds (N, 1, h, w) of evidence (N, planes, h, w), whose sides are multiples of `MULTIPLE`."""
        x = self.into(F.pixel_unshuffle(planes, 2))
        kept = []
        for block, down in zip(self.inward, self.down, strict=True):
            x = block(x)
            kept.append(x)
            x = down(F.relu(x))
        x = self.deep(x)
        # What the whole window shows, for deciding what in it is the thing.
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)
        x = x + self.whole(pooled)[..., None, None]
        for level in (2, 1, 0):
            x = F.interpolate(self.up[level](F.relu(x)), scale_factor=2, mode="bilinear", align_corners=False)
            x = self.outward[level](x + kept[level])
        fine = F.pixel_shuffle(self.out(F.relu(x)), 2) + self.fine(planes)
        out: Tensor = self.odds(F.relu(fine))
        return out
