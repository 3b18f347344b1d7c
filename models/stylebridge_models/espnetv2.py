"""ESPNetv2 for semantic segmentation (Mehta et al. 2019, "ESPNetv2: A Light-weight, Power Efficient, and General
Purpose Convolutional Neural Network"): a few hundred thousand parameters, made for processors without an accelerator.

Written from the paper and the names and shapes in its published state dicts (MIT licence), whose names of parameters
it uses. Nothing of theirs is shipped.

Colour: display-referred sRGB, RGB order, (N, 3, H, W), ImageNet's mean and deviation taken off; sides are multiples of
16.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE = 16  # of which the sides are

_BRANCHES = 4
_POOLED = (2.0, 1.5, 1.0, 0.5, 0.1)  # sizes at which the decoder looks again
_LEAST = 5  # pixels of a side there
# Dilations of the four branches, as the limit of the receptive field allows, by level.
_WIDE, _NARROW = (1, 2, 3, 4), (1, 1, 2, 3)


class ESPNetv2(nn.Module):
    """The network.

    Args:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the picture.
        decoder: channels of the decoder's first three levels.
        projected: channels inside the decoder's pyramids.
        classes: the background counted.
    """

    def __init__(
        self, widths: tuple[int, ...], decoder: tuple[int, ...], projected: int, classes: int
    ) -> None:
        super().__init__()
        self.base_net = _Base(widths)
        inside = [widths[3], *decoder]
        outside = [*decoder, classes]
        for level in range(4):
            last = level == 3
            self.add_module(
                f"bu_dec_l{level + 1}", _Pool(inside[level], projected, outside[level], rectified=not last)
            )
        for level, width in enumerate(decoder):
            self.add_module(f"merge_enc_dec_l{level + 2}", _Merge(widths[2 - level], width))
            self.add_module(f"bu_br_l{level + 2}", nn.Sequential(nn.BatchNorm2d(width), nn.PReLU(width)))

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes, (N, classes, H, W)."""
        size = x.shape[2:]
        features = self.base_net(x)
        out = self.get_submodule("bu_dec_l1")(features[3])
        for level in (2, 3, 4):
            out = F.interpolate(out, scale_factor=2, mode="bilinear", align_corners=True)
            out = self.get_submodule(f"merge_enc_dec_l{level}")(features[4 - level]) + out
            out = self.get_submodule(f"bu_dec_l{level}")(self.get_submodule(f"bu_br_l{level}")(out))
        return F.interpolate(out, size=size, mode="bilinear", align_corners=True)


