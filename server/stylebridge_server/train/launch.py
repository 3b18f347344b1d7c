"""A run and its measures, from folders: what `stylebridge train` calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import safetensors.torch
import torch

from stylebridge_models.network import STYLE_SIDE, THUMBNAIL_SIDE, StyleNetwork

from . import together
from .batches import Materials
from .calibration import calibrate
from .losses import Vgg
from .measures import Measures, SqueezeNet, evaluate, of_network, of_teacher, whole_cells
from .pictures import Rgb8, Scenes, Styles, find, load, shortened
from .recipe import Recipe
from .run import ALONE, Progress, Worker, picture, tensor
from .teacher import MicroAst
from .trainer import train

_SHEET_SCENES = 3
_SHEET_STYLES = 11


@dataclass(frozen=True)
class Folders:
    """Where a run finds what it learns from.

    Attributes:
        scenes: folders of photographs, searched with all that lies below.
        styles: a folder of paintings.
        teacher: MicroAST's four files; without it the target is the photograph itself and only the losses on
            features, which need `vgg`, make it a style.
        vgg: VGG-19's first five layers; needed where the recipe weighs `perceptual`, `manner` or `style`.
        start: weights of an earlier network (.safetensors) that a new run begins with; None begins at random.
    """

    scenes: Sequence[Path]
    styles: Path
    teacher: Path | None = None
    vgg: Path | None = None
    start: Path | None = None


def materials(recipe: Recipe, folders: Folders, device: str = "cpu") -> Materials:
    """Reads everything a run needs into memory."""
    scenes = Scenes(list(folders.scenes), recipe.held_out_scenes, recipe.scene_side)
    styles = Styles(
        folders.styles, recipe.held_out_styles, scenes, recipe.styles, recipe.seed, others=recipe.other_styles
    )
    return Materials(
        scenes,
        styles,
        MicroAst.load(folders.teacher, device) if folders.teacher else None,
        Vgg.load(folders.vgg, device) if folders.vgg else None,
    )


def sheet_maker(contents: Sequence[Rgb8], styles: Sequence[Rgb8]) -> Callable[[StyleNetwork, Path], None]:
    """A function that writes a picture of every content (of one size) in every style, a row each."""

    @torch.inference_mode()
    def write(network: StyleNetwork, path: Path) -> None:
        device = str(next(network.parameters()).device)

        def batch(rgb: Rgb8) -> torch.Tensor:
            return tensor(rgb, device)[None].contiguous(memory_format=torch.channels_last)

        rows = []
        for content in contents:
            features = network.content(batch(content))
            statistics = network.statistics(batch(shortened(content, THUMBNAIL_SIDE)))
            cells = [content]
            for style in styles:
                code = network.style(batch(shortened(style, STYLE_SIDE)))
                cells.append(picture(network.decoder(features, statistics, code)[0]))
            rows.append(np.concatenate(cells, 1))
        cv2.imwrite(str(path), np.concatenate(rows, 0)[..., ::-1])

    return write


def run(
    recipe: Recipe,
    folders: Folders,
    output: Path,
    device: str = "cpu",
    amp: bool = True,
    progress: Progress | None = None,
    workers: int = 1,
    worker: Worker = ALONE,
) -> StyleNetwork:
    """Trains by `recipe` in the folder `output`, resuming what lies there; returns the averaged network.

    Sheets show the scenes that the recipe holds out, where there are any, in all the paintings. More than one
    worker runs as many processes of one thread each; a step then takes `batch` crops from each of them. `worker` says
    which this process is, where others were made already.
    """
    job = partial(_run, recipe, folders, output, device, amp)
    return job(worker, progress) if worker.count > 1 else together.spread(job, workers, progress)


def _run(
    recipe: Recipe,
    folders: Folders,
    output: Path,
    device: str,
    amp: bool,
    worker: Worker,
    progress: Progress | None,
) -> StyleNetwork:
    everything = materials(recipe, folders, device)
    held_out = _held_out(folders.scenes, recipe.held_out_scenes)
    shown = [load(path) for path in held_out[:_SHEET_SCENES]] or everything.scenes.pictures[:_SHEET_SCENES]
    contents = [whole_cells(rgb, 256)[:256, :256] for rgb in shown]
    styles = [load(path) for path in find(folders.styles)[:_SHEET_STYLES]]
    start = safetensors.torch.load_file(folders.start) if folders.start else None
    sheet = sheet_maker(contents, styles)
    network = train(recipe, everything, output, device, amp, sheet, progress, worker, start)
    calibrate(network, everything.scenes.pictures)
    return network


def measure(
    recipe: Recipe, folders: Folders, judge: Path, network: StyleNetwork, side: int = 360, most: int = 6
) -> dict[str, Measures]:
    """The network on scenes and styles that the recipe holds out; beside it the photographs as they are, and the
    teacher where there is one.

    Args:
        judge: SqueezeNet's weights, see `SqueezeNet`.
        side: short side of contents; styles are shown at 512.
        most: scenes at most.
    """
    contents = [
        whole_cells(load(path), side) for path in _held_out(folders.scenes, recipe.held_out_scenes)[:most]
    ]
    styles = [whole_cells(load(path), 512) for path in _held_out([folders.styles], recipe.held_out_styles)]
    squeeze = SqueezeNet(judge)
    results = {
        "the photograph": evaluate(lambda content, style: content, contents, styles, squeeze),
        "this network": evaluate(of_network(network), contents, styles, squeeze),
    }
    if folders.teacher:
        results["MicroAST"] = evaluate(of_teacher(MicroAst.load(folders.teacher)), contents, styles, squeeze)
    return results


def _held_out(folders: Sequence[Path], patterns: tuple[str, ...]) -> list[Path]:
    """Pictures under the folders that match one of the patterns."""
    return [path for folder in folders for path in find(folder) if any(map(path.match, patterns))]
