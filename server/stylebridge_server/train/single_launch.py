"""A network for one style, from a recipe to a file that `stylebridge models import` takes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import safetensors.torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import loss_networks
from stylebridge_models.johnson import JohnsonNetwork
from stylebridge_models.loss_networks import LossNetwork
from stylebridge_server import colour, media

from .measures import whole_cells
from .pictures import Rgb8, find, load
from .run import ALONE, Progress, Worker
from .sceneflow import SceneFlow
from .single import SingleMaterials, train_single
from .single_recipe import SingleRecipe
from .sources import Clip, FrameFolder, Pairs, PairSource, Pictures
from .teacher import MicroAst

_SHOWN, _SHOWN_SIDE = 4, 256
_STRIP = 4


def resolved(recipe: SingleRecipe, base: Path) -> SingleRecipe:
    """The recipe with its paths taken from the folder `base`."""
    changed: dict[str, Any] = {}
    for key in ("pictures", "frames", "clips", "sceneflow", "style_pictures"):
        changed[key] = tuple(str(base / one) for one in getattr(recipe, key))
    for key in ("loss_weights", "teacher_weights"):
        value = getattr(recipe, key)
        changed[key] = str(base / value) if value else ""
    return dataclasses.replace(recipe, **changed)


def style_picture(path: Path) -> Rgb8:
    """A style picture of any kind that the media room reads: grey, 16 bits, CMYK, the first of an animation.

    Strips longer than four times their width are squeezed to that.
    """
    rgb = colour.to_working(media.load_image(path).pixels)
    picture: Rgb8 = colour.from_working(np.nan_to_num(rgb), np.dtype(np.uint8))
    height, width = picture.shape[:2]
    size = (min(width, _STRIP * height), min(height, _STRIP * width))
    if size != (width, height):
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    return picture


def single_materials(recipe: SingleRecipe, device: str = "cpu") -> SingleMaterials:
    """Opens everything that a recipe names, its paths resolved."""
    recipe.check()
    judge = _judge(recipe)
    teacher = None
    if recipe.teacher and recipe.taught:
        if not recipe.teacher_weights:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The recipe names no weights of its teacher {recipe.teacher}: set teacher_weights, or give --teacher.",
            )
        teacher = MicroAst.load(Path(recipe.teacher_weights), device)
    moving: list[PairSource] = [
        *(FrameFolder(Path(one)) for one in recipe.frames),
        *(Clip(one) for one in recipe.clips),
        *(SceneFlow(Path(one)) for one in recipe.sceneflow),
    ]
    folders = [Path(one) for one in recipe.pictures]
    stills = Pictures(folders, recipe.held_out) if folders else None
    paths = [path for one in recipe.style_pictures for path in _pictures_of(Path(one))]
    if recipe.style_weights and len(paths) != len(recipe.style_weights):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"The recipe weighs {len(recipe.style_weights)} styles and names {len(paths)} pictures.",
        )
    return SingleMaterials(
        styles=[style_picture(path) for path in paths],
        loss_network=judge,
        stills=stills,
        pairs=Pairs(moving) if moving else None,
        teacher=teacher,
        shown=_shown(recipe, folders, stills, moving),
    )


def _judge(recipe: SingleRecipe) -> LossNetwork:
    """The loss network from the file that the recipe names, or the one that is installed."""
    if recipe.loss_weights:
        return loss_networks.load(recipe.loss_network, Path(recipe.loss_weights), recipe.loss_inputs or None)
    found = loss_networks.find_installed(recipe.loss_network)
    if found is None:
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"No {recipe.loss_network} is installed and the recipe names no file of it: set loss_weights, give --vgg "
            f"FILE, or install it with `stylebridge models import FILE --name {recipe.loss_network}`.",
        )
    return found


def _pictures_of(path: Path) -> list[Path]:
    return find(path) if path.is_dir() else [path]


def _shown(
    recipe: SingleRecipe, folders: list[Path], stills: Pictures | None, moving: list[PairSource]
) -> list[Rgb8]:
    """Pictures for the sheets: of those held out where there are any."""
    held = [p for one in folders for p in find(one) if any(map(p.match, recipe.held_out))]
    paths = held or (stills.paths if stills else [])
    chosen = [load(path) for path in paths[:: max(1, len(paths) // _SHOWN)][:_SHOWN]]
    chosen += [source.pair(0).later for source in moving][: _SHOWN - len(chosen)]
    return [whole_cells(one, _SHOWN_SIDE)[:_SHOWN_SIDE, :_SHOWN_SIDE] for one in chosen]


def run_single(
    recipe: SingleRecipe,
    output: Path,
    device: str = "cpu",
    progress: Progress | None = None,
    worker: Worker = ALONE,
) -> JohnsonNetwork:
    """Trains by a recipe, its paths resolved, in the folder `output`, resuming what lies there."""
    materials = single_materials(recipe, device)
    if recipe.epochs > 0:
        amount = len(materials.stills.paths) if materials.stills else 0
        amount = max(amount, sum(one.count for one in materials.pairs.sources) if materials.pairs else 0)
        steps = math.ceil(recipe.epochs * amount / ((recipe.batch + recipe.pairs) * worker.count))
        recipe = dataclasses.replace(recipe, steps=max(1, steps))
    return train_single(recipe, materials, output, device, progress, worker)


def export_single(network: JohnsonNetwork, recipe: SingleRecipe, folder: Path) -> Path:
    """Writes `<name>.safetensors`, which `stylebridge models import` takes, and `<name>.json`, what is known of it.

    Returns:
        The path of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().float().contiguous() for name, value in network.state_dict().items()}
    data = safetensors.torch.save(state)
    path = folder / f"{recipe.name}.safetensors"
    path.write_bytes(data)
    card = {
        "name": recipe.name,
        "kind": "johnson",
        "file": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "parameters": sum(value.numel() for value in state.values()),
        "normalisation": recipe.normalisation,
        "styles": [Path(one).name for one in recipe.style_pictures],
        # Numbers only: where somebody's files lie is nobody's business.
        "recipe": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(recipe).items()
            if key not in _PATHS
        },
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return path


_PATHS = {
    "pictures",
    "frames",
    "clips",
    "sceneflow",
    "style_pictures",
    "loss_weights",
    "teacher_weights",
    "held_out",
}
