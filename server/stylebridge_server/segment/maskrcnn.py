"""Mask R-CNN (He et al. 2017), torchvision's: instances with a class, a score and a mask each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from stylebridge_server.segment.detections import EVERY, Detection, resized
from stylebridge_server.segment.torch_pictures import shrunk, unit
from stylebridge_server.values import Rgb8

SHORT, LONG = 800, 1333  # sides at which the network looks
SCORE = 0.6  # finds below are left out


class MaskRcnn:
    """See `Finder`.

    Args:
        network: torchvision's, with its weights.
        labels: of its classes, the background left out; None for one that is never found.
        device: where it runs.
        score: the least score of a find.
    """

    semantic, every = False, EVERY

    def __init__(
        self, network: nn.Module, labels: Sequence[str | None], device: str, score: float = SCORE
    ) -> None:
        self._network = network.to(device)
        self._network.roi_heads.score_thresh = score  # type: ignore[union-attr]
        self._labels, self._device = list(labels), device

    @torch.inference_mode()
    def find(self, rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        """See `Finder.find`."""
        # Masks come at the size of the picture that the network is given, one plane each.
        (said,) = self._network([unit(shrunk(rgb, SHORT, LONG), self._device)[0]])
        out = []
        for label, score, mask in zip(
            said["labels"].tolist(), said["scores"].tolist(), said["masks"], strict=True
        ):
            name = self._labels[label - 1]
            if name is not None:
                out.append(Detection(resized(mask[0].cpu().numpy(), size), name, score))
        return out
