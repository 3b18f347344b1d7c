"""Training of the embedded style network: distillation from a teacher, steadied by disturbing what the
student sees.

The student is shown a noisy, shifted, slightly brighter or darker crop; the target was painted from the clean
picture. Two such views of one picture must also come out alike. So noise and sampling never become texture,
which is what makes a per-frame network flicker (compare CAP-VSTNet, Wen et al. 2023, which warps and adds
noise likewise).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylebridge_models.network import STYLE_SIDE, THUMBNAIL_SIDE, StyleNetwork

from . import losses
from .pictures import Rgb8, Scenes, Styles, shortened
from .recipe import Recipe
from .run import ALONE, Progress, Run, Worker, picture, tensor
from .teacher import MicroAst

PARTS = ("picture", "edges", "perceptual", "style", "steady")
FIELDS = ("step", "seconds", "rate", "loss", *PARTS)


@dataclass(frozen=True)
class Materials:
    """What a run needs besides its recipe. The teacher and the loss network are given, never shipped."""

    scenes: Scenes
    styles: Styles
    teacher: MicroAst | None = None
    vgg: losses.Vgg | None = None


@dataclass(frozen=True)
class Pair:
    """One scene in one style: what a crop is cut from. Pictures (side, side, 3) uint8."""

    scene: Rgb8
    target: Rgb8
    thumbnail: Tensor  # (3, 128, 128)
    style: int


class Style:
    """What the losses and the student need of one style variant, made once."""

    def __init__(self, picture: Rgb8, materials: Materials, device: str) -> None:
        whole = tensor(picture, device)[None]
        self.picture = tensor(shortened(picture, STYLE_SIDE), device)
        self.signals = materials.teacher.signals(whole) if materials.teacher else None
        self.statistics: list[Tensor] = []
        if materials.vgg:
            middle = whole[..., 96:-96, 96:-96] if whole.shape[-1] >= 384 else whole
            self.statistics = losses.statistics(materials.vgg.features(middle))


class Trainer(Run[StyleNetwork]):
    """A run of the embedded network."""

    def __init__(
        self,
        recipe: Recipe,
        materials: Materials,
        folder: Path,
        device: str = "cpu",
        amp: bool = True,
        worker: Worker = ALONE,
    ) -> None:
        super().__init__(recipe, StyleNetwork, PARTS, folder, device, amp, worker)
        self.recipe, self.materials = recipe, materials
        self._styles: dict[int, Style] = {}
        self._block: tuple[int, list[Pair]] = (-1, [])

    # -- pictures ------------------------------------------------------------------------------------------

    def _style(self, number: int) -> Style:
        if number not in self._styles:
            with torch.no_grad(), self.autocast():
                self._styles[number] = Style(
                    self.materials.styles.variant(number), self.materials, self.device
                )
        return self._styles[number]

    def _pairs(self, block: int) -> list[Pair]:
        """The pairs of a block of steps: drawn, and painted by the teacher."""
        if self._block[0] != block:
            recipe = self.recipe
            rng = np.random.default_rng([recipe.seed, 1, block, self.worker.rank])
            pairs = []
            for _ in range(recipe.pairs):
                scene = self.materials.scenes.draw(rng, recipe.scene_smallest, recipe.scene_largest)
                # The first variants are the paintings as they are; they come up more often than the rest.
                styles = self.materials.styles
                plain = rng.uniform() < recipe.plain_styles
                number = int(rng.integers(len(styles.paintings) if plain else styles.count))
                pairs.append(self._painted(scene, number))
            self._block = (block, pairs)
        return self._block[1]

    def _painted(self, scene: Rgb8, number: int) -> Pair:
        style = self._style(number)
        target = scene
        if style.signals is not None and self.materials.teacher:
            with torch.no_grad(), self.autocast():
                x = tensor(scene, self.device)[None]
                for _ in range(self.recipe.teacher_passes):
                    x = self.materials.teacher.stylise(x, style.signals)
            target = picture(x[0])
        return Pair(scene, target, tensor(shortened(scene, THUMBNAIL_SIDE), self.device), number)

    def _batch(self, step: int) -> tuple[list[Pair], list[tuple[Tensor, Tensor, Tensor]]]:
        """The pairs of a step, and two views of them: (disturbed content, target, shift) each."""
        recipe = self.recipe
        in_block = max(1, recipe.pairs * recipe.uses // recipe.batch)
        block, position = divmod(step, in_block)
        order = np.random.default_rng([recipe.seed, 2, block, self.worker.rank])
        numbers = np.concatenate([order.permutation(recipe.pairs) for _ in range(recipe.uses)])
        pool = self._pairs(block)
        chosen = [pool[i] for i in numbers[position * recipe.batch : (position + 1) * recipe.batch]]
        rng = np.random.default_rng([recipe.seed, 3, step, self.worker.rank])
        corners = []
        for pair in chosen:
            room = pair.scene.shape[0] - recipe.crop - recipe.shift - 2 * recipe.rim
            corners.append(recipe.rim + rng.integers(0, max(1, room + 1), 2))
        views = []
        for _ in range(2):
            shifts = rng.integers(0, recipe.shift + 1, (len(chosen), 2))
            contents, targets = [], []
            for pair, corner, shift in zip(chosen, corners, shifts, strict=True):
                x, y = corner + shift
                piece = (slice(y, y + recipe.crop), slice(x, x + recipe.crop))
                contents.append(self._disturbed(rng, pair.scene[piece]))
                targets.append(tensor(pair.target[piece], self.device))
            views.append((torch.stack(contents), torch.stack(targets), torch.from_numpy(shifts)))
        return chosen, views

    def _disturbed(self, rng: np.random.Generator, content: Rgb8) -> Tensor:
        """The content with sensor noise, fine or in grains of two pixels, and a slight change of exposure."""
        recipe = self.recipe
        height, width = content.shape[:2]
        grain = int(rng.integers(1, 3))
        noise = rng.standard_normal((-(-height // grain), -(-width // grain), 3), dtype=np.float32)
        noise = noise.repeat(grain, 0).repeat(grain, 1)[:height, :width]
        x = tensor(content, self.device) * (1 + float(rng.uniform(-1, 1)) * recipe.exposure)
        sigma = float(rng.uniform(0, recipe.noise))
        return (x + sigma * torch.from_numpy(noise).to(self.device).permute(2, 0, 1)).clamp(0, 1)

    # -- steps ---------------------------------------------------------------------------------------------

    def losses_of(self, step: int) -> dict[str, Tensor]:
        """All losses of one step, unweighted."""
        recipe, vgg = self.recipe, self.materials.vgg
        chosen, views = self._batch(step)
        with self.autocast():
            codes = self.network.style(torch.stack([self._style(pair.style).picture for pair in chosen]))
            content = torch.cat([view[0] for view in views]).contiguous(memory_format=torch.channels_last)
            thumbnails = torch.stack([pair.thumbnail for pair in chosen]).contiguous(
                memory_format=torch.channels_last
            )
            statistics = self.network.statistics(thumbnails)
            output = self.network.decoder(
                self.network.content(content), torch.cat([statistics] * 2), torch.cat([codes] * 2)
            ).float()
        target = torch.cat([view[1] for view in views])
        first, second = output.chunk(2)
        result = {
            "picture": losses.charbonnier(output - target),
            "edges": losses.edges(output - target),
            "steady": losses.steadiness(first, second, views[0][2], views[1][2]),
        }
        if vgg and (recipe.perceptual or recipe.style):
            side = min(recipe.losses_crop, recipe.crop)
            low = (recipe.crop - side) // 2
            inner = (slice(None), slice(None), slice(low, low + side), slice(low, low + side))
            with self.autocast():
                ours = vgg.features(first[inner].contiguous(memory_format=torch.channels_last))
                with torch.no_grad():
                    wanted = vgg.features(views[0][1][inner].contiguous(memory_format=torch.channels_last))
            result["perceptual"] = losses.relative(ours, wanted)
            styles = [self._style(pair.style).statistics for pair in chosen]
            result["style"] = losses.relative(
                losses.statistics(ours), [torch.cat(layer) for layer in zip(*styles, strict=True)]
            )
        return result


def train(
    recipe: Recipe,
    materials: Materials,
    folder: Path,
    device: str = "cpu",
    amp: bool = True,
    sheet: Callable[[StyleNetwork, Path], None] | None = None,
    progress: Progress | None = None,
    worker: Worker = ALONE,
) -> StyleNetwork:
    """Runs a recipe to its end, from its checkpoint where `folder` holds one; returns the averaged network.

    Args:
        sheet: called with the averaged network and a path to write a picture of samples to.
        progress: called after every step with (steps done, steps in all, logged row).
        worker: which of several processes this is; those above rank 0 only compute.
    """
    return Trainer(recipe, materials, folder, device, amp, worker).finish(sheet, progress)
