"""Networks that find things in pictures: which one a state dict is of, its shapes, and the network itself.

Mask R-CNN and DeepLabv3 are torchvision's, SAM is that of the package segment-anything; YOLACT and ESPNetv2 are
written here from what was published. All are compared name by name and shape by shape before they are installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylebridge.errors import Code, StylebridgeError

from . import checkpoints

if TYPE_CHECKING:
    from torch import Tensor, nn

MASKRCNN, DEEPLAB, YOLACT, ESPNETV2, SAM, INSTANCES = (
    "maskrcnn",
    "deeplab",
    "yolact",
    "espnetv2",
    "sam",
    "onnx-instances",
)
WHAT = {
    MASKRCNN: "Mask R-CNN (finds instances)",
    DEEPLAB: "DeepLabv3 (finds classes)",
    YOLACT: "YOLACT (finds instances)",
    ESPNETV2: "ESPNetv2 (finds classes)",
    SAM: "Segment Anything (cuts out what prompts point at)",
    INSTANCES: "an ONNX network that finds instances",
}
_SAM_WIDTHS = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
_COUNTS = re.compile(r"num_batches_tracked$")  # of training; nothing depends on them


def seen(state: Mapping[str, Tensor]) -> str | None:
    """Which of the kinds the names are of, None for none of them."""
    marks = {
        MASKRCNN: "roi_heads.mask_predictor.mask_fcn_logits.weight",
        DEEPLAB: "classifier.0.convs.0.0.weight",
        YOLACT: "proto_net.0.weight",
        ESPNETV2: "base_net.level1.conv.weight",
        SAM: "image_encoder.pos_embed",
    }
    return next((kind for kind, mark in marks.items() if mark in state), None)


def convert(
    kind: str, state: Mapping[str, Tensor], path: Path, labels: Sequence[str] | None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a state dict as they are installed, and the settings of its network.

    Args:
        kind: from `seen`.
        state: from `checkpoints.read`.
        path: names the file in sentences.
        labels: names of its classes, the background left out; None for COCO's or Pascal VOC's, by their number.

    Raises:
        StylebridgeError: NOT_READABLE where names or shapes are not the network's; BAD_VALUE where the labels are
            missing, or not as many as the classes.
    """
    renamed = {name: value for name, value in _RENAMED.get(kind, dict)(state).items() if not _counts(name)}
    try:
        settings = _SETTINGS[kind](renamed)
        wanted = shapes(kind, settings)
    except (KeyError, IndexError, ValueError, RuntimeError):
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{path} is not {WHAT[kind]}: its names are, and its shapes are none that is known.",
        ) from None
    if kind == MASKRCNN:
        # torchvision's own freeze the normalisation, and then add nothing to the variance.
        settings["epsilon"] = 1e-5 if any(_counts(name) for name in state) else 0.0
    tensors = checkpoints.fitted(renamed, wanted, WHAT[kind], path)
    if kind != SAM:
        settings["labels"] = _labels(settings.pop("count"), labels, path)
    elif labels is not None:
        raise StylebridgeError(Code.BAD_VALUE, f"{path} tells no classes apart: leave --labels out.")
    return tensors, settings


def shapes(kind: str, settings: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name to shape of everything that a network has, without making it."""
    import torch

    with torch.device("meta"):
        made = build(kind, settings)
    return {name: tuple(value.shape) for name, value in made.state_dict().items() if not _counts(name)}


def build(kind: str, settings: Mapping[str, Any]) -> nn.Module:
    """The network with arbitrary weights.

    Args:
        kind: MASKRCNN, DEEPLAB, YOLACT, ESPNETV2 or SAM.
        settings: of its card.
    """
    return _BUILDERS[kind](settings)


def load(kind: str, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network with the weights of an installed model, for use and not for training."""
    made = build(kind, settings)
    made.load_state_dict(dict(tensors), strict=False)  # what lacks are counts of training
    return made.eval().requires_grad_(False)


def _counts(name: str) -> bool:
    return _COUNTS.search(name) is not None


def _classes(settings: Mapping[str, Any]) -> int:
    return int(settings["count"]) if "count" in settings else len(settings["labels"])


def _labels(count: int, labels: Sequence[str] | None, path: Path) -> list[str | None]:
    """A name for each class, the background left out; None for a class that is never found."""
    if labels is not None:
        if len(labels) != count:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{path} tells {count} classes apart beside the background, and the list of labels has {len(labels)}: "
                "give one for each class, in the network's order.",
            )
        return list(labels)
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights
    from torchvision.models.segmentation import DeepLabV3_ResNet50_Weights

    coco = [
        None if one == "N/A" else one for one in MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"][1:]
    ]
    named = [one for one in coco if one is not None]
    voc = DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1.meta["categories"][1:]
    for known in (coco, named, voc):
        if len(known) == count:
            return list(known)
    raise StylebridgeError(
        Code.BAD_VALUE,
        f"{path} tells {count} classes apart beside the background, which is neither COCO's list nor Pascal VOC's: "
        "give their names with --labels FILE, one a line.",
    )


