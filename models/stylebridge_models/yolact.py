"""YOLACT (Bolya et al. 2019, "YOLACT: Real-time Instance Segmentation"): prototypes of masks for the whole picture, and
for each thing the coefficients that mix its mask from them.

Written from the paper and from the names and shapes in its published state dicts (MIT licence): ResNet-50, ResNet-101
and Darknet-53, five levels of a feature pyramid, 32 prototypes. Nothing of theirs is shipped.

Colour: display-referred sRGB, RGB order, (N, 3, 550, 550), as `prepared` makes it of values in [0, 1].
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

SIDE = 550  # pictures are brought to a square of this side, whatever their aspect
PROTOTYPES = 32
RESNET50, RESNET101, DARKNET53 = "resnet50", "resnet101", "darknet53"

_WIDTH = 256  # channels of the pyramid
_ASPECTS = (1.0, 0.5, 2.0)
_SCALES = (24, 48, 96, 192, 384)  # pixels, of the five levels
_VARIANCES = (0.1, 0.2)
_BLOCKS = {RESNET50: (3, 4, 6, 3), RESNET101: (3, 4, 23, 3), DARKNET53: (1, 2, 8, 8, 4)}
# Mean and deviation of the ResNets' pictures, of 255.
_MEAN, _DEVIATION = (123.68, 116.78, 103.94), (58.40, 57.12, 57.38)


def prepared(rgb: Tensor, backbone: str) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1] as the network takes them, (N, 3, 550, 550)."""
    square = F.interpolate(rgb * 255, (SIDE, SIDE), mode="bilinear", align_corners=False)
    if backbone == DARKNET53:
        return square / 255
    mean = torch.tensor(_MEAN, device=rgb.device).view(1, 3, 1, 1)
    return (square - mean) / torch.tensor(_DEVIATION, device=rgb.device).view(1, 3, 1, 1)


