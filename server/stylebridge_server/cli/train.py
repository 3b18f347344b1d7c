"""`stylebridge train`: train the network for any style, or one for a single style, by a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import tomlkit
from rich.console import Console

from stylebridge.errors import Code, StylebridgeError
from stylebridge.requests import Progress
from stylebridge.wording import suggestion
from stylebridge_models.johnson import JohnsonNetwork
from stylebridge_server import train
from stylebridge_server.cli.progress import progress
from stylebridge_server.train.run import Worker

RECIPES = Path(train.__file__).parent / "recipes"
EMBEDDED, JOHNSON = "embedded", "johnson"

StepReport = Callable[[int, int, dict[str, float]], None]


def overrides(words: list[str]) -> dict[str, Any]:
    """Recipe values from "name=value" words; values are written as in TOML.

    Raises:
        StylebridgeError: bad_value.
    """
    found = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            found[name.strip()] = tomlkit.parse(f"value = {text}").unwrap()["value"]
        except tomlkit.exceptions.ParseError:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"--set {word} is not name=value: write it as in a recipe, such as --set steps=500.",
            ) from None
    return found


@dataclass(frozen=True)
class Job:
    """What the command was asked for.

    Attributes:
        recipe: a recipe file, or the name of one that ships; None is that of the shipped weights.
        scenes: folders of photographs, searched with all that lies below.
        styles: a folder of paintings; for one style, a picture or a folder of them.
        out: checkpoints, curve, sample sheets and the weights made.
        teacher: folder of MicroAST's weights.
        vgg: weights of the loss network.
        start: weights that a new run of the embedded network begins with.
        settings: "name=value" words that override the recipe.
        device: "cpu", "cuda", ...
        workers: processes that share each step.
    """

    recipe: str | None
    scenes: list[Path]
    styles: Path | None
    out: Path
    teacher: Path | None
    vgg: Path | None
    start: Path | None
    settings: list[str]
    device: str
    workers: int


def run(job: Job) -> str:
    """Train, resuming what lies in the output folder, then write the weights into its folder `weights`.

    Returns:
        What was made, for people; empty in the processes that only help.

    Raises:
        StylebridgeError: as reading recipe and folders does; where the loss is no number.
    """
    path = _recipe_path(job.recipe)
    values = train.read_recipe(path, overrides(job.settings))
    network = values.pop("network", EMBEDDED)
    if network not in (EMBEDDED, JOHNSON):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{path} trains no network {network!r}: {suggestion(network, (EMBEDDED, JOHNSON))}",
        )
    job.out.mkdir(parents=True, exist_ok=True)
    with train.by_torchrun(job.device) as (worker, device), progress() as report:

        def step(done: int, total: int, row: dict[str, float]) -> None:
            report(Progress(done, total, "training", 0.0))

        make = _johnson if network == JOHNSON else _embedded
        made = make(job, values, path, device, worker, step)
    if worker.rank:
        return ""
    Console(stderr=True).print(f"curve and sample sheets: {job.out}", highlight=False)
    return made


def _recipe_path(asked: str | None) -> Path:
    """A file, or a recipe that ships by its bare name."""
    shipped = RECIPES / f"{asked or EMBEDDED}.toml"
    return shipped if asked is None or (shipped.is_file() and not Path(asked).exists()) else Path(asked)


def _embedded(
    job: Job, values: dict[str, Any], path: Path, device: str, worker: Worker, step: StepReport
) -> str:
    recipe = train.checked_recipe(values, train.Recipe, path)
    if not job.scenes or job.styles is None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            "The network for any style learns from --scenes FOLDER and --styles FOLDER: give both.",
        )
    folders = train.Folders(job.scenes, job.styles, job.teacher, job.vgg, job.start)
    network = train.run(recipe, folders, job.out, device, progress=step, workers=job.workers, worker=worker)
    if not worker.rank:
        train.export(network.cpu(), job.styles, job.out / "weights")
    return f"{job.out / 'weights'}: weights, preset styles and their index."


def _johnson(
    job: Job, values: dict[str, Any], path: Path, device: str, worker: Worker, step: StepReport
) -> str:
    if values.get("epochs"):
        values.setdefault("steps", 1)
    recipe = train.checked_recipe(values, train.SingleRecipe, path)
    # What a recipe names lies beside it; what the command line names, where the command is run.
    recipe = train.resolved(recipe, Path.cwd() if path.parent == RECIPES else path.parent)
    given: dict[str, Any] = {}
    if job.scenes:
        given["pictures"] = (*recipe.pictures, *map(str, job.scenes))
    for key, value in (("loss_weights", job.vgg), ("teacher_weights", job.teacher)):
        if value:
            given[key] = str(value)
    if job.styles:
        given["style_pictures"] = (str(job.styles),)
    recipe = replace(recipe, **given)
    each = partial(_one, recipe, job.out, device)
    network = each(worker, step) if worker.count > 1 else train.spread(each, job.workers, step)
    if worker.rank:
        return ""
    weights = train.export_single(network, recipe, job.out / "weights")
    return f"{weights}: `stylebridge models import {weights} --name {recipe.name}` makes it a style."


def _one(
    recipe: train.SingleRecipe, out: Path, device: str, worker: Worker, step: StepReport | None
) -> JohnsonNetwork:
    return train.run_single(recipe, out, device, step, worker)
