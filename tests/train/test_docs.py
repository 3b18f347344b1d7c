"""The examples in the documentation are right, and every key is explained."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import tomlkit

from stylebridge_server import style, train


def example(page: str, word: str) -> str:
    """The TOML example that has a word in it."""
    (found,) = [block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if word in block]
    return str(found)


def test_recipe_in_the_documentation_is_valid(repository: Path) -> None:
    page = (repository / "docs/training.md").read_text("utf-8")
    values = tomlkit.parse(example(page, "sceneflow")).unwrap()
    assert values.pop("network") == "johnson"
    train.checked_recipe(values, train.SingleRecipe, Path("docs/training.md")).check()


def test_settings_in_the_documentation_are_valid(repository: Path) -> None:
    page = (repository / "docs/styles.md").read_text("utf-8")
    assert style.parse_method(example(page, "picture_weights"), "docs/styles.md").steps == 400


@pytest.mark.parametrize(
    ("kind", "page"), [(train.SingleRecipe, "docs/training.md"), (style.Method, "docs/styles.md")]
)
def test_every_key_is_in_the_documentation(kind: type, page: str, repository: Path) -> None:
    text = (repository / page).read_text("utf-8").replace("..._layer_weights", "layer_weights")
    keys = [field.name for field in dataclasses.fields(kind)]
    missing = [key for key in keys if f"`{key}`" not in text and not key.endswith("_layer_weights")]
    assert not missing


def test_recipe_that_ships_is_valid_but_for_what_the_command_line_names(repository: Path) -> None:
    path = repository / "server/stylebridge_server/train/recipes/johnson.toml"
    values = train.read_recipe(path, {"pictures": ["a"], "style_pictures": ["b"]})
    assert values.pop("network") == "johnson"
    train.checked_recipe(values, train.SingleRecipe, path).check()
