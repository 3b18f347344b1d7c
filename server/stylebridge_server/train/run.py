"""A run: steps, records and workers, whatever network learns and from whatever losses.

A step is a function of the recipe, the weights and its number alone, so a run that was killed and resumed follows the
same curve.
"""

from __future__ import annotations

import csv
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn

from stylebridge.errors import Code, StylebridgeError

from .curves import Curves
from .pictures import Rgb8
from .recipe import Schedule

Progress = Callable[[int, int, dict[str, float]], None]


def tensor(picture: Rgb8, device: str = "cpu") -> Tensor:
    """uint8 (H, W, 3) to float32 (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(picture)).to(device).permute(2, 0, 1).float() / 255


def picture(x: Tensor) -> Rgb8:
    """float (3, H, W) to uint8 (H, W, 3)."""
    return (x.detach().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


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


ALONE = Worker()


Net = TypeVar("Net", bound=nn.Module)


class Run(ABC, Generic[Net]):
    """One run in one folder: `checkpoint.pt`, `log.csv`, and what is drawn from it.

    Args:
        recipe: numbers of the run; those of its subclass are the losses' weights, by name.
        make: a new network; called twice, for the one that learns and for the average of its weights.
        parts: names of the losses, in the order of the log.
        helpers: networks that learn beside it and are kept with it, but are not what comes out.
    """

    def __init__(
        self,
        recipe: Schedule,
        make: Callable[[], Net],
        parts: Sequence[str],
        folder: Path,
        device: str = "cpu",
        amp: bool = True,
        worker: Worker = ALONE,
        helpers: Mapping[str, nn.Module] | None = None,
    ) -> None:
        self.schedule, self.folder = recipe, folder
        self.device, self.amp, self.worker = device, amp, worker
        self.fields = ("step", "seconds", "rate", "loss", *parts)
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        self.network = make().to(device).to(memory_format=torch.channels_last)
        self.average = make().to(device).to(memory_format=torch.channels_last)
        self.average.load_state_dict(self.network.state_dict())
        self.average.requires_grad_(False)
        self.helpers = dict(helpers or {})
        self.parameters = [*self.network.parameters()]
        for helper in self.helpers.values():
            self.parameters += helper.to(device).parameters()
        self.optimiser = torch.optim.Adam(self.parameters, lr=recipe.rate, betas=(0.9, 0.99), fused=True)
        self.step = 0
        self.seconds = 0.0
        self._resume()
        self.curves = None if worker.rank else Curves(folder, self.step)

    @abstractmethod
    def losses_of(self, step: int) -> dict[str, Tensor]:
        """All losses of one step, unweighted; the recipe has a weight under each name."""

    def settle(self) -> None:
        """Called after every step, before it counts as done: what is measured and not learnt."""

    # -- records -------------------------------------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _resume(self) -> None:
        log = self.folder / "log.csv"
        if self.checkpoint.is_file():
            self._load()
        if self.worker.rank:
            return
        # What was logged after the checkpoint will be logged again.
        rows: list[dict[str, str]] = []
        if log.is_file():
            with log.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) < self.step]
        with log.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.fields)
            writer.writeheader()
            writer.writerows(rows)

    def _load(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            for name, helper in self.helpers.items():
                helper.load_state_dict(state[name])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds = state["step"], state["seconds"]
        except OSError:
            raise
        except Exception as error:  # damaged, code inside, or of another network: these fail in many ways
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"The checkpoint {self.checkpoint} is not one of this recipe's network "
                f"({' '.join(str(error).split())[:300]}): name another folder, or the recipe that it was made with.",
            ) from None

    def save(self) -> None:
        """Writes the checkpoint so that a kill at any moment leaves the old one or the new one."""
        if self.worker.rank:
            return
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            **{name: helper.state_dict() for name, helper in self.helpers.items()},
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "recipe": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.schedule).items()},
        }
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    # -- steps ---------------------------------------------------------------------------------------------

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=self.amp)

    def advance(self) -> dict[str, float]:
        """One step; returns the row that was logged.

        Raises:
            StylebridgeError: INTERNAL where a loss or a gradient is not finite; the last checkpoint stays as it was.
        """
        began = time.monotonic()
        recipe = self.schedule
        rate = recipe.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts = self.losses_of(self.step)
        loss = torch.stack([getattr(recipe, name) * value for name, value in parts.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        mean = self.worker.averaged(self.parameters, loss)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, recipe.clip).item()
        if not math.isfinite(mean) or not math.isfinite(norm):
            what = f"loss of step {self.step} is {mean}"
            if math.isfinite(mean):
                what = f"slope of the loss of step {self.step} is {norm}"
            raise StylebridgeError(
                Code.INTERNAL,
                f"The {what}: training stopped, the last good checkpoint is "
                f"{self.checkpoint}; lower the rate and start again.",
            )
        self.optimiser.step()
        keep = min(recipe.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for kept, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(value, 1 - keep)
        self.settle()
        self.seconds += time.monotonic() - began
        row: dict[str, Any] = {"step": self.step, "seconds": round(self.seconds, 2), "rate": f"{rate:.3g}"}
        row |= {"loss": f"{mean:.6g}"} | {name: f"{value.item():.6g}" for name, value in parts.items()}
        numbers = {name: float(value) for name, value in row.items()}
        if self.curves:
            with (self.folder / "log.csv").open("a", newline="") as file:
                csv.DictWriter(file, self.fields).writerow(row)
            self.curves.add(self.step, numbers)
        self.step += 1
        return numbers

    def finish(
        self, sheet: Callable[[Net, Path], None] | None = None, progress: Progress | None = None
    ) -> Net:
        """Runs the recipe to its end; returns the averaged network.

        Args:
            sheet: called with the averaged network and a path to write a picture of samples to.
            progress: called after every step with (steps done, steps in all, logged row).
        """
        recipe = self.schedule
        try:
            while self.step < recipe.steps:
                row = self.advance()
                last = self.step == recipe.steps
                if last or self.step % recipe.checkpoint_every == 0:
                    self.save()
                if self.curves and (last or self.step % recipe.sheet_every == 0):
                    self.curves.draw()
                    if sheet:
                        path = self.folder / f"sheet-{self.step:06d}.jpg"
                        sheet(self.average, path)
                        self.curves.show(self.step, path)
                if progress and not self.worker.rank:
                    progress(self.step, recipe.steps, row)
        finally:
            if self.curves:
                self.curves.close()
        return self.average.eval()
