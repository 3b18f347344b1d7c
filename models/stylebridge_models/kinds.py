"""Which network a checkpoint belongs to, seen from the names in it; and its tensors made ready to be installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylebridge.errors import Code, StylebridgeError

from . import checkpoints, optical_flow, segmentation

if TYPE_CHECKING:
    from torch import Tensor

JOHNSON, MICROAST, ONNX = "johnson", "microast", "onnx"
VGG16, VGG19, SQUEEZENET = "vgg16", "vgg19", "squeezenet"
WHAT = {
    JOHNSON: "a Johnson network (one style)",
    MICROAST: "MicroAST (any style picture)",
    ONNX: "an ONNX style network (one style)",
    VGG16: "VGG-16 (losses)",
    VGG19: "VGG-19 (losses)",
    SQUEEZENET: "SqueezeNet (losses)",
    **segmentation.WHAT,
    **optical_flow.WHAT,
}


@dataclass(frozen=True)
class Converted:
    """A checkpoint as it is installed.

    Attributes:
        kind: one of `WHAT`.
        tensors: float32, under the network's present names.
        settings: what else its arithmetic depends on.
    """

    kind: str
    tensors: dict[str, Tensor]
    settings: dict[str, Any] = field(default_factory=dict)


def convert(path: Path, inputs: str | None = None, labels: Sequence[str] | None = None) -> Converted:
    """A checkpoint, recognised, compared with its network name by name, and renamed.

    Args:
        path: a file; or a folder, MicroAST's of four or the shards of VGG-19.
        inputs: what a loss network is fed; see `loss_networks.load`. No other network takes it.
        labels: names of the classes that a network tells apart which finds things; see `segmentation.convert`. No
            other network takes them.

    Raises:
        StylebridgeError: NOT_READABLE where it belongs to no network known here, or does not fit the one that it
            comes nearest to: the names missing and too many, or the wrong shape, are said. As `checkpoints.read`;
            BAD_VALUE for inputs that the network does not take.
    """
    from . import johnson, microast

    if path.is_dir() and any(path.glob("group1-shard*")):
        return _loss_network(VGG19, path, inputs)
    state = _microast_folder(path) if path.is_dir() else checkpoints.read(path)
    finds = segmentation.seen(state)
    if finds is not None:
        if inputs is not None:
            raise _needless(path, "--input")
        return Converted(finds, *segmentation.convert(finds, state, path, labels))
    if labels is not None:
        raise _needless(path, "--labels")
    follows = optical_flow.seen(state)
    if follows is not None:
        if inputs is not None:
            raise _needless(path, "--input")
        wanted = optical_flow.shapes(follows)
        found = checkpoints.fitted(optical_flow.bare(state), wanted, WHAT[follows], path)
        return Converted(follows, found)
    judge = _seen_loss_network(state)
    if judge is not None:
        return _loss_network(judge, path, inputs)
    if inputs is not None:
        raise _needless(path, "--input")
    renamed, epsilon = johnson.renamed(state)
    build = johnson.build(renamed)
    plans = {JOHNSON: (renamed, johnson.shapes(**build)), MICROAST: (state, microast.shapes())}
    known = {
        kind: len(shapes.keys() & tensors.keys()) / len(shapes) for kind, (tensors, shapes) in plans.items()
    }
    kind = max(known, key=lambda one: known[one])
    if known[kind] < 0.2:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{path} belongs to no network that is known here (it has {', '.join(sorted(state)[:3])}): known are "
            f"{', '.join(WHAT.values())}.",
        )
    tensors, shapes = plans[kind]
    settings = {"epsilon": epsilon, **build} if kind == JOHNSON else {}
    return Converted(kind, checkpoints.fitted(tensors, shapes, WHAT[kind], path), settings)


def _needless(path: Path, option: str) -> StylebridgeError:
    what = "What it is fed follows from its kind" if option == "--input" else "It tells no classes apart"
    return StylebridgeError(Code.BAD_VALUE, f"{path} cannot be imported so: {what}, leave {option} out.")


def _seen_loss_network(state: Mapping[str, Tensor]) -> str | None:
    """Which loss network the names and shapes are of, torchvision's with or without "features." in front."""
    names = {name.removeprefix("features.") for name in state}
    if "0.weight" not in names:
        return None
    if "3.squeeze.weight" in names:
        return SQUEEZENET
    if "2.weight" not in names:
        return None
    # VGG-19 has a fourth convolution where VGG-16 goes on to 512 channels.
    return VGG19 if "16.weight" in names else VGG16


def _loss_network(kind: str, path: Path, inputs: str | None) -> Converted:
    from . import loss_networks

    found = loss_networks.load(kind, path, inputs)
    return Converted(kind, found.weights, {"inputs": found.inputs, "layers": list(found.layers)})


def _microast_folder(folder: Path) -> dict[str, Tensor]:
    """The four files of MicroAST's release."""
    from . import microast

    parts: dict[str, Mapping[str, Tensor]] = {}
    for part in microast.PARTS:
        files = sorted(folder.glob(f"{part}*"))
        if len(files) != 1:
            there = "no file" if not files else f"{len(files)} files"
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"The folder {folder} has {there} named {part}*: MicroAST has four, {', '.join(microast.PARTS)}.",
            )
        parts[part] = checkpoints.read(files[0])
    return microast.joined(parts)
