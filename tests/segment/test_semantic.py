"""Networks of classes beside torchvision's own output, and on a photograph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from stylebridge_models import kinds, segmentation
from stylebridge_server.segment.semantic import ESPNETV2_SIDE, Semantic
from stylebridge_server.values import Rgb8


def photograph(shared: Path, number: str) -> Rgb8:
    picture = cv2.imread(str(shared / "data/photos/coco_permissive/images" / f"{number}.jpg"))
    return np.ascontiguousarray(picture[..., ::-1])


def test_deeplab_gives_torchvisions_scores() -> None:
    torch.manual_seed(0)
    settings = {"backbone": "mobilenet_v3_large", "labels": ["cat", "dog"]}
    made = segmentation.build(segmentation.DEEPLAB, settings)
    network = segmentation.load(segmentation.DEEPLAB, settings, made.state_dict())
    rgb = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    finder = Semantic(network, settings["labels"], 64, "cpu")  # type: ignore[arg-type]
    shares = finder.shares(rgb)
    picture = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        said = network((picture - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1))["out"]
    assert torch.equal(shares, said[0].softmax(0))
    found = finder.find(rgb, (64, 96))
    classes = shares.argmax(0).numpy()
    for one in found:
        inside = classes[one.mask > 0]
        assert len(inside) and (inside == ["cat", "dog"].index(one.label) + 1).all()


def test_espnetv2_knows_what_is_on_photographs(shared: Path) -> None:
    found = kinds.convert(shared / "data/weights/espnetv2/espnetv2_s_2.0_pascal_384x384.pth")
    network = segmentation.load(found.kind, found.settings, found.tensors)
    finder = Semantic(network, found.settings["labels"], ESPNETV2_SIDE, "cpu")
    for number, label in (("000000000073", "motorbike"), ("000000000165", "person")):
        rgb = photograph(shared, number)
        best = max(finder.find(rgb, rgb.shape[:2]), key=lambda one: float(one.mask.sum()))
        assert best.label == label and best.score > 0.6
        lines = (
            (shared / f"data/photos/coco_permissive/instances/{number}.txt").read_text("utf-8").splitlines()
        )
        truth = np.zeros(rgb.shape[:2], np.uint8)
        kind = {"motorbike": "4", "person": "1"}[label]
        for line in lines:
            name, *numbers = line.split()
            if name == kind:
                corners = np.array(numbers, np.float64).reshape(-1, 2) * rgb.shape[1::-1]
                cv2.fillPoly(truth, [np.rint(corners).astype(np.int32)], 1)
        both = float((best.mask * truth).sum())
        assert both / float(np.maximum(best.mask, truth).sum()) > 0.6
