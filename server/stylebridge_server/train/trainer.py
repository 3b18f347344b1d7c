"""Training of the embedded style network: distillation from a teacher, steadied by disturbing what the
student sees.

The student is shown a noisy, shifted, slightly brighter or darker crop; the target was painted from the clean
picture. Two such views of one picture must also come out alike. So noise and sampling never become texture,
which is what makes a per-frame network flicker (compare CAP-VSTNet, Wen et al. 2023, which warps and adds
noise likewise).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models.network import CHANNELS, StyleNetwork

from . import losses
from .batches import Batch, Batches, Materials
from .calibration import calibrate
from .codes import settle_codes
from .hints import Hints
from .recipe import Recipe
from .reference import Reference
from .run import ALONE, Progress, Run, Worker
from .starts import begin_from

PARTS = (
    "picture",
    "edges",
    "texture",
    "steady",
    "encoded",
    "steered",
    "signals",
    "perceptual",
    "manner",
    "style",
)
FIELDS = ("step", "seconds", "rate", "loss", *PARTS)
_FITTED_LEAST = 64  # with fewer style variants the encoder is not fitted to the teacher's signals
_CALIBRATED = 16  # scenes that the least deviations come from while training goes on


class Trainer(Run[StyleNetwork]):
    """A run of the embedded network. Its folder also keeps the style variants, in `styles`."""

    def __init__(
        self,
        recipe: Recipe,
        materials: Materials,
        folder: Path,
        device: str = "cpu",
        amp: bool = True,
        worker: Worker = ALONE,
        start: dict[str, Tensor] | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.hints = Hints()
        super().__init__(recipe, StyleNetwork, PARTS, folder, device, amp, worker, {"hints": self.hints})
        self.recipe, self.materials = recipe, materials
        self.batches = Batches(recipe, materials, folder / "styles", worker.rank, device, amp)
        if start and self.step == 0:
            begin_from(self.network, start)
            self.average.load_state_dict(self.network.state_dict())
        if materials.teacher and self.step == 0:
            self._settle_styles()
        self.reference: Reference | None = None
        if recipe.reference:
            if not start:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"{recipe.name} learns from an earlier network's pictures: name its weights with --start.",
                )
            self.reference = Reference(start, recipe.sharpened, device)

    def _settle_styles(self) -> None:
        """What comes from the teacher's signals before the first step, alike in every worker."""
        numbers = list(range(min(self.recipe.fitted_styles, self.materials.styles.count)))
        found = [self.batches.style(number).signals for number in numbers]
        signals = torch.cat([row for row in found if row is not None])
        self.hints.settle(signals)
        if len(numbers) >= _FITTED_LEAST:
            parts = [numbers[i : i + 8] for i in range(0, len(numbers), 8)]
            pictures = [_fast(self.batches.style_pictures(part)) for part in parts]
            settle_codes(self.network, pictures, signals)
            self.average.load_state_dict(self.network.state_dict())

    def settle(self) -> None:
        if self.step in (0, 10) or self.step % self.recipe.calibrate_every == 0:
            scenes = self.materials.scenes.pictures
            calibrate(self.network, scenes[:: max(1, len(scenes) // _CALIBRATED)])
            self.average.decoder.floor.copy_(self.network.decoder.floor)

    def losses_of(self, step: int) -> dict[str, Tensor]:
        """All losses of one step, unweighted."""
        recipe, vgg, batches = self.recipe, self.materials.vgg, self.batches
        batch = batches.batch(step)
        if self.reference:
            return self._beside(self.reference, batch, step)
        numbers = [number for pair in batch.pairs for number in dict.fromkeys(pair.styles)] + batch.extra
        numbers = list(dict.fromkeys(numbers))
        with self.autocast():
            thumbnails = torch.stack([pair.thumbnail for pair in batch.pairs])
            statistics = self.network.statistics(_fast(thumbnails))
            codes = self.network.style(_fast(batches.style_pictures(numbers)))
            row = {number: codes[i] for i, number in enumerate(numbers)}
            ends = [(row[pair.styles[0]], row[pair.styles[1]]) for pair in batch.pairs]
            code = torch.stack(
                [torch.lerp(*end, pair.mix) for end, pair in zip(ends, batch.pairs, strict=True)]
            )
            features = self.network.content(batch.contents)
            both = torch.cat([code] * 2)
            body, ground = self.network.decoder.body(features, torch.cat([statistics] * 2), both)
            output = self.network.decoder.surface(body, ground, both).float()
        first, second = output.chunk(2)
        inside = (..., slice(recipe.ring, -recipe.ring), slice(recipe.ring, -recipe.ring))
        ours, target = output[inside], batch.targets[inside]
        result = {
            "picture": losses.charbonnier(ours - target),
            "edges": losses.edges(ours - target),
            "texture": losses.texture(ours, target),
            "steady": losses.steadiness(first, second, *batch.shifts),
        }
        if batch.encoded is not None and batch.steered is not None:
            half = len(batch.pairs)
            result["encoded"] = self.hints.encoded(features[:half, :CHANNELS].float(), batch.encoded)
            result["steered"] = self.hints.steered(body[:half].float(), batch.steered)
            signals = [batches.style(number).signals for number in numbers]
            result["signals"] = self.hints.signals(codes, torch.cat([s for s in signals if s is not None]))
        late = step >= recipe.features_from * recipe.steps
        if vgg and late and (recipe.perceptual or recipe.manner or recipe.style):
            result |= self._on_features(batch, first, batch.targets.chunk(2)[0])
        return result

    def _beside(self, reference: Reference, batch: Batch, step: int) -> dict[str, Tensor]:
        """The losses of a step whose targets the reference paints. Codes are the reference's, taken as they are."""
        recipe = self.recipe
        numbers = [pair.styles for pair in batch.pairs]
        first_style, second_style = (
            _fast(self.batches.style_pictures([pair[end] for pair in numbers])) for end in (0, 1)
        )
        mix = torch.tensor([pair.mix for pair in batch.pairs], device=self.device)
        seed = [recipe.seed, 4, step, self.worker.rank]
        code = reference.spread(first_style, second_style, mix, recipe.spread, seed)
        thumbnails = _fast(torch.stack([pair.thumbnail for pair in batch.pairs]))
        both = torch.cat([code] * 2)
        with self.autocast():
            targets = reference.painted(batch.targets, thumbnails, both)
            statistics = self.network.statistics(thumbnails)
            features = self.network.content(batch.contents)
            output = self.network.decoder(features, torch.cat([statistics] * 2), both).float()
        first, second = output.chunk(2)
        inside = (..., slice(recipe.ring, -recipe.ring), slice(recipe.ring, -recipe.ring))
        ours, target = output[inside], targets[inside]
        return {
            "picture": losses.charbonnier(ours - target),
            "edges": losses.edges(ours - target),
            "texture": losses.texture(ours, target),
            "steady": losses.steadiness(first, second, *batch.shifts),
        }

    def _on_features(self, batch: Batch, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The losses on VGG's features, of the first view's middle."""
        recipe, vgg = self.recipe, self.materials.vgg
        assert vgg
        side = min(recipe.losses_crop, recipe.crop)
        low = (recipe.crop - side) // 2
        inner = (slice(None), slice(None), slice(low, low + side), slice(low, low + side))
        with self.autocast():
            ours = vgg.features(_fast(output[inner]))
            with torch.no_grad():
                wanted = vgg.features(_fast(target[inner]))
        styles = []
        for pair in batch.pairs:
            a, b = (self.batches.statistics(number) for number in pair.styles)
            styles.append([torch.lerp(x, y, pair.mix) for x, y in zip(a, b, strict=True)])
        return {
            "perceptual": losses.relative(ours, wanted),
            "manner": losses.relative(losses.windows(ours, 2), losses.windows(wanted, 2)),
            "style": losses.relative(
                losses.statistics(ours), [torch.cat(layer) for layer in zip(*styles, strict=True)]
            ),
        }


def _fast(x: Tensor) -> Tensor:
    """In the memory layout that convolutions are quickest in."""
    return x.contiguous(memory_format=torch.channels_last)


def train(
    recipe: Recipe,
    materials: Materials,
    folder: Path,
    device: str = "cpu",
    amp: bool = True,
    sheet: Callable[[StyleNetwork, Path], None] | None = None,
    progress: Progress | None = None,
    worker: Worker = ALONE,
    start: dict[str, Tensor] | None = None,
) -> StyleNetwork:
    """Runs a recipe to its end, from its checkpoint where `folder` holds one; returns the averaged network.

    Args:
        sheet: called with the averaged network and a path to write a picture of samples to.
        progress: called after every step with (steps done, steps in all, logged row).
        worker: which of several processes this is; those above rank 0 only compute.
        start: weights to begin with, see `begin_from`; a run that has begun does not look at them.
    """
    return Trainer(recipe, materials, folder, device, amp, worker, start).finish(sheet, progress)
