"""The network that tells what moves by itself: from flow less the camera's, to a probability at each pixel.

A small U-Net (Ronneberger et al. 2015) whose first step gathers 2 x 2 pixels and whose last spreads them again, so that
the answer is as fine as the question at a quarter of the cost.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (24, 32, 48, 64)
MULTIPLE = 16  # sides are padded to multiples of this


def _step(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class Independence(nn.Module):
    """Log odds that a pixel belongs to something that moves by itself.

    Args:
        channels: of the evidence.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.stem = nn.Sequential(
            nn.Conv2d(4 * channels, a, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True)
        )
        self.one = _step(a, a)
        self.two = nn.Sequential(_step(a, b, 2), _step(b, b))
        self.three = nn.Sequential(_step(b, c, 2), _step(c, c))
        self.four = nn.Sequential(_step(c, d, 2), _step(d, d), _step(d, d))
        self.down_three, self.down_two, self.down_one = (
            nn.Conv2d(d, c, 1),
            nn.Conv2d(c, b, 1),
            nn.Conv2d(b, a, 1),
        )
        self.up_three, self.up_two, self.up_one = _step(c, c), _step(b, b), _step(a, a)
        self.head = nn.Conv2d(a, 4, 3, padding=1)

    def forward(self, evidence: Tensor) -> Tensor:
        """(n, channels, h, w) float32 to (n, h, w) float32."""
        h, w = evidence.shape[2:]
        x = F.pad(evidence, (0, -w % MULTIPLE, 0, -h % MULTIPLE), mode="replicate")
        one = self.one(self.stem(F.pixel_unshuffle(x, 2)))
        two = self.two(one)
        three = self.three(two)
        x = self.four(three)
        for narrow, step, skip in (
            (self.down_three, self.up_three, three),
            (self.down_two, self.up_two, two),
            (self.down_one, self.up_one, one),
        ):
            x = F.interpolate(narrow(x), size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = step(x + skip)
        return F.pixel_shuffle(self.head(x), 2)[:, 0, :h, :w]