class _Base(nn.Module):
    """The encoder: features at 1/2, 1/4, 1/8 and 1/16 of the picture."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.level1 = _Conv(3, widths[0], 3, stride=2)
        self.level2_0 = _Down(widths[0], widths[1], _WIDE)
        self.level3_0 = _Down(widths[1], widths[2], _WIDE)
        self.level3 = nn.ModuleList([_Block(widths[2], widths[2], _WIDE) for _ in range(3)])
        self.level4_0 = _Down(widths[2], widths[3], _WIDE)
        self.level4 = nn.ModuleList([_Block(widths[3], widths[3], _NARROW) for _ in range(7)])

    def forward(self, x: Tensor) -> list[Tensor]:
        out = [self.level1(x)]
        out.append(self.level2_0(out[-1], x))
        third = self.level3_0(out[-1], x)
        for layer in self.level3:
            third = layer(third)
        fourth = self.level4_0(third, x)
        for layer in self.level4:
            fourth = layer(fourth)
        return [*out, third, fourth]


class _Block(nn.Module):
    """Reduce, look with four dilations, add each to the next, and expand."""

    def __init__(self, inside: int, out: int, dilations: tuple[int, ...], stride: int = 1) -> None:
        super().__init__()
        narrow = out // _BRANCHES
        self._stride = stride
        self.proj_1x1 = _Conv(inside, narrow, 1, groups=_BRANCHES)
        self.spp_dw = nn.ModuleList([_Dilated(narrow, rate, stride) for rate in dilations])
        self.conv_1x1_exp = _Conv(out, out, 1, groups=_BRANCHES, rectified=False)
        self.br_after_cat = _Rectified(out)
        self.module_act = nn.PReLU(out)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.proj_1x1(x)
        seen: list[Tensor] = []
        for branch in self.spp_dw:
            said = branch(narrow)
            seen.append(said + seen[-1] if seen else said)
        out = self.conv_1x1_exp(self.br_after_cat(torch.cat(seen, 1)))
        if self._stride == 2:
            return out
        return self.module_act(out + x if out.shape == x.shape else out)


class _Down(nn.Module):
    """Half the size: what was there, pooled; what a block sees; and the picture itself, pooled."""

    def __init__(self, inside: int, out: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.eesp = _Block(inside, out - inside, dilations, stride=2)
        self.inp_reinf = nn.Sequential(_Conv(3, 3, 3), _Conv(3, out, 1, rectified=False))
        self.act = nn.PReLU(out)

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 3, stride=2, padding=1)
        out = torch.cat([pooled, self.eesp(x)], 1)
        while picture.shape[2] > pooled.shape[2]:
            picture = F.avg_pool2d(picture, 3, stride=2, padding=1)
        return self.act(out + self.inp_reinf(picture))


class _Pool(nn.Module):
    """A pyramid: the features at several sizes, looked at again, shuffled together and merged."""

    def __init__(self, inside: int, projected: int, out: int, rectified: bool) -> None:
        super().__init__()
        count = len(_POOLED)
        self.stages = nn.ModuleList(
            [nn.Conv2d(projected, projected, 3, padding=1, groups=projected, bias=False) for _ in _POOLED]
        )
        self.projection_layer = _Named("cbr", projected, inside=inside, side=1)
        self.merge_layer = nn.Sequential(
            _Named("br", projected * count),
            nn.ChannelShuffle(count),
            _Named("cbr", projected, inside=projected * count, side=3, groups=projected),
            nn.Conv2d(projected, out, 1, bias=not rectified),
        )
        self.br = _Named("br", out) if rectified else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.projection_layer(x)
        height, width = x.shape[2:]
        seen = []
        for scale, stage in zip(_POOLED, self.stages, strict=True):
            size = (max(math.ceil(height * scale), _LEAST), max(math.ceil(width * scale), _LEAST))
            if scale < 1:
                said = stage(F.adaptive_avg_pool2d(x, (size[0], size[1])))
                seen.append(F.interpolate(said, (height, width), mode="bilinear", align_corners=True))
            elif scale > 1:
                said = stage(F.interpolate(x, size, mode="bilinear", align_corners=True))
                seen.append(F.adaptive_avg_pool2d(said, (height, width)))
            else:
                seen.append(stage(x))
        out = self.merge_layer(torch.cat(seen, 1))
        return out if self.br is None else self.br(out)


class _Merge(nn.Module):
    """Features of the encoder for the decoder, weighed by what the whole picture says."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.wt_layer = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(inside, out, 1, bias=False), nn.Sigmoid()
        )
        self.expansion_layer = _Named("cbr", out, inside=inside, side=3, groups=math.gcd(inside, out))

    def forward(self, x: Tensor) -> Tensor:
        return self.expansion_layer(x) * self.wt_layer(x)


class _Conv(nn.Module):
    """Convolution, normalisation and, where `rectified`, a PReLU, under the encoder's names."""

    def __init__(
        self, inside: int, out: int, side: int, stride: int = 1, groups: int = 1, rectified: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, out, side, stride, side // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.act = nn.PReLU(out) if rectified else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return x if self.act is None else self.act(x)


class _Dilated(nn.Module):
    def __init__(self, width: int, rate: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride, rate, dilation=rate, groups=width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class _Rectified(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(width)
        self.act = nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(x))


class _Named(nn.Module):
    """Convolution (where `inside` is given), normalisation and PReLU in a sequence of the decoder's name."""

    def __init__(self, name: str, out: int, inside: int = 0, side: int = 1, groups: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.BatchNorm2d(out), nn.PReLU(out)]
        if inside:
            layers.insert(0, nn.Conv2d(inside, out, side, padding=side // 2, groups=groups, bias=False))
        self._name = name
        self.add_module(name, nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        return self.get_submodule(self._name)(x)
