"""Training of the embedded style network: distillation from a teacher, steadied by disturbing what the
student sees.

The student is shown a noisy, shifted, slightly brighter or darker crop; the target was painted from the clean
picture. Two such views of one picture must also come out alike. So noise and sampling never become texture,
which is what makes a per-frame network flicker (compare CAP-VSTNet, Wen et al. 2023, which warps and adds
noise likewise).

A step is a function of the recipe, the weights and its number alone, so a run that was killed and resumed
follows the same curve.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models.network import CHANNELS, StyleNetwork

from . import losses
from .batches import Batch, Batches, Materials
from .calibration import calibrate
from .hints import Hints
from .recipe import Recipe

LOSSES = (
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
FIELDS = ("step", "seconds", "rate", "loss", *LOSSES)
_SETTLED = 64  # style variants that the scale of the teacher's signals comes from
_CALIBRATED = 16  # scenes that the least deviations come from while training goes on


@dataclass(frozen=True)
class Worker:
    """One of several processes that share a run: each takes crops of its own, gradients are averaged.

    On few cores that other work shares, processes of one thread each get much further than one process whose
    threads wait for one another in every operation.
    """

    rank: int = 0
    count: int = 1

    def averaged(self, parameters: list[nn.Parameter], loss: Tensor) -> float:
        """Averages gradients over the workers, in place; returns the mean loss. Not finite in one, so in all."""
        if self.count == 1:
            return loss.item()
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients] + [loss.detach().flatten()])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        for gradient, piece in zip(gradients, flat.split([g.numel() for g in gradients] + [1]), strict=False):
            gradient.copy_(piece.view_as(gradient))
        return flat[-1].item()


class Trainer:
    """One run in one folder: `checkpoint.pt` and `log.csv`."""

    def __init__(
        self,
        recipe: Recipe,
        materials: Materials,
        folder: Path,
        device: str = "cpu",
        amp: bool = True,
        worker: Worker = Worker(),
    ) -> None:
        self.recipe, self.materials, self.folder = recipe, materials, folder
        self.device, self.amp, self.worker = device, amp, worker
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        self.network = StyleNetwork().to(device).to(memory_format=torch.channels_last)
        self.average = StyleNetwork().to(device).to(memory_format=torch.channels_last)
        self.average.load_state_dict(self.network.state_dict())
        self.average.requires_grad_(False)
        self.hints = Hints().to(device)
        self.optimiser = torch.optim.Adam(
            [*self.network.parameters(), *self.hints.parameters()],
            lr=recipe.rate,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.batches = Batches(recipe, materials, folder / "styles", worker.rank, device, amp)
        self.step = 0
        self.seconds = 0.0
        self._resume()
        if materials.teacher and self.step == 0:
            count = min(_SETTLED, materials.styles.count)
            signals = [self.batches.style(number).signals for number in range(count)]
            self.hints.settle(torch.cat([s for s in signals if s is not None]))

    # -- records -------------------------------------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _resume(self) -> None:
        log = self.folder / "log.csv"
        if self.checkpoint.is_file():
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.hints.load_state_dict(state["hints"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds = state["step"], state["seconds"]
        if self.worker.rank:
            return
        # What was logged after the checkpoint will be logged again.
        rows: list[dict[str, str]] = []
        if log.is_file():
            with log.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) < self.step]
        with log.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)

    def save(self) -> None:
        """Writes the checkpoint so that a kill at any moment leaves the old one or the new one."""
        if self.worker.rank:
            return
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "hints": self.hints.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "recipe": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.recipe).items()},
        }
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    # -- steps ---------------------------------------------------------------------------------------------

    def losses_of(self, step: int) -> dict[str, Tensor]:
        """All losses of one step, unweighted."""
        recipe, vgg, batches = self.recipe, self.materials.vgg, self.batches
        batch = batches.batch(step)
        numbers = [number for pair in batch.pairs for number in dict.fromkeys(pair.styles)] + batch.extra
        numbers = list(dict.fromkeys(numbers))
        with batches.autocast():
            thumbnails = torch.stack([pair.thumbnail for pair in batch.pairs])
            statistics = self.network.statistics(_fast(thumbnails))
            codes = self.network.style(_fast(batches.style_pictures(numbers)))
            row = {number: codes[i] for i, number in enumerate(numbers)}
            code = torch.stack(
                [torch.lerp(*(row[n] for n in pair.styles), pair.mix) for pair in batch.pairs]
            )
            features = self.network.content(batch.contents)
            both = torch.cat([code] * 2)
            body, ground = self.network.decoder.body(features, torch.cat([statistics] * 2), both)
            output = self.network.decoder.surface(body, ground, both).float()
        inside = (..., slice(recipe.ring, -recipe.ring), slice(recipe.ring, -recipe.ring))
        ours, target = output[inside], batch.targets[inside]
        result = {
            "picture": losses.charbonnier(ours - target),
            "edges": losses.edges(ours - target),
            "texture": losses.texture(ours, target),
            "steady": losses.steadiness(*output.chunk(2), *batch.shifts),
        }
        if batch.encoded is not None and batch.steered is not None:
            half = len(batch.pairs)
            result["encoded"] = self.hints.encoded(features[:half, :CHANNELS].float(), batch.encoded)
            result["steered"] = self.hints.steered(body[:half].float(), batch.steered)
            signals = [batches.style(number).signals for number in numbers]
            result["signals"] = self.hints.signals(codes, torch.cat([s for s in signals if s is not None]))
        late = step >= recipe.features_from * recipe.steps
        if vgg and late and (recipe.perceptual or recipe.manner or recipe.style):
            result |= self._on_features(batch, output.chunk(2)[0], batch.targets.chunk(2)[0])
        return result

    def _on_features(self, batch: Batch, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The losses on VGG's features, of the first view's middle."""
        recipe, vgg = self.recipe, self.materials.vgg
        assert vgg
        side = min(recipe.losses_crop, recipe.crop)
        low = (recipe.crop - side) // 2
        inner = (slice(None), slice(None), slice(low, low + side), slice(low, low + side))
        with self.batches.autocast():
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

    def advance(self) -> dict[str, float]:
        """One step; returns the row that was logged.

        Raises:
            StylebridgeError: INTERNAL where a loss is not finite; the last checkpoint stays as it was.
        """
        began = time.monotonic()
        recipe = self.recipe
        rate = recipe.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts = self.losses_of(self.step)
        loss = torch.stack([getattr(recipe, name) * value for name, value in parts.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [*self.network.parameters(), *self.hints.parameters()]
        mean = self.worker.averaged(parameters, loss)
        if not math.isfinite(mean):
            raise StylebridgeError(
                Code.INTERNAL,
                f"The loss of step {self.step} is {mean}: training stopped, the last good checkpoint is "
                f"{self.checkpoint}; lower the rate and start again.",
            )
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        self.optimiser.step()
        keep = min(recipe.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for kept, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(value, 1 - keep)
        if self.step in (0, 10) or self.step % recipe.calibrate_every == 0:
            scenes = self.materials.scenes.pictures
            part = scenes[:: max(1, len(scenes) // _CALIBRATED)]
            calibrate(self.network, part)
            self.average.decoder.floor.copy_(self.network.decoder.floor)
        self.seconds += time.monotonic() - began
        row: dict[str, Any] = {"step": self.step, "seconds": round(self.seconds, 2), "rate": f"{rate:.3g}"}
        row |= {"loss": f"{mean:.5f}"} | {name: f"{value.item():.5f}" for name, value in parts.items()}
        if not self.worker.rank:
            with (self.folder / "log.csv").open("a", newline="") as file:
                csv.DictWriter(file, FIELDS).writerow(row)
        self.step += 1
        return {name: float(value) for name, value in row.items()}


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
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
    worker: Worker = Worker(),
) -> StyleNetwork:
    """Runs a recipe to its end, from its checkpoint where `folder` holds one; returns the averaged network.

    Args:
        sheet: called with the averaged network and a path to write a picture of samples to.
        progress: called after every step with (steps done, steps in all, logged row).
        worker: which of several processes this is; those above rank 0 only compute.
    """
    trainer = Trainer(recipe, materials, folder, device, amp, worker)
    while trainer.step < recipe.steps:
        row = trainer.advance()
        if trainer.step % recipe.checkpoint_every == 0 or trainer.step == recipe.steps:
            trainer.save()
        if (
            sheet
            and not worker.rank
            and (trainer.step % recipe.sheet_every == 0 or trainer.step == recipe.steps)
        ):
            sheet(trainer.average, folder / f"sheet-{trainer.step:06d}.jpg")
        if progress and not worker.rank:
            progress(trainer.step, recipe.steps, row)
    return trainer.average.eval()
