"""YOLACT's arithmetic: its backbone beside torchvision's, Fast NMS and masks beside their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models import resnet50
from torchvision.ops import box_iou

from stylebridge_models import segmentation, yolact
from stylebridge_server.segment.yolact import Found, YolactFinder, fast_nms, masks


@pytest.fixture(scope="module")
def network() -> yolact.Yolact:
    torch.manual_seed(0)
    made = yolact.Yolact(yolact.RESNET50, 3)
    return made.eval().requires_grad_(False)


def test_the_backbone_is_torchvisions(network: yolact.Yolact) -> None:
    other = resnet50(weights=None).eval()
    state = {name.replace("layers.0", "layer1"): v for name, v in network.backbone.state_dict().items()}
    for stage in (1, 2, 3):
        state = {name.replace(f"layers.{stage}", f"layer{stage + 1}"): v for name, v in state.items()}
    missing, unexpected = other.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) == {"fc.weight", "fc.bias"}
    picture = torch.randn(1, 3, 75, 75)
    with torch.inference_mode():
        x = other.maxpool(other.relu(other.bn1(other.conv1(picture))))
        features = []
        for layer in (other.layer1, other.layer2, other.layer3, other.layer4):
            x = layer(x)
            features.append(x)
        found = network.backbone(picture)
    assert all(torch.equal(a, b) for a, b in zip(found, features[1:], strict=True))


def test_pyramid_prototypes_and_heads(network: yolact.Yolact) -> None:
    """Written out by hand, from the paper."""
    w = dict(network.named_parameters())

    def conv(name: str, x: Tensor, **how: int) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], **how)

    def up(x: Tensor, size: torch.Size) -> Tensor:
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    picture = torch.randn(1, 3, 75, 75)
    with torch.inference_mode():
        offsets, shares, coefficients, prototypes = network(picture)
        c3, c4, c5 = network.backbone(picture)
        p5 = conv("fpn.lat_layers.0", c5)
        p4 = conv("fpn.lat_layers.1", c4) + up(p5, c4.shape[2:])
        p3 = conv("fpn.lat_layers.2", c3) + up(p4, c3.shape[2:])
        levels = [F.relu(conv(f"fpn.pred_layers.{i}", x, padding=1)) for i, x in ((2, p3), (1, p4), (0, p5))]
        levels.append(conv("fpn.downsample_layers.0", levels[-1], padding=1, stride=2))
        levels.append(conv("fpn.downsample_layers.1", levels[-1], padding=1, stride=2))
        x = levels[0]
        for i in (0, 2, 4):
            x = F.relu(conv(f"proto_net.{i}", x, padding=1))
        x = F.relu(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
        x = F.relu(conv("proto_net.10", F.relu(conv("proto_net.8", x, padding=1))))
        first = F.relu(conv("prediction_layers.0.upfeature.0", levels[0], padding=1))
        head = "prediction_layers.0."
        said = conv(f"{head}mask_layer", first, padding=1).tanh()
        classes = conv(f"{head}conf_layer", first, padding=1)
    assert torch.allclose(prototypes[0].permute(2, 0, 1), x[0], atol=1e-5)
    # The second prior of the cell in row 1, column 2 of the first level.
    across = levels[0].shape[3]
    prior = 3 * (across + 2) + 1
    assert torch.allclose(coefficients[0, prior], said[0, 32:64, 1, 2], atol=1e-5)
    assert torch.allclose(shares[0, prior], classes[0, 4:8, 1, 2].softmax(0), atol=1e-5)
    assert offsets.shape[1] == 3 * sum(level.shape[2] * level.shape[3] for level in levels)


def test_darknet_is_what_was_published() -> None:
    torch.manual_seed(1)
    made = yolact.Yolact(yolact.DARKNET53, 3).eval().requires_grad_(False).backbone
    w = made.state_dict()

    def layer(name: str, x: Tensor, **how: int) -> Tensor:
        x = F.conv2d(x, w[f"{name}.0.weight"], None, **how)
        norm = [w[f"{name}.1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.leaky_relu(F.batch_norm(x, *norm), 0.1)

    picture = torch.randn(1, 3, 64, 64)
    features = []
    with torch.inference_mode():
        x = layer("_preconv", picture, padding=1)
        for stage, count in enumerate((1, 2, 8, 8, 4)):
            x = layer(f"layers.{stage}.0", x, stride=2, padding=1)
            for i in range(1, count + 1):
                x = x + layer(f"layers.{stage}.{i}.conv2", layer(f"layers.{stage}.{i}.conv1", x), padding=1)
            features.append(x)
        found = made(picture)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, features[2:], strict=True))


def test_pictures_are_prepared_as_in_training() -> None:
    grey = torch.full((1, 3, 40, 70), 0.5)
    for_resnet = yolact.prepared(grey, yolact.RESNET101)
    assert for_resnet.shape == (1, 3, 550, 550)
    assert for_resnet[0, 0, 0, 0] == pytest.approx((127.5 - 123.68) / 58.40, abs=1e-4)
    assert for_resnet[0, 2, 9, 9] == pytest.approx((127.5 - 103.94) / 57.38, abs=1e-4)
    assert yolact.prepared(grey, yolact.DARKNET53).mean() == pytest.approx(0.5)


def test_boxes_are_decoded_from_centre_and_size() -> None:
    prior = torch.tensor([[0.5, 0.4, 0.2, 0.1]])
    box = yolact.decoded(torch.tensor([[1.0, -1.0, 0.5, -0.5]]), prior)[0]
    x, y = 0.5 + 0.1 * 0.2, 0.4 - 0.1 * 0.1
    w, h = 0.2 * math.exp(0.1), 0.1 * math.exp(-0.1)
    assert torch.allclose(box, torch.tensor([x - w / 2, y - h / 2, x + w / 2, y + h / 2]))


def test_fast_nms_is_its_definition() -> None:
    generator = torch.Generator().manual_seed(3)
    corner = torch.rand(60, 2, generator=generator) * 0.6
    boxes = torch.cat([corner, corner + 0.1 + 0.25 * torch.rand(60, 2, generator=generator)], 1)
    shares = (3 * torch.randn(60, 4, generator=generator)).softmax(1)
    coefficients = torch.randn(60, 32, generator=generator)
    found = fast_nms(boxes, shares, coefficients, 0.3)
    likely = shares[:, 1:].amax(1) > 0.05
    expected = set()
    for k in range(3):
        order = sorted((i for i in range(60) if likely[i]), key=lambda i: -float(shares[i, k + 1]))
        for place, i in enumerate(order):
            # A box that was itself removed removes all the same: that is what makes it fast.
            surer = boxes[order[:place]]
            free = not len(surer) or float(box_iou(surer, boxes[i : i + 1]).max()) <= 0.5
            if free and shares[i, k + 1] > 0.3:
                expected.add((k, round(float(shares[i, k + 1]), 5)))
    got = list(zip(found.classes.tolist(), found.scores.tolist(), strict=True))
    assert {(k, round(score, 5)) for k, score in got} == expected and len(expected) > 5
    assert [score for _, score in got] == sorted((score for _, score in got), reverse=True)
    nothing = fast_nms(boxes, torch.tensor([[1.0, 0, 0, 0]]).repeat(60, 1), coefficients, 0.3)
    assert len(nothing.scores) == 0


def test_masks_mix_prototypes_within_their_box() -> None:
    prototypes = torch.randn(20, 30, 32).abs()
    coefficients = torch.randn(2, 32).tanh()
    boxes = torch.tensor([[0.2, 0.1, 0.6, 0.5], [-0.3, 0.5, 2.0, 1.4]])
    found = Found(torch.zeros(2, dtype=torch.long), torch.ones(2), boxes, coefficients)
    soft = masks(found, prototypes)
    whole = torch.sigmoid(torch.einsum("hwk,nk->nhw", prototypes, coefficients))
    inside = torch.zeros(2, 20, 30, dtype=torch.bool)
    inside[0, 1:11, 5:19] = True  # a pixel more on either side
    inside[1, 9:, :] = True
    assert torch.allclose(soft[inside], whole[inside]) and not soft[~inside].any()


def test_a_frame_gives_finds_at_working_size(network: yolact.Yolact) -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (60, 100, 3), np.uint8)
    found = YolactFinder(network, yolact.RESNET50, ["cat", None, "dog"], "cpu", score=0.2).find(rgb, (30, 50))
    assert found and {one.label for one in found} <= {"cat", "dog"}
    assert all(one.mask.shape == (30, 50) and set(np.unique(one.mask)) <= {0.0, 1.0} for one in found)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True) and min(scores) > 0.2


def test_published_files_load(network: yolact.Yolact) -> None:
    settings = {"backbone": yolact.RESNET50, "labels": ["cat", "dog", "cow"]}
    again = segmentation.load(segmentation.YOLACT, settings, network.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), network.state_dict().values()))  # noqa: B905
