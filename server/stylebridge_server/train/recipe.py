"""A training recipe: every number that shapes a run, read from TOML, so that a run can be repeated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.settings import filled


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What every run has, whatever network learns: see docs/training.md."""

    name: str
    steps: int
    seed: int = 1
    # the optimiser
    rate: float = 1e-3
    last_rate: float = 3e-5
    warm_up: int = 200
    decay: float = 0.3
    average: float = 0.998
    clip: float = 1.0
    # records
    checkpoint_every: int = 200
    sheet_every: int = 500

    def rate_at(self, step: int) -> float:
        """Warm-up, then constant, then a cosine to `last_rate` over the last `decay` of the steps."""
        begin = self.steps * (1 - self.decay)
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        if step < begin:
            return self.rate
        share = (step - begin) / max(1.0, self.steps - begin)
        return self.last_rate + (self.rate - self.last_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


@dataclass(frozen=True, kw_only=True)
class Recipe(Schedule):
    """The embedded network's. See recipes/embedded.toml for what each number is good for."""

    # pictures
    held_out_scenes: tuple[str, ...] = ()
    held_out_styles: tuple[str, ...] = ()
    scene_side: int = 512
    scene_smallest: int = 256
    scene_largest: int = 416
    styles: int = 400
    other_styles: float = 0.3
    plain_styles: float = 0.3
    mixed_styles: float = 0.0
    extra_styles: int = 0
    fitted_styles: int = 64
    # steps
    pairs: int = 48
    uses: int = 8
    batch: int = 4
    crop: int = 160
    rim: int = 24
    teacher_passes: int = 1
    reference: bool = False
    sharpened: float = 0.0
    spread: float = 0.0
    # disturbances that must not show in the output
    shift: int = 8
    noise: float = 0.02
    exposure: float = 0.02
    # weights of the losses
    picture: float = 1.0
    edges: float = 1.0
    perceptual: float = 0.0
    style: float = 0.0
    manner: float = 0.0
    texture: float = 0.0
    encoded: float = 0.0
    steered: float = 0.0
    signals: float = 0.0
    steady: float = 1.0
    ring: int = 8
    losses_crop: int = 128
    features_from: float = 0.0
    calibrate_every: int = 100


Kind = TypeVar("Kind", bound=Schedule)


def read(path: Path, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    """The values in a TOML file, some of them replaced by `overrides`, not yet checked.

    Raises:
        StylebridgeError: NOT_FOUND or NOT_READABLE (no TOML).
    """
    try:
        values: dict[str, Any] = dict(tomlkit.parse(path.read_text(encoding="utf-8")).unwrap())
    except FileNotFoundError:
        raise StylebridgeError(Code.NOT_FOUND, f"There is no recipe {path}: name a TOML file.") from None
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise StylebridgeError(Code.NOT_READABLE, f"The recipe {path} is not TOML: {error}.") from None
    return values | (overrides or {})


def checked(values: dict[str, Any], kind: type[Kind], path: Path) -> Kind:
    """The recipe of a kind that these values make; raises as `settings.filled` does."""
    return filled(kind, values, str(path))


def load(path: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """The embedded network's recipe in a TOML file; raises as `read` and `checked` do."""
    return checked(read(path, overrides), Recipe, path)
