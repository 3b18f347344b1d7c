"""Networks that give each pixel a class: DeepLabv3 (Chen et al. 2017), torchvision's, and ESPNetv2 (Mehta et al. 2019).

Connected pixels of one class are one find. What touches is told apart only by what is followed already.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylebridge_server.segment.detections import EVERY, LEAST, Detection, resized
from stylebridge_server.segment.torch_pictures import imagenet, shrunk, unit
from stylebridge_server.values import Rgb8

DEEPLAB_SIDE, ESPNETV2_SIDE = 520, 384  # short sides of the pictures that the networks were trained with
ESPNETV2_EVERY = 4  # it costs no more than following an instance does
_LONGER = 2.5  # times the short side that the long one may have
_MULTIPLE = 32


class Semantic:
    """See `Finder`.

    Args:
        network: scores (N, classes, H, W) of pictures (N, 3, H, W), or {"out": scores}; the background is class 0.
        labels: of its classes, the background left out; None for one that is never found.
        side: the short side at which it looks.
        device: where it runs.
        every: frames from one look to the next.
    """

    semantic = True

    def __init__(
        self,
        network: nn.Module,
        labels: Sequence[str | None],
        side: int,
        device: str,
        every: int = EVERY,
    ) -> None:
        self._network = network.to(device)
        self._labels, self._side, self._device = list(labels), side, device
        self.every = every

    @torch.inference_mode()
    def shares(self, rgb: Rgb8) -> Tensor:
        """How likely each class is at each pixel, (classes, h, w), at the size at which the network looks."""
        picture = unit(shrunk(rgb, self._side, int(self._side * _LONGER)), self._device)
        h, w = (max(_MULTIPLE, round(n / _MULTIPLE) * _MULTIPLE) for n in picture.shape[2:])
        picture = F.interpolate(picture, (h, w), mode="bilinear", align_corners=False)
        said = self._network(imagenet(picture))
        scores: Tensor = said["out"] if isinstance(said, dict) else said
        return scores[0].softmax(0).cpu()

    def find(self, rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        """See `Finder.find`."""
        shares = self.shares(rgb)
        classes = shares.argmax(0).numpy()
        least = LEAST * classes.size
        out = []
        for k in np.unique(classes):
            name = self._labels[k - 1] if k else None
            if name is None:
                continue
            count, parts, stats, _ = cv2.connectedComponentsWithStats((classes == k).astype(np.uint8))
            for i in range(1, count):
                if stats[i, cv2.CC_STAT_AREA] >= least:
                    piece = (parts == i).astype(np.float32)
                    score = float(shares[int(k)].numpy()[parts == i].mean())
                    out.append(Detection(resized(piece, size), name, score))
        return sorted(out, key=lambda one: -one.score)