class Yolact(nn.Module):
    """The network.

    Args:
        backbone: RESNET50, RESNET101 or DARKNET53.
        classes: how many it tells apart, the background not counted.
    """

    def __init__(self, backbone: str, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.backbone: nn.Module = _Darknet() if backbone == DARKNET53 else _ResNet(_BLOCKS[backbone])
        deep = (1024, 512, 256) if backbone == DARKNET53 else (2048, 1024, 512)
        self.proto_net = _sequence(3, PROTOTYPES)
        self.fpn = _Pyramid(deep)
        self.prediction_layers = nn.ModuleList([_Head(classes + 1)])
        # Helps in training only; it is in every published file.
        self.semantic_seg_conv = nn.Conv2d(_WIDTH, classes, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the network says of prepared pictures.

        Returns:
            Offsets (N, P, 4) of the boxes from the priors, shares (N, P, classes + 1) of the classes with the
            background first, coefficients (N, P, 32) in [-1, 1], and prototypes (N, 138, 138, 32), 0 and up.
        """
        levels = self.fpn(self.backbone(x))
        prototypes = F.relu(self.proto_net(levels[0])).permute(0, 2, 3, 1)
        said = [self.prediction_layers[0](level) for level in levels]
        offsets, scores, coefficients = (torch.cat(parts, 1) for parts in zip(*said, strict=True))
        return offsets, scores.softmax(-1), coefficients, prototypes


def priors() -> Tensor:
    """Centre and size (x, y, w, h) of every prior box, shares of the picture, (P, 4); level by level, row by row.

    They are squares: the published weights were trained with the height set to the width.
    """
    levels = []
    for side, scale in zip((69, 35, 18, 9, 5), _SCALES, strict=True):
        at = (torch.arange(side, dtype=torch.float32) + 0.5) / side
        y, x = torch.meshgrid(at, at, indexing="ij")
        sizes = [torch.full_like(x, scale * math.sqrt(aspect) / SIDE) for aspect in _ASPECTS]
        levels.append(torch.stack([torch.stack([x, y, size, size], -1) for size in sizes], 2).view(-1, 4))
    return torch.cat(levels)


def decoded(offsets: Tensor, prior: Tensor) -> Tensor:
    """Boxes (P, 4) as left, top, right, bottom, shares of the picture, from offsets and priors (P, 4)."""
    centre = prior[:, :2] + offsets[:, :2] * _VARIANCES[0] * prior[:, 2:]
    size = prior[:, 2:] * torch.exp(offsets[:, 2:] * _VARIANCES[1])
    return torch.cat([centre - size / 2, centre + size / 2], 1)


class _Head(nn.Module):
    """Boxes, classes and coefficients of one level; all levels share it."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        count = len(_ASPECTS)
        self._classes = classes
        self.upfeature = nn.Sequential(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1), nn.ReLU())
        self.bbox_layer = nn.Conv2d(_WIDTH, count * 4, 3, padding=1)
        self.conf_layer = nn.Conv2d(_WIDTH, count * classes, 3, padding=1)
        self.mask_layer = nn.Conv2d(_WIDTH, count * PROTOTYPES, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.upfeature(x)
        boxes, classes, masks = (
            layer(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
            for layer, width in (
                (self.bbox_layer, 4),
                (self.conf_layer, self._classes),
                (self.mask_layer, PROTOTYPES),
            )
        )
        return boxes, classes, torch.tanh(masks)


class _Pyramid(nn.Module):
    """Five levels from the backbone's last three; the layers are named from the deepest on."""

    def __init__(self, deep: tuple[int, ...]) -> None:
        super().__init__()
        self.lat_layers = nn.ModuleList([nn.Conv2d(width, _WIDTH, 1) for width in deep])
        self.pred_layers = nn.ModuleList([nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1) for _ in deep])
        self.downsample_layers = nn.ModuleList(
            [nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, stride=2) for _ in range(2)]
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        joined: list[Tensor] = []
        for layer, feature in zip(self.lat_layers, reversed(features), strict=True):
            x = layer(feature)
            if joined:
                x = x + F.interpolate(
                    joined[-1], size=feature.shape[2:], mode="bilinear", align_corners=False
                )
            joined.append(x)
        levels = [F.relu(layer(x)) for layer, x in zip(self.pred_layers, joined, strict=True)][::-1]
        for layer in self.downsample_layers:
            levels.append(layer(levels[-1]))
        return levels


class _ResNet(nn.Module):
    """The last three of the four stages of a ResNet, whose names have "layers" in place of "layer1" to "layer4"."""

    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = nn.ModuleList()
        inside = 64
        for stage, count in enumerate(blocks):
            planes = 64 << stage
            stride = 1 if stage == 0 else 2
            shortcut = nn.Sequential(
                nn.Conv2d(inside, planes * 4, 1, stride=stride, bias=False), nn.BatchNorm2d(planes * 4)
            )
            first = Bottleneck(inside, planes, stride, shortcut)
            inside = planes * 4
            self.layers.append(nn.Sequential(first, *(Bottleneck(inside, planes) for _ in range(count - 1))))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        out = []
        for layer in self.layers:
            x = layer(x)
            out.append(x)
        return out[1:]


class _Darknet(nn.Module):
    """The last three of the five stages of YOLOv3's Darknet-53 (Redmon and Farhadi 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self._preconv = _rectified(3, 32, 3)
        self.layers = nn.ModuleList()
        inside = 32
        for count in _BLOCKS[DARKNET53]:
            first = _rectified(inside, inside * 2, 3, stride=2)
            self.layers.append(nn.Sequential(first, *(_DarknetBlock(inside) for _ in range(count))))
            inside *= 2

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self._preconv(x)
        out = []
        for layer in self.layers:
            x = layer(x)
            out.append(x)
        return out[2:]


class _DarknetBlock(nn.Module):
    def __init__(self, narrow: int) -> None:
        super().__init__()
        self.conv1 = _rectified(narrow * 2, narrow, 1)
        self.conv2 = _rectified(narrow, narrow * 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x))


def _rectified(inside: int, out: int, side: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, out, side, stride=stride, padding=side // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.LeakyReLU(0.1),
    )


def _sequence(convolutions: int, out: int) -> nn.Sequential:
    """The network of the prototypes: convolutions, twice the size, one more, and down to the prototypes."""
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1), nn.ReLU()]
    layers += [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), nn.ReLU()]
    layers += [nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(_WIDTH, out, 1)]
    return nn.Sequential(*layers)
