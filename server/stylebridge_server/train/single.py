"""Training of a network for one style (Johnson, Alahi and Li 2016), steadied by flow (Ruder et al. 2018; Huang et al.
2017) or by noise.

The temporal loss compares the network's two outputs, the earlier brought to the later by flow where it is not hidden,
and its slope reaches both. The noise is fresh in every step: one that is always the same is soon learnt by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from stylebridge_models.johnson import JohnsonNetwork
from stylebridge_models.loss_networks import LossNetwork
from stylebridge_server.style import terms

from .pictures import Rgb8, shortened
from .run import ALONE, Progress, Run, Worker, picture, tensor
from .single_recipe import SingleRecipe
from .sources import Ahead, FramePair, Pairs, Pictures
from .teacher import MicroAst

PARTS = ("content", "style", "variation", "noise", "temporal", "taught")
_START = 32.0  # how much more contrast the first outputs have than chance would give them


@dataclass(frozen=True)
class SingleMaterials:
    """What a run needs besides its recipe. Loss network and teacher are given, never shipped.

    Attributes:
        styles: the pictures of the style, (H, W, 3) uint8.
        stills, pairs: what is learnt from; either may be None.
        shown: pictures for the sheets, (H, W, 3) uint8.
    """

    styles: Sequence[Rgb8]
    loss_network: LossNetwork
    stills: Pictures | None = None
    pairs: Pairs | None = None
    teacher: MicroAst | None = None
    shown: Sequence[Rgb8] = ()


@dataclass(frozen=True)
class Batch:
    """What one step looks at: stills, then the later and then the earlier frames of pairs.

    Attributes:
        pictures: (N + 2 P, 3, S, S) float32 in [0, 1].
        noise: of the same shape, what is added to see what the network makes of it; None where nobody asks.
        flow, mask: (P, S, S, 2) and (P, S, S), from the later frames to the earlier.
    """

    pictures: Tensor
    noise: Tensor | None
    flow: Tensor
    mask: Tensor


class SingleTrainer(Run[JohnsonNetwork]):
    """A run of a network for one style."""

    def __init__(
        self,
        recipe: SingleRecipe,
        materials: SingleMaterials,
        folder: Path,
        device: str = "cpu",
        worker: Worker = ALONE,
    ) -> None:
        recipe.check()
        materials.loss_network.check([*recipe.content_names, *recipe.style_names])
        self.recipe, self.materials = recipe, materials
        super().__init__(recipe, self._new, PARTS, folder, device, recipe.mixed_precision, worker)
        self.judge = materials.loss_network.to(device)
        self.ahead = Ahead(self._batch, recipe.readers)
        weights = recipe.style_weights or (1.0,) * len(materials.styles)
        pictures = [tensor(shortened(one, recipe.style_side), device)[None] for one in materials.styles]
        with torch.no_grad():
            found = [
                terms.summary(self.judge.features(one, recipe.style_names), recipe.style_kind)
                for one in pictures
            ]
            self.style = terms.blended(found, weights)
            self.signals = None
            if materials.teacher:
                rows = [materials.teacher.signals(one) * w for one, w in zip(pictures, weights, strict=True)]
                self.signals = torch.stack(rows).sum(0) / sum(weights)

    def _new(self) -> JohnsonNetwork:
        recipe = self.recipe
        network = JohnsonNetwork(
            normalisation=recipe.normalisation, widths=recipe.widths, blocks=recipe.blocks
        )
        with torch.no_grad():  # begins at grey with some contrast, not at black
            last = network.deconv3.conv2d
            last.weight.mul_(_START)
            assert last.bias is not None
            last.bias.fill_(127.5)
        return network

    def _batch(self, step: int) -> Batch:
        recipe, materials = self.recipe, self.materials
        rng = np.random.default_rng([recipe.seed, 11, step, self.worker.rank])
        stills: list[Rgb8] = []
        pairs: list[FramePair] = []
        for _ in range(recipe.batch):
            if materials.stills:
                stills.append(materials.stills.draw(rng, recipe.crop, recipe.smallest))
            elif materials.pairs:  # a run from frames alone: any frame is a picture
                stills.append(materials.pairs.draw(rng, recipe.crop, recipe.smallest).later)
        for _ in range(recipe.pairs):
            if materials.pairs:
                pairs.append(materials.pairs.draw(rng, recipe.crop, recipe.smallest))
        everything = [*stills, *(p.later for p in pairs), *(p.earlier for p in pairs)]
        pictures = torch.stack([tensor(one) for one in everything])
        noise = None
        if recipe.noise > 0:
            amount = rng.uniform(0, recipe.noise_amount, (len(everything), 1, 1, 1))
            field = rng.standard_normal(tuple(pictures.shape), dtype=np.float32) * amount
            field *= rng.uniform(size=(len(everything), 1, *pictures.shape[2:])) < recipe.noise_share
            noise = torch.from_numpy(field.astype(np.float32))
        size = (0, recipe.crop, recipe.crop)
        flow = np.stack([p.flow for p in pairs]) if pairs else np.zeros((*size, 2), np.float32)
        mask = np.stack([p.mask for p in pairs]) if pairs else np.zeros(size, np.float32)
        return Batch(pictures, noise, torch.from_numpy(flow), torch.from_numpy(mask))

    def stylised(self, rgb: Tensor) -> Tensor:
        """The network's output for RGB in [0, 1], sides multiples of 4, as it comes: not clamped."""
        output: Tensor = self.network((rgb * 255).contiguous(memory_format=torch.channels_last))
        return output.float() / 255

    def losses_of(self, step: int) -> dict[str, Tensor]:
        recipe, batch = self.recipe, self.ahead.get(step)
        x = batch.pictures.to(self.device)
        content, style = recipe.content_names, recipe.style_names
        with self.autocast():
            y = self.stylised(x)
            ours = self.judge.features(y, {*content, *style})
            with torch.no_grad():
                wanted = self.judge.features(x, content)
        content_weights = recipe.content_layer_weights or (1.0,) * len(content)
        style_weights = recipe.style_layer_weights or (1.0,) * len(style)
        summary = terms.summary({name: ours[name] for name in style}, recipe.style_kind)
        parts = {
            "content": terms.weighted(ours, wanted, content, content_weights),
            "style": terms.weighted(summary, self.style, style, style_weights),
            "variation": terms.total_variation(y),
        }
        if batch.noise is not None:
            with self.autocast():
                noisy = self.stylised((x + batch.noise.to(self.device)).clamp(0, 1))
            parts["noise"] = ((noisy - y) ** 2).mean()
        if recipe.pairs:
            later, earlier = y[recipe.batch :].chunk(2)
            parts["temporal"] = terms.temporal(
                later, earlier, batch.flow.to(self.device), batch.mask.to(self.device)
            )
        if self.signals is not None and self.materials.teacher:
            with torch.no_grad(), self.autocast():
                painted = self.materials.teacher.stylise(x, self.signals.expand(len(x), -1, -1))
            parts["taught"] = ((y - painted) ** 2).mean()
        return parts

    @torch.inference_mode()
    def sheet(self, network: JohnsonNetwork, path: Path) -> None:
        """A picture of every picture shown, above, and in the style, below."""
        rows = []
        for rgb in self.materials.shown:
            x = tensor(rgb, self.device)[None] * 255
            rows.append(np.concatenate([rgb, picture(network(x)[0] / 255)], 0))
        if rows:
            cv2.imwrite(str(path), np.concatenate(rows, 1)[..., ::-1])


def train_single(
    recipe: SingleRecipe,
    materials: SingleMaterials,
    folder: Path,
    device: str = "cpu",
    progress: Progress | None = None,
    worker: Worker = ALONE,
) -> JohnsonNetwork:
    """Runs a recipe to its end, from its checkpoint where `folder` holds one; returns the averaged network."""
    trainer = SingleTrainer(recipe, materials, folder, device, worker)
    try:
        return trainer.finish(trainer.sheet, progress)
    finally:
        trainer.ahead.close()
