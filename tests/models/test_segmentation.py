"""Networks that find things: recognised by their names, compared shape by shape, and nothing else taken in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import checkpoints, kinds, segmentation, yolact

# Names and shapes in the published files yolact_resnet50_54_800000.pth and its like, beside the backbone.
PUBLISHED_HEADS = {
    "proto_net.0.weight": (256, 256, 3, 3),
    "proto_net.0.bias": (256,),
    "proto_net.2.weight": (256, 256, 3, 3),
    "proto_net.4.weight": (256, 256, 3, 3),
    "proto_net.8.weight": (256, 256, 3, 3),
    "proto_net.10.weight": (32, 256, 1, 1),
    "proto_net.10.bias": (32,),
    "fpn.lat_layers.0.weight": (256, 2048, 1, 1),
    "fpn.lat_layers.1.weight": (256, 1024, 1, 1),
    "fpn.lat_layers.2.weight": (256, 512, 1, 1),
    "fpn.pred_layers.0.weight": (256, 256, 3, 3),
    "fpn.pred_layers.2.bias": (256,),
    "fpn.downsample_layers.0.weight": (256, 256, 3, 3),
    "fpn.downsample_layers.1.bias": (256,),
    "prediction_layers.0.upfeature.0.weight": (256, 256, 3, 3),
    "prediction_layers.0.bbox_layer.weight": (12, 256, 3, 3),
    "prediction_layers.0.conf_layer.weight": (243, 256, 3, 3),
    "prediction_layers.0.mask_layer.weight": (96, 256, 3, 3),
    "prediction_layers.0.mask_layer.bias": (96,),
    "semantic_seg_conv.weight": (80, 256, 1, 1),
    "semantic_seg_conv.bias": (80,),
}
RESNET = {
    "backbone.conv1.weight": (64, 3, 7, 7),
    "backbone.bn1.running_mean": (64,),
    "backbone.layers.0.0.conv1.weight": (64, 64, 1, 1),
    "backbone.layers.0.0.downsample.0.weight": (256, 64, 1, 1),
    "backbone.layers.0.0.downsample.1.running_var": (256,),
    "backbone.layers.1.3.conv2.weight": (128, 128, 3, 3),
    "backbone.layers.3.2.bn3.weight": (2048,),
}
DARKNET = {
    "backbone._preconv.0.weight": (32, 3, 3, 3),
    "backbone._preconv.1.running_mean": (32,),
    "backbone.layers.0.0.0.weight": (64, 32, 3, 3),
    "backbone.layers.0.1.conv1.0.weight": (32, 64, 1, 1),
    "backbone.layers.2.8.conv2.0.weight": (256, 128, 3, 3),
    "backbone.layers.4.4.conv2.1.bias": (1024,),
    "fpn.lat_layers.0.weight": (256, 1024, 1, 1),
    "fpn.lat_layers.1.weight": (256, 512, 1, 1),
    "fpn.lat_layers.2.weight": (256, 256, 1, 1),
}
# Convolutions have one name or, with a bias, two; a normalisation has four.
BACKBONE_NAMES = {"resnet50": 53 + 4 * 53, "resnet101": 104 + 4 * 104, "darknet53": 52 + 4 * 52}
HEAD_NAMES = 2 * (5 + 3 + 3 + 2 + 4 + 1)


def zeros(kind: str, settings: dict[str, object]) -> dict[str, Tensor]:
    return {name: torch.zeros(shape) for name, shape in segmentation.shapes(kind, settings).items()}


def saved(folder: Path, state: dict[str, Tensor]) -> Path:
    path = folder / "weights.pth"
    torch.save(state, path)
    return path


def refused(path: Path, labels: list[str] | None = None) -> StylebridgeError:
    with pytest.raises(StylebridgeError) as caught:
        kinds.convert(path, None, labels)
    assert caught.value.message.count(". ") == 0 and str(path) in caught.value.message
    return caught.value


@pytest.mark.parametrize("backbone", ["resnet50", "resnet101", "darknet53"])
def test_yolact_has_the_names_and_shapes_that_were_published(backbone: str) -> None:
    shapes = segmentation.shapes(segmentation.YOLACT, {"backbone": backbone, "count": 80})
    published = {**PUBLISHED_HEADS, **(DARKNET if backbone == "darknet53" else RESNET)}
    assert {name: shapes.get(name) for name in published} == published
    assert ("backbone.layers.2.22.conv3.weight" in shapes) == (backbone == "resnet101")
    assert len(shapes) == BACKBONE_NAMES[backbone] + HEAD_NAMES


def test_the_priors_of_yolact_are_squares_cell_by_cell() -> None:
    prior = yolact.priors()
    assert prior.shape == (3 * (69**2 + 35**2 + 18**2 + 9**2 + 5**2), 4)
    first = torch.tensor([[0.5 / 69, 0.5 / 69, 24 * a**0.5 / 550, 24 * a**0.5 / 550] for a in (1, 0.5, 2)])
    assert torch.allclose(prior[:3], first)
    assert torch.allclose(prior[3, :2], torch.tensor([1.5 / 69, 0.5 / 69]))
    assert torch.allclose(prior[-1], torch.tensor([0.9, 0.9, 384 * 2**0.5 / 550, 384 * 2**0.5 / 550]))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("maskrcnn", {"version": 1, "count": 3}),
        ("maskrcnn", {"version": 2, "count": 3}),
        ("deeplab", {"backbone": "mobilenet_v3_large", "count": 3}),
        ("deeplab", {"backbone": "resnet101", "count": 3}),
        ("yolact", {"backbone": "darknet53", "count": 3}),
        (
            "espnetv2",
            {"widths": [32, 64, 128, 256], "decoder": [64, 48, 32], "projected": 10, "count": 3},
        ),
    ],
)
def test_each_network_is_recognised_with_labels_of_its_own(
    kind: str, settings: dict[str, object], tmp_path: Path
) -> None:
    state = zeros(kind, settings)
    path = saved(tmp_path, state)
    found = kinds.convert(path, None, ["cat", "dog", "cow"])
    assert found.kind == kind and found.settings["labels"] == ["cat", "dog", "cow"]
    assert {name: found.settings[name] for name in settings if name != "count"} == {
        name: value for name, value in settings.items() if name != "count"
    }
    assert found.tensors.keys() == state.keys()
    assert "has 2" in refused(path, ["cat", "dog"]).message
    assert "give their names with --labels" in refused(path).message
    lacking = dict(list(state.items())[:-1])
    assert "it lacks" in refused(saved(tmp_path, lacking), ["cat", "dog", "cow"]).message


def test_mask_r_cnn_of_the_years_before_is_renamed(tmp_path: Path) -> None:
    state = zeros("maskrcnn", {"version": 1, "count": 90})
    old = {}
    for name, value in state.items():
        name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
        if "_blocks." in name:
            name = name.replace(".0.weight", ".weight").replace(".0.bias", ".bias")
        for i in range(4):
            name = name.replace(f"mask_head.{i}.0.", f"mask_head.mask_fcn{i + 1}.")
        old[name] = value
    assert "roi_heads.mask_head.mask_fcn4.bias" in old and "backbone.fpn.inner_blocks.3.weight" in old
    found = kinds.convert(saved(tmp_path, old))
    assert found.tensors.keys() == state.keys()
    # COCO's numbers have gaps.
    labels = found.settings["labels"]
    assert len(labels) == 90 and labels[0] == "person" and labels[11] is None and labels[-1] == "toothbrush"
    assert found.settings["epsilon"] == 0.0


def test_what_helps_in_training_only_is_left_out(tmp_path: Path) -> None:
    state = zeros("deeplab", {"backbone": "resnet50", "count": 20})
    more = {
        **state,
        "aux_classifier.4.weight": torch.zeros(21, 256, 1, 1),
        "backbone.bn1.num_batches_tracked": torch.tensor(7),
    }
    found = kinds.convert(saved(tmp_path, more))
    assert found.tensors.keys() == state.keys() and found.settings["labels"][14] == "person"


def test_a_shape_that_is_not_the_networks_is_said(tmp_path: Path) -> None:
    state = zeros("yolact", {"backbone": "resnet50", "count": 80})
    state["proto_net.4.weight"] = torch.zeros(256, 128, 3, 3)
    error = refused(saved(tmp_path, state))
    assert error.code == Code.NOT_READABLE and "proto_net.4.weight is 256x128x3x3" in error.message


def test_options_that_say_nothing_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, zeros("deeplab", {"backbone": "mobilenet_v3_large", "count": 20}))
    with pytest.raises(StylebridgeError, match="leave --input out"):
        kinds.convert(path, "0-1")
    network = tmp_path / "vgg.pth"
    torch.save({"0.weight": torch.zeros(64, 3, 3, 3), "2.weight": torch.zeros(1)}, network)
    with pytest.raises(StylebridgeError, match="leave --labels out"):
        kinds.convert(network, None, ["cat"])


def test_espnetv2_as_published(shared: Path) -> None:
    folder = shared / "data" / "weights" / "espnetv2"
    for scale in ("1.0", "2.0"):
        path = folder / f"espnetv2_s_{scale}_pascal_384x384.pth"
        found = kinds.convert(path)
        counted = [name for name in checkpoints.read(path) if not name.endswith("num_batches_tracked")]
        assert found.kind == "espnetv2" and sorted(found.tensors) == sorted(counted)
