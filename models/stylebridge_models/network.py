"""The embedded style network: one picture, one style code, one styled picture; about 0.7 million parameters.

Three parts, used apart:

* `ContentEncoder`: RGB to 64 channels at a quarter of the resolution. Both reductions blur before they drop
  samples (Zhang 2019, "Making convolutional networks shift-invariant again"), so that a moving picture does
  not flicker.
* `StyleEncoder`: any picture to a code of `CODE` numbers, from means and deviations of its features (as in AdaIN,
  Huang and Belongie 2017). Codes can be stored, mixed and interpolated.
* `Decoder`: features, normalised by the statistics *of the scene*, to RGB. The code sets a gain and an
  offset of every channel of every layer (FiLM, Perez et al. 2018).

No layer takes statistics over the picture it works on. That keeps the network local: a pixel depends on its
surroundings, the statistics and the code alone, so tiles equal the whole, and nothing boils because
something else entered the frame. (Instance normalisation inside such networks also makes dots and blotches.)

Colour: display-referred sRGB in [0, 1], RGB order, (N, 3, H, W). Sizes must be multiples of `STRIDE`.

Every convolution works in one of two ways. With `same=True` each layer extends its input by replicating the
edge, so that the output has the size of the input; this is how training sees its crops. With `same=False`
nothing is extended and the result shrinks by `ENCODER_MARGIN` or `DECODER_MARGIN`; the engine uses this on
pieces that it cuts with their surroundings, which is what makes pieces exact.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4  # pixels a feature cell covers, each way
CHANNELS = 64  # learnt channels of the features; three more hold the mean colour of each cell
COLOUR = 9  # numbers that describe the colours of a picture: mean and covariance of RGB
LEARNT = 128  # numbers of a style code that the style encoder has learnt
CODE = LEARNT + COLOUR  # numbers in a style code
STATISTICS = 2 * CHANNELS + COLOUR  # mean and deviation of each feature channel, and the scene's colours
STYLE_SIDE = 256  # short side, in pixels, at which the style encoder looks at a style picture
THUMBNAIL_SIDE = 128  # short side of the pictures that scene statistics come from
ENCODER_BLOCKS = 2
DECODER_BLOCKS = 2
# What the parts look at beyond a cell, in cells, rounded up to whole cells (derived in tests/models).
ENCODER_MARGIN = 7
DECODER_MARGIN = 6

_HALF = 32  # channels at half resolution
_FULL = 16  # channels at full resolution
_COLOUR_FLOOR = 0.04  # least deviation of colours that `transfer` divides by


def _extended(x: Tensor, amount: int, same: bool) -> Tensor:
    """`x` with its edge replicated `amount` cells outwards where `same` asks for it."""
    return F.pad(x, (amount,) * 4, mode="replicate") if same else x


def _trimmed(x: Tensor, amount: int, same: bool) -> Tensor:
    """`x` less `amount` cells all round, unless layers keep the size."""
    return x if same else x[..., amount:-amount, amount:-amount]


def _binomial(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The 4 x 4 binomial low-pass (1 3 3 1): it takes out what halving the resolution would fold back."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0], device=device, dtype=dtype) / 8
    return row[:, None] * row[None, :]


class Stem(nn.Module):
    """RGB to half resolution: a learnt 5 x 5 filter, then the binomial low-pass, run as one 8 x 8
    convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 3, 5, 5))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.kaiming_normal_(self.weight)

    def kernel(self) -> Tensor:
        """(channels, 3, 8, 8), what is applied to the picture at stride 2."""
        low_pass = _binomial(self.weight.device, self.weight.dtype)[None, None]
        return F.conv2d(self.weight.flatten(0, 1)[:, None], low_pass, padding=3).view(-1, 3, 8, 8)

    def forward(self, x: Tensor, same: bool) -> Tensor:
        # The first pixel of a piece has an even number, the kernel of an output begins at an odd one.
        x = _extended(x, 3, same) if same else x[..., 1:-1, 1:-1]
        return F.conv2d(x, self.kernel(), self.bias, stride=2)


