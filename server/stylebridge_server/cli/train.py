"""`stylebridge train`: train the style network from folders, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit
from rich.console import Console

from stylebridge.errors import Code, StylebridgeError
from stylebridge.requests import Progress
from stylebridge_server import train
from stylebridge_server.cli.progress import progress

RECIPES = Path(train.__file__).parent / "recipes"


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


def run(
    recipe: Path | None,
    folders: train.Folders,
    out: Path,
    settings: list[str],
    device: str,
    workers: int,
) -> str:
    """Train, resuming what lies in `out`, then export weights and presets into its folder `weights`.

    Args:
        recipe: a recipe file; None is the one of the shipped weights.
        folders: what is learnt from.
        out: checkpoints, curve and sample sheets.
        settings: "name=value" words that override the recipe.
        device: "cpu", "cuda", ...
        workers: processes that share each step.

    Returns:
        What was made, for people.

    Raises:
        StylebridgeError: as reading recipe and folders does; where the loss is no number.
    """
    chosen = train.load_recipe(recipe or RECIPES / "embedded.toml", overrides(settings))
    out.mkdir(parents=True, exist_ok=True)
    with progress() as report:

        def step(done: int, total: int, row: dict[str, float]) -> None:
            report(Progress(done, total, "training", 0.0))

        network = train.run(chosen, folders, out, device, progress=step, workers=workers)
    train.export(network.cpu(), folders.styles, out / "weights")
    Console(stderr=True).print(f"curve and sample sheets: {out}", highlight=False)
    return f"{out / 'weights'}: weights, preset styles and their index."