def _maskrcnn_settings(state: Mapping[str, Tensor]) -> dict[str, Any]:
    version = 2 if "roi_heads.box_head.0.0.weight" in state else 1
    return {"version": version, "count": len(state["roi_heads.box_predictor.cls_score.weight"]) - 1}


def _maskrcnn_renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of files from before torchvision 0.13, which its own weights still have."""
    out = {}
    for name, value in state.items():
        name = re.sub(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)$", r"\1.0.\2", name)
        name = re.sub(r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1", name)
        old = re.fullmatch(r"roi_heads\.mask_head\.mask_fcn(\d)\.(weight|bias)", name)
        if old:
            name = f"roi_heads.mask_head.{int(old[1]) - 1}.0.{old[2]}"
        out[name] = value
    return out


def _maskrcnn(settings: Mapping[str, Any]) -> nn.Module:
    from torchvision.models import detection
    from torchvision.ops import FrozenBatchNorm2d

    builder: Callable[..., nn.Module] = (
        detection.maskrcnn_resnet50_fpn_v2 if settings["version"] == 2 else detection.maskrcnn_resnet50_fpn
    )
    made = builder(weights=None, weights_backbone=None, num_classes=_classes(settings) + 1)
    for module in made.modules():
        if hasattr(module, "running_var") or isinstance(module, FrozenBatchNorm2d):
            module.eps = float(settings.get("epsilon", 1e-5))
    return made


def _deeplab_settings(state: Mapping[str, Tensor]) -> dict[str, Any]:
    if "backbone.layer3.5.conv1.weight" in state:
        backbone = "resnet101" if "backbone.layer3.22.conv1.weight" in state else "resnet50"
    else:
        backbone = "mobilenet_v3_large"
    return {"backbone": backbone, "count": len(state["classifier.4.weight"]) - 1}


def _deeplab(settings: Mapping[str, Any]) -> nn.Module:
    from torchvision.models import segmentation

    builder: Callable[..., nn.Module] = getattr(segmentation, f"deeplabv3_{settings['backbone']}")
    return builder(weights=None, weights_backbone=None, num_classes=_classes(settings) + 1, aux_loss=False)


def _yolact_settings(state: Mapping[str, Tensor]) -> dict[str, Any]:
    if "backbone._preconv.0.weight" in state:
        backbone = "darknet53"
    else:
        backbone = "resnet101" if "backbone.layers.2.22.conv1.weight" in state else "resnet50"
    return {"backbone": backbone, "count": len(state["prediction_layers.0.conf_layer.weight"]) // 3 - 1}


def _yolact_renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what its own reader leaves out too: the stages of a ResNet once more under torchvision's names."""
    return {name: value for name, value in state.items() if not re.match(r"backbone\.layer\d", name)}


def _yolact(settings: Mapping[str, Any]) -> nn.Module:
    from .yolact import Yolact

    return Yolact(settings["backbone"], _classes(settings))


def _espnetv2_settings(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "widths": [
            len(state["base_net.level1.conv.weight"]),
            *(len(state[f"base_net.level{level}_0.act.weight"]) for level in (2, 3, 4)),
        ],
        "decoder": [len(state[f"bu_br_l{level}.0.weight"]) for level in (2, 3, 4)],
        "projected": len(state["bu_dec_l1.stages.0.weight"]),
        "count": len(state["bu_dec_l4.merge_layer.3.weight"]) - 1,
    }


def _espnetv2(settings: Mapping[str, Any]) -> nn.Module:
    from .espnetv2 import ESPNetv2

    return ESPNetv2(
        tuple(settings["widths"]),
        tuple(settings["decoder"]),
        int(settings["projected"]),
        _classes(settings) + 1,
    )


def _sam(settings: Mapping[str, Any]) -> nn.Module:
    from segment_anything import sam_model_registry

    made: nn.Module = sam_model_registry[settings["encoder"]]()
    return made


def _without_aux(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the second classifier, which helps in training only."""
    return {name: value for name, value in state.items() if not name.startswith("aux_classifier.")}


_SETTINGS: dict[str, Callable[[Mapping[str, Tensor]], dict[str, Any]]] = {
    MASKRCNN: _maskrcnn_settings,
    DEEPLAB: _deeplab_settings,
    YOLACT: _yolact_settings,
    ESPNETV2: _espnetv2_settings,
    SAM: lambda state: {"encoder": _SAM_WIDTHS[state["image_encoder.pos_embed"].shape[-1]]},
}
_RENAMED: dict[str, Callable[[Mapping[str, Tensor]], dict[str, Tensor]]] = {
    MASKRCNN: _maskrcnn_renamed,
    YOLACT: _yolact_renamed,
    DEEPLAB: _without_aux,
}
_BUILDERS: dict[str, Callable[[Mapping[str, Any]], nn.Module]] = {
    MASKRCNN: _maskrcnn,
    DEEPLAB: _deeplab,
    YOLACT: _yolact,
    ESPNETV2: _espnetv2,
    SAM: _sam,
}