class Down(nn.Module):
    """Binomial low-pass and every second sample, per channel."""

    def forward(self, x: Tensor, same: bool) -> Tensor:
        channels = x.shape[1]
        kernel = _binomial(x.device, x.dtype).expand(channels, 1, 4, 4)
        return F.conv2d(_extended(x, 1, same), kernel, stride=2, groups=channels)


@dataclass(frozen=True)
class Film:
    """What the code does to one convolution, each (N, channels).

    Attributes:
        gain: factor of the result.
        offset: added to it.
        share: how much of the convolution's own input is added channel by channel, in layers as wide as their
            input (the modulation of MicroAST, Wang et al. 2023).
    """

    gain: Tensor
    offset: Tensor
    share: Tensor | None = None


class Conv(nn.Conv2d):
    """A convolution that a code can steer."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(inputs, outputs, size)
        nn.init.kaiming_normal_(self.weight)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    def apply_to(self, x: Tensor, same: bool, film: Film | None = None) -> Tensor:
        """The convolution, steered where `film` says how.

        For one code all of it goes into the weights, which spares passes over the result.
        """
        reach = self.kernel_size[0] // 2
        x = _extended(x, reach, same)
        if film is None:
            return F.conv2d(x, self.weight, self.bias)
        gain, offset, share = film.gain, film.offset, film.share
        assert self.bias is not None
        if gain.shape[0] == 1:
            weight = self.weight * gain[0, :, None, None, None]
            if share is not None:
                centre = torch.zeros_like(weight)
                centre[:, :, reach, reach] = torch.diag(share[0])
                weight = weight + centre
            return F.conv2d(x, weight, self.bias * gain[0] + offset[0])
        y = F.conv2d(x, self.weight, self.bias) * gain[:, :, None, None] + offset[:, :, None, None]
        return y if share is None else y + _trimmed(x, reach, False) * share[:, :, None, None]


class Residual(nn.Module):
    """x + conv(relu(conv(x))), both convolutions optionally steered by the code."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Conv(channels, channels, 3)
        self.second = Conv(channels, channels, 3)
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # starts near the identity, so that depth costs nothing at first

    def forward(self, x: Tensor, same: bool, films: list[Film] | None = None) -> Tensor:
        first, second = films if films else (None, None)
        y = self.second.apply_to(F.relu(self.first.apply_to(x, same, first)), same, second)
        return _trimmed(x, 2, same) + y


class ContentEncoder(nn.Module):
    """RGB (N, 3, H, W) to features (N, 67, H/4, W/4); with `same=False` 7 cells fewer on every side."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem(_HALF)
        self.middle = Conv(_HALF, _HALF, 3)
        self.down = Down()
        self.quarter = Conv(_HALF, CHANNELS, 3)
        self.blocks = nn.ModuleList([Residual(CHANNELS) for _ in range(ENCODER_BLOCKS)])

    def forward(self, rgb: Tensor, same: bool = True) -> Tensor:
        x = F.relu(self.stem((rgb - 0.5) * 4, same))
        x = F.relu(self.middle.apply_to(x, same))
        x = F.relu(self.quarter.apply_to(self.down(x, same), same))
        for block in self.blocks:
            x = block(x, same)
        colours = F.avg_pool2d(rgb, STRIDE)
        return torch.cat([x, _trimmed(colours, ENCODER_MARGIN, same).to(x.dtype)], 1)


class StyleEncoder(nn.Module):
    """A style picture (N, 3, H, W), short side about `STYLE_SIDE`, to its code (N, 137)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (24, 48, 64, 96)
        self.stem = Stem(widths[0])
        self.convs = nn.ModuleList(Conv(a, b, 3) for a, b in itertools.pairwise(widths))
        self.down = Down()
        pooled = 2 * (3 + sum(widths))
        self.norm = nn.LayerNorm(pooled)
        self.hidden = nn.Linear(pooled, 256)
        self.code = nn.Linear(256, LEARNT)
        self.direct = nn.Linear(pooled, LEARNT, bias=False)
        for layer in (self.hidden, self.code):  # codes of about unit deviation from the start
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.direct.weight)

    def forward(self, rgb: Tensor) -> Tensor:
        pooled = self.pooled(rgb)
        learnt = self.code(F.relu(self.hidden(pooled))) + self.direct(pooled)
        return torch.cat([learnt.float(), colours_of(rgb)], 1)

    def pooled(self, rgb: Tensor) -> Tensor:
        """Means and deviations of the features of all sizes, normalised together, (N, 470)."""
        x = (rgb - 0.5) * 4
        pooled = [moments(x)]
        x = F.relu(self.stem(x, True))
        pooled.append(moments(x))
        for conv in self.convs:
            assert isinstance(conv, Conv)
            x = F.relu(conv.apply_to(self.down(x, True), True))
            pooled.append(moments(x))
        return self.norm(torch.cat(pooled, 1))


