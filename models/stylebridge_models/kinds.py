"""Which network a checkpoint belongs to, seen from the names in it; and its tensors made ready to be installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylebridge.errors import Code, StylebridgeError

from . import checkpoints

if TYPE_CHECKING:
    from torch import Tensor

JOHNSON, MICROAST, ONNX = "johnson", "microast", "onnx"
WHAT = {
    JOHNSON: "a Johnson network (one style)",
    MICROAST: "MicroAST (any style picture)",
    ONNX: "an ONNX style network (one style)",
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


def convert(path: Path) -> Converted:
    """A checkpoint, or MicroAST's folder of four, recognised, compared with its network name by name, and renamed.

    Raises:
        StylebridgeError: NOT_READABLE where it belongs to no network known here, or does not fit the one that it
            comes nearest to: the names missing and too many, or the wrong shape, are said. As `checkpoints.read`.
    """
    from . import johnson, microast

    state = _microast_folder(path) if path.is_dir() else checkpoints.read(path)
    renamed, epsilon = johnson.renamed(state)
    plans = {JOHNSON: (renamed, johnson.shapes()), MICROAST: (state, microast.shapes())}
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
    settings = {"epsilon": epsilon} if kind == JOHNSON else {}
    return Converted(kind, checkpoints.fitted(tensors, shapes, WHAT[kind], path), settings)


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
