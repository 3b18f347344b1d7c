"""YOLACT at work: from what the network says to instances, with Fast NMS, as published (Bolya et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylebridge_models.yolact import decoded, prepared, priors
from stylebridge_server.segment.detections import EVERY, Detection, resized
from stylebridge_server.segment.torch_pictures import unit
from stylebridge_server.values import Rgb8

SCORE = 0.4  # finds below are left out
_CONSIDERED = 0.05  # boxes whose best class has less are not looked at
_OVERLAP = 0.5  # of boxes of one class, from which the less sure goes
_TOP, _MOST = 200, 100  # boxes of a class that are compared, and finds in all


@dataclass(frozen=True)
class Found:
    """Finds, surest first.

    Attributes:
        classes: (K,) from 0.
        scores: (K,).
        boxes: (K, 4) left, top, right, bottom, shares of the picture.
        coefficients: (K, 32).
    """

    classes: Tensor
    scores: Tensor
    boxes: Tensor
    coefficients: Tensor


def fast_nms(boxes: Tensor, shares: Tensor, coefficients: Tensor, score: float) -> Found:
    """The finds out of all boxes: of each class those that no surer box of it overlaps, removed or not.

    Args:
        boxes: (P, 4).
        shares: (P, classes + 1), the background first.
        coefficients: (P, 32).
        score: the least score of a find.
    """
    likely = shares[:, 1:].amax(1) > _CONSIDERED
    boxes, coefficients, scores = boxes[likely], coefficients[likely], shares[likely, 1:].T
    scores, order = scores.sort(1, descending=True)
    scores, order = scores[:, :_TOP], order[:, :_TOP]
    there = boxes[order]
    worst = _overlaps(there).triu(1).amax(1) if order.shape[1] else scores
    keep = (worst <= _OVERLAP) & (scores > score)
    classes = torch.arange(len(scores), device=boxes.device)[:, None].expand_as(keep)[keep]
    best, sure = scores[keep].sort(descending=True)
    sure = sure[:_MOST]
    return Found(classes[sure], best[:_MOST], there[keep][sure], coefficients[order][keep][sure])


def masks(found: Found, prototypes: Tensor) -> Tensor:
    """Soft masks (K, h, w) in [0, 1] at the prototypes' size, empty outside their boxes.

    Args:
        found: from `fast_nms`.
        prototypes: (h, w, 32).
    """
    h, w = prototypes.shape[:2]
    soft = torch.sigmoid(prototypes @ found.coefficients.T).permute(2, 0, 1)
    left, right = _span(found.boxes[:, 0], found.boxes[:, 2], w)
    top, bottom = _span(found.boxes[:, 1], found.boxes[:, 3], h)
    x = torch.arange(w, device=soft.device).view(1, 1, w)
    y = torch.arange(h, device=soft.device).view(1, h, 1)
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    return soft * inside


class YolactFinder:
    """See `Finder`.

    Args:
        network: `stylebridge_models.yolact.Yolact` with its weights.
        backbone: of the network.
        labels: of its classes; None for one that is never found.
        device: where it runs.
        score: the least score of a find.
    """

    semantic, every = False, EVERY

    def __init__(
        self,
        network: nn.Module,
        backbone: str,
        labels: Sequence[str | None],
        device: str,
        score: float = SCORE,
    ) -> None:
        self._network, self._backbone = network.to(device), backbone
        self._labels, self._device, self._score = list(labels), device, score
        self._priors = priors().to(device)

    @torch.inference_mode()
    def find(self, rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        """See `Finder.find`."""
        picture = prepared(unit(rgb, self._device), self._backbone)
        offsets, shares, coefficients, prototypes = self._network(picture)
        boxes = decoded(offsets[0], self._priors)
        found = fast_nms(boxes, shares[0], coefficients[0], self._score)
        out = []
        for k, mask in enumerate(masks(found, prototypes[0])):
            name = self._labels[int(found.classes[k])]
            if name is not None:
                soft = F.interpolate(mask[None, None], size, mode="bilinear", align_corners=False)[0, 0]
                out.append(Detection(resized(soft.cpu().numpy(), size), name, float(found.scores[k])))
        return out


def _overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of boxes with one another, (classes, K, 4) to (classes, K, K)."""
    a, b = boxes[:, :, None], boxes[:, None]
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    return shared / (area[:, :, None] + area[:, None] - shared)


def _span(begins: Tensor, ends: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """From where to where a box reaches, with a pixel more on either side, as (K, 1, 1) of pixels."""
    low, high = torch.minimum(begins, ends) * side, torch.maximum(begins, ends) * side
    return (low - 1).clamp(min=0).view(-1, 1, 1), (high + 1).clamp(max=side).view(-1, 1, 1)