class Decoder(nn.Module):
    """Features (N, 67, h, w), statistics (N, 137) and codes (N, 137) to RGB (N, 3, 4h, 4w), not clamped.

    The colours of the cells, carried over to the style's by `transfer`, are the ground that is painted on: the
    palette fits any style without having been learnt, and what is learnt is the painting.

    With `same=False` the result lacks 8 cells, 32 pixels, on every side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ground = Conv(3, CHANNELS, 1)
        self.blocks = nn.ModuleList(Residual(CHANNELS) for _ in range(DECODER_BLOCKS))
        self.narrow = Conv(CHANNELS, _HALF, 1)
        self.middle = Conv(_HALF, _HALF, 3)
        self.narrower = Conv(_HALF, _FULL, 1)
        self.out = Conv(_FULL, 3, 5)
        with torch.no_grad():
            self.out.weight.mul_(0.1)
        # Least deviation of each channel that normalisation divides by, or a flat scene would become noise. Set
        # from ordinary scenes once training is over (`stylebridge_server.train.calibrate`).
        self.floor: Tensor
        self.register_buffer("floor", torch.full((CHANNELS,), 0.05))
        # Widths of all layers that the code steers, in order; those of the blocks also take a share.
        self.widths = [CHANNELS] * (1 + 2 * DECODER_BLOCKS) + [_HALF, _HALF, _FULL]
        self.film = nn.Linear(LEARNT, 2 * sum(self.widths) + 2 * DECODER_BLOCKS * CHANNELS)
        # Strong enough that styles differ from the start.
        nn.init.normal_(self.film.weight, std=0.3 / LEARNT**0.5)
        nn.init.zeros_(self.film.bias)

    def films(self, code: Tensor) -> list[Film]:
        """What the code does to every steered layer."""
        total = sum(self.widths)
        gains, offsets, shares = self.film(code[:, :LEARNT]).split(
            [total, total, 2 * DECODER_BLOCKS * CHANNELS], 1
        )
        films = [
            Film(1 + gain, offset)
            for gain, offset in zip(gains.split(self.widths, 1), offsets.split(self.widths, 1), strict=True)
        ]
        for i, share in enumerate(shares.split(CHANNELS, 1), start=1):
            films[i] = replace(films[i], share=share)
        return films

    def forward(self, features: Tensor, statistics: Tensor, code: Tensor, same: bool = True) -> Tensor:
        """See the class. RGB float32."""
        return self.surface(*self.body(features, statistics, code, same), code, same)

    def body(
        self, features: Tensor, statistics: Tensor, code: Tensor, same: bool = True
    ) -> tuple[Tensor, Tensor]:
        """The steered features (N, 64, h, w) and the ground (N, 3, h, w); with `same=False` the first lacks 6 cells
        on every side."""
        films = self.films(code)
        mean, deviation = statistics[:, :CHANNELS], statistics[:, CHANNELS : 2 * CHANNELS]
        gain = films[0].gain / torch.maximum(deviation, self.floor)
        matrix, offset = transfer(statistics[:, 2 * CHANNELS :], code[:, LEARNT:])
        cells = features[:, CHANNELS:].float()
        # Sum by sum: a matrix product would round by sizes and threads.
        ground = offset[:, :, None, None]
        for i in range(3):
            ground = ground + matrix[:, :, i, None, None] * cells[:, i : i + 1]
        ground = ground.clamp(0, 1)
        x = (
            features[:, :CHANNELS] * gain[:, :, None, None]
            + (films[0].offset - mean * gain)[:, :, None, None]
        )
        x = x + self.ground.apply_to(ground * 2 - 1, same)
        for i, block in enumerate(self.blocks):
            x = block(x, same, films[1 + 2 * i : 3 + 2 * i])
        return x, ground

    def surface(self, x: Tensor, ground: Tensor, code: Tensor, same: bool = True) -> Tensor:
        """From what `body` gives to RGB."""
        films = self.films(code)[-3:]
        # Enlarged first and cut at nought then: an edge can fall between cells. The other way round, all would be soft.
        x = F.relu(self._doubled(self.narrow.apply_to(x, same, films[0]), same))
        x = F.relu(self.middle.apply_to(x, same, films[1]))
        x = self._finest(_extended(self.narrower.apply_to(x, same, films[2]), 2, same))
        ground = _doubled_exactly(_trimmed(ground, 2 * DECODER_BLOCKS, same), same)
        ground = _doubled_exactly(_trimmed(ground, 1, same), same)
        return x.float() + _trimmed(ground, 3, same)  # whole cells

    def _finest(self, x: Tensor) -> Tensor:
        """From half resolution to RGB: twice the size, cut at nought, and the last convolution; 4 pixels fewer on every
        side.

        What lies at full resolution is held in four planes, one for each pixel of a block of 2 x 2: enlarging needs
        no interleaving, and the convolution has 12 outputs in place of 3, which fills the vectors of a CPU.
        """
        rows = [torch.lerp(x[..., 1:-1, :], near, 0.25) for near in (x[..., :-2, :], x[..., 2:, :])]
        blocks = torch.cat(
            [
                torch.lerp(row[..., 1:-1], near, 0.25)
                for row in rows
                for near in (row[..., :-2], row[..., 2:])
            ],
            1,
        )
        assert self.out.bias is not None
        kernel, bias = _in_blocks(self.out.weight), self.out.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(F.relu(blocks, inplace=True), kernel, bias), 2)

    @staticmethod
    def _doubled(x: Tensor, same: bool) -> Tensor:
        """Twice the size, bilinear: smooth, so no chequerboard."""
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return _trimmed(x, 1, same)  # the outermost samples lack a neighbour


def _in_blocks(weight: Tensor) -> Tensor:
    """A 5 x 5 convolution (O, I, 5, 5) of pixels as one of blocks of 2 x 2, (4 O, 4 I, 3, 3).

    Inputs come plane by plane, outputs as `pixel_shuffle` takes them.
    """
    outputs, inputs = weight.shape[:2]
    # A pixel of a block sees 5 of the 6 pixels that three blocks have in a row.
    shifted = [F.pad(weight, (right, 1 - right, down, 1 - down)) for down in (0, 1) for right in (0, 1)]
    wide = torch.stack(shifted, 1).reshape(4 * outputs, inputs, 3, 2, 3, 2)
    return wide.permute(0, 3, 5, 1, 2, 4).reshape(4 * outputs, 4 * inputs, 3, 3)


def _doubled_exactly(x: Tensor, same: bool) -> Tensor:
    """What `Decoder._doubled` does, in steps that round every value alike.

    torch enlarges pictures of few channels in an order that depends on sizes and threads: a tile would differ from the
    whole in the last bit.
    """
    for axis in (2, 3):
        x = _extended(x, 1, same) if same and axis == 2 else x
        near, far = x * 0.75, x * 0.25
        length = x.shape[axis] - 1
        odd = near.narrow(axis, 0, length) + far.narrow(axis, 1, length)
        even = far.narrow(axis, 0, length) + near.narrow(axis, 1, length)
        x = torch.stack([odd, even], axis + 1).flatten(axis, axis + 1)
    return _trimmed(x, 1, False) if same else x


class StyleNetwork(nn.Module):
    """The three parts under one roof, as stored in the weights file."""

    def __init__(self) -> None:
        super().__init__()
        self.content = ContentEncoder()
        self.style = StyleEncoder()
        self.decoder = Decoder()

    def statistics(self, thumbnails: Tensor) -> Tensor:
        """Content statistics (N, 137) of pictures (N, 3, H, W) whose short side is `THUMBNAIL_SIDE`."""
        features = self.content(thumbnails)[:, :CHANNELS]
        return torch.cat([moments(features), colours_of(thumbnails)], 1)


def moments(x: Tensor) -> Tensor:
    """Mean and standard deviation of every channel, (N, C, H, W) to (N, 2C), in float32."""
    flat = x.float().permute(0, 2, 3, 1).flatten(1, 2)  # pixels by channels, as they lie in memory
    mean = flat.mean(1)
    variance = ((flat - mean[:, None]) ** 2).mean(1)
    return torch.cat([mean, (variance + 1e-5).sqrt()], 1)


def colours_of(rgb: Tensor) -> Tensor:
    """Mean and covariance of RGB, (N, 3, H, W) to (N, 9), float32: r g b, rr rg rb gg gb bb."""
    flat = rgb.float().flatten(2)
    mean = flat.mean(2)
    centred = flat - mean[:, :, None]
    covariance = centred @ centred.transpose(1, 2) / flat.shape[2]
    rows, columns = torch.triu_indices(3, 3)
    return torch.cat([mean, covariance[:, rows, columns]], 1)


def _covariance(colours: Tensor) -> Tensor:
    """(N, 9) to the symmetric matrices (N, 3, 3), float64."""
    matrix = colours.new_zeros(colours.shape[0], 3, 3, dtype=torch.float64)
    rows, columns = torch.triu_indices(3, 3)
    matrix[:, rows, columns] = colours[:, 3:].double()
    matrix[:, columns, rows] = colours[:, 3:].double()
    return matrix


def _root(matrix: Tensor, floor: float = 0.0, power: float = 0.5) -> Tensor:
    """A power of symmetric matrices (N, 3, 3) whose eigenvalues are first raised to `floor`."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(floor)[:, None] ** power) @ vectors.transpose(1, 2)


