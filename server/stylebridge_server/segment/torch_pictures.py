"""Frames as torch networks take them, and the size at which they look."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from stylebridge_server.values import Rgb8

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def unit(rgb: Rgb8, device: str) -> Tensor:
    """(H, W, 3) uint8 as (1, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].to(device).float() / 255


def imagenet(rgb: Tensor) -> Tensor:
    """With ImageNet's mean and deviation taken off."""
    mean, deviation = (torch.tensor(v, device=rgb.device).view(1, 3, 1, 1) for v in (_MEAN, _DEVIATION))
    return (rgb - mean) / deviation


def shrunk(rgb: Rgb8, short: int, long: int) -> Rgb8:
    """The picture with sides of at most these, in its aspect; never enlarged."""
    h, w = rgb.shape[:2]
    scale = min(1.0, short / min(h, w), long / max(h, w))
    if scale == 1:
        return rgb
    size = max(1, round(w * scale)), max(1, round(h * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
