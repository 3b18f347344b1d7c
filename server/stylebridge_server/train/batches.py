"""What a step of training sees: scenes painted by the teacher, and disturbed crops of them, two views of each.

Everything is a function of the recipe, the worker and the number of the step.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylebridge_models.network import STRIDE, STYLE_SIDE, THUMBNAIL_SIDE

from . import losses
from .pictures import Rgb8, Scenes, Styles, shortened
from .recipe import Recipe
from .run import picture, tensor
from .teacher import MicroAst


@dataclass(frozen=True)
class Materials:
    """What a run needs besides its recipe. The teacher and the loss network are given, never shipped."""

    scenes: Scenes
    styles: Styles
    teacher: MicroAst | None = None
    vgg: losses.Vgg | None = None


@dataclass(frozen=True)
class Style:
    """What is needed of one style variant.

    Attributes:
        picture: (256, 256, 3) uint8, as the style encoder sees it.
        signals: (1, 8, 64), what the teacher makes of it, or None.
    """

    picture: Rgb8
    signals: Tensor | None


@dataclass(frozen=True)
class Pair:
    """One scene in a style or between two: what crops are cut from.

    Attributes:
        scene, target: (side, side, 3) uint8.
        thumbnail: (3, 128, 128).
        styles: numbers of two variants, the same where the style is plain.
        mix: share of the second.
        encoded, steered: what the teacher thought, (64, side / 4, side / 4), or None.
    """

    scene: Rgb8
    target: Rgb8
    thumbnail: Tensor
    styles: tuple[int, int]
    mix: float
    encoded: Tensor | None = None
    steered: Tensor | None = None


@dataclass
class Batch:
    """The crops of a step.

    Attributes:
        pairs: what they were cut from.
        contents, targets: both views, first all of the one, then all of the other, (2N, 3, crop, crop).
        shifts: (x, y) of each view's corner on the common picture, two of (N, 2).
        encoded, steered: what the teacher thought where the first view is, (N, 64, crop / 4, crop / 4), or None.
    """

    pairs: list[Pair]
    contents: Tensor
    targets: Tensor
    shifts: tuple[Tensor, Tensor]
    encoded: Tensor | None = None
    steered: Tensor | None = None
    extra: list[int] = field(default_factory=list)  # variants that only their codes are compared of


class Batches:
    """Draws pairs and cuts batches from them for one worker."""

    def __init__(
        self, recipe: Recipe, materials: Materials, cache: Path, rank: int, device: str, amp: bool
    ) -> None:
        self.recipe, self.materials, self.cache = recipe, materials, cache
        self.rank, self.device, self.amp = rank, device, amp
        self._statistics: dict[int, list[Tensor]] = {}
        self._styles: dict[int, Style] = {}
        self._block: tuple[int, list[Pair]] = (-1, [])

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=self.amp)

    def style(self, number: int) -> Style:
        """A style variant; kept in memory, and in the folder `cache` for the other workers and the next start."""
        if number not in self._styles:
            kept = self.cache / f"{number}.npz"
            try:
                with np.load(kept) as arrays:
                    picture, signals = arrays["picture"], torch.from_numpy(arrays["signals"]).to(self.device)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                variant, teacher = self.materials.styles.variant(number), self.materials.teacher
                picture, signals = shortened(variant, STYLE_SIDE), torch.zeros(0)
                if teacher:
                    with torch.no_grad(), self.autocast():
                        signals = teacher.signals(tensor(variant, self.device)[None]).float()
                self.cache.mkdir(exist_ok=True)
                part = kept.with_suffix(f".{self.rank}.part")
                with part.open("wb") as file:
                    np.savez(file, picture=picture, signals=signals.cpu().numpy())
                part.replace(kept)
            self._styles[number] = Style(picture, signals if signals.numel() else None)
        return self._styles[number]

    def statistics(self, number: int) -> list[Tensor]:
        """What a style variant is to the losses, layer by layer, (1, 2C) each."""
        if number not in self._statistics:
            assert self.materials.vgg
            whole = tensor(self.materials.styles.variant(number), self.device)[None]
            if whole.shape[-1] >= 384:
                whole = whole[..., 96:-96, 96:-96]
            with torch.no_grad(), self.autocast():
                self._statistics[number] = losses.statistics(self.materials.vgg.features(whole))
        return self._statistics[number]

    def _pairs(self, block: int) -> list[Pair]:
        """The pairs of a block of steps: drawn, and painted by the teacher."""
        if self._block[0] != block:
            rng = np.random.default_rng([self.recipe.seed, 1, block, self.rank])
            self._block = (block, [self._pair(rng) for _ in range(self.recipe.pairs)])
        return self._block[1]

    def _pair(self, rng: np.random.Generator) -> Pair:
        recipe, styles = self.recipe, self.materials.styles
        scene = self.materials.scenes.draw(rng, recipe.scene_smallest, recipe.scene_largest)
        # The first variants are the paintings as they are; they come up more often than the rest.
        plain = rng.uniform() < recipe.plain_styles
        first = int(rng.integers(len(styles.paintings) if plain else styles.count))
        mixed = rng.uniform() < recipe.mixed_styles
        second = int(rng.integers(styles.count)) if mixed else first
        return self._painted(scene, (first, second), float(rng.uniform(0.2, 0.8)) if mixed else 0.0)

    def _painted(self, scene: Rgb8, numbers: tuple[int, int], mix: float) -> Pair:
        thumbnail = tensor(shortened(scene, THUMBNAIL_SIDE), self.device)
        a, b = (self.style(number).signals for number in numbers)
        if a is None or b is None or self.materials.teacher is None:
            return Pair(scene, scene, thumbnail, numbers, mix)
        with torch.no_grad(), self.autocast():
            x, signals = tensor(scene, self.device)[None], torch.lerp(a, b, mix)
            for _ in range(self.recipe.teacher_passes):
                painting = self.materials.teacher.painting(x, signals)
                x = painting.picture
        thoughts = (painting.encoded[0].half(), painting.steered[0].half())
        return Pair(scene, picture(x[0]), thumbnail, numbers, mix, *thoughts)

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        recipe = self.recipe
        in_block = max(1, recipe.pairs * recipe.uses // recipe.batch)
        block, position = divmod(step, in_block)
        order = np.random.default_rng([recipe.seed, 2, block, self.rank])
        numbers = np.concatenate([order.permutation(recipe.pairs) for _ in range(recipe.uses)])
        pool = self._pairs(block)
        chosen = [pool[i] for i in numbers[position * recipe.batch : (position + 1) * recipe.batch]]
        rng = np.random.default_rng([recipe.seed, 3, step, self.rank])
        corners = []
        for pair in chosen:
            room = pair.scene.shape[0] - recipe.crop - max(recipe.shift, STRIDE) - 2 * recipe.rim
            corners.append(recipe.rim + rng.integers(0, max(1, room + 1), 2))
        aligned = np.stack([-corner % STRIDE for corner in corners])  # the first view lies on whole cells
        free = rng.integers(0, recipe.shift + 1, (len(chosen), 2))
        pieces, targets = [], []
        for shifts in (aligned, free):
            for pair, corner, shift in zip(chosen, corners, shifts, strict=True):
                piece = _piece(corner + shift, recipe.crop)
                pieces.append(pair.scene[piece])
                targets.append(pair.target[piece])
        batch = Batch(
            chosen,
            self._disturbed(rng, self._tensors(pieces)),
            self._tensors(targets),
            (torch.from_numpy(aligned), torch.from_numpy(free)),
            extra=rng.integers(0, self.materials.styles.count, recipe.extra_styles).tolist(),
        )
        for name in ("encoded", "steered"):
            thoughts = [getattr(pair, name) for pair in chosen]
            if all(thought is not None for thought in thoughts):
                pieces = []
                for thought, corner, shift in zip(thoughts, corners, aligned, strict=True):
                    down, across = _piece((corner + shift) // STRIDE, recipe.crop // STRIDE)
                    pieces.append(thought[:, down, across])
                setattr(batch, name, torch.stack(pieces).float())
        return batch

    def _tensors(self, pictures: list[Rgb8]) -> Tensor:
        """Pictures of one size as (N, 3, H, W) in [0, 1], brought to the device at one go."""
        together = torch.from_numpy(np.stack(pictures)).to(self.device)
        return together.permute(0, 3, 1, 2).float() / 255  # the memory layout that convolutions like is kept

    def _disturbed(self, rng: np.random.Generator, contents: Tensor) -> Tensor:
        """Every content with sensor noise, fine or in grains of two pixels, and a slight change of exposure."""
        recipe = self.recipe
        count, _, height, width = contents.shape
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))

        def random(*size: int) -> Tensor:
            return torch.randn(size, generator=generator, device=self.device)

        fine = random(count, 3, height, width)
        coarse = random(count, 3, -(-height // 2), -(-width // 2))
        coarse = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :height, :width]
        grain, exposure, sigma = (
            torch.from_numpy(row).float().to(self.device)[:, None, None, None]
            for row in (
                rng.integers(0, 2, count),
                1 + rng.uniform(-recipe.exposure, recipe.exposure, count),
                rng.uniform(0, recipe.noise, count),
            )
        )
        return (contents * exposure + sigma * torch.lerp(fine, coarse, grain)).clamp(0, 1)

    def style_pictures(self, numbers: list[int]) -> Tensor:
        """Pictures of variants as the style encoder sees them, (N, 3, STYLE_SIDE, STYLE_SIDE)."""
        return self._tensors([self.style(number).picture for number in numbers])


def _piece(corner: NDArray[np.int64], size: int) -> tuple[slice, slice]:
    """Rows and columns of a square whose corner is (x, y)."""
    x, y = int(corner[0]), int(corner[1])
    return slice(y, y + size), slice(x, x + size)