@torch.no_grad()
def transfer(scene: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """The linear map of colours that gives the scene the style's mean and covariance and moves colours least.

    Pitie and Kokaram 2007, "The linear Monge-Kantorovitch colour mapping". A direction in which the scene hardly
    varies counts as varying a little, so that noise is not blown up to the style's contrast.

    Args:
        scene, style: (N, 9) as from `colours_of`.

    Returns:
        matrix (N, 3, 3) and offset (N, 3), float32: colour c becomes matrix c + offset.
    """
    floor = _COLOUR_FLOOR**2
    root = _root(_covariance(scene), floor)
    inverse = _root(_covariance(scene), floor, -0.5)
    matrix = (inverse @ _root(root @ _covariance(style) @ root) @ inverse).float()
    return matrix, style[:, :3] - (matrix @ scene[:, :3, None])[:, :, 0]


def pooled(statistics: Tensor) -> Tensor:
    """Statistics of several pictures together, (N, 137) to (1, 137): every picture counts the same."""
    mean, deviation, colours = statistics.split([CHANNELS, CHANNELS, COLOUR], 1)
    centre = mean.mean(0, keepdim=True)
    variance = (deviation**2 + (mean - centre) ** 2).mean(0, keepdim=True)
    average = colours.mean(0, keepdim=True)
    apart = colours[:, :3] - average[:, :3]
    rows, columns = torch.triu_indices(3, 3)
    spread = (apart[:, rows] * apart[:, columns]).mean(0, keepdim=True)
    together = torch.cat([average[:, :3], average[:, 3:] + spread], 1)
    return torch.cat([centre, variance.sqrt(), together], 1)
