"""Train the two networks that cut out and follow what a prompt points at.

    python -m stylebridge_server.train.tracing.trainer look --photographs kodak/ cid22/ --out run/
    python -m stylebridge_server.train.tracing.trainer trace --photographs kodak/ cid22/ --out run/

Things are cut out of the photographs once and kept in `run/things.npz`. Checkpoint and curve lie in `run/look` and
`run/trace`; the same command goes on from there. At the end `run/weights` has the averaged weights, as they ship.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from stylebridge.errors import StylebridgeError
from stylebridge_models.tracer import LOOK, TRACE, TracerNetwork
from stylebridge_server.steps import step as alive
from stylebridge_server.train.tracing import cuttings
from stylebridge_server.train.tracing.clips import Material
from stylebridge_server.train.tracing.export import export
from stylebridge_server.train.tracing.play import LookPlayer, Player, TracePlayer
from stylebridge_server.values import Plane

PARTS = {"look": LOOK, "trace": TRACE}
AVERAGED = "averaged.safetensors"
_SAVED = 100  # steps from one checkpoint to the next
_LOGGED = 20
_KEPT = 384  # windows that are shown again


@dataclass(frozen=True)
class Recipe:
    """How a network of the tracer is trained.

    Attributes:
        part: "look" or "trace".
        steps: in all.
        players: clips played at a time, each of which gives one window a step.
        again: windows of earlier steps that are shown once more in every step.
        rate: of Adam, falling over the last `fall` of the steps.
        average: of the weights that are kept.
        seed: of all that is drawn at random.
    """

    part: str
    steps: int = 6000
    players: int = 10
    again: int = 6
    rate: float = 1.5e-3
    fall: float = 0.4
    average: float = 0.995
    seed: int = 1


class Trainer:
    """One network, its average, and the players that it learns with."""

    def __init__(self, recipe: Recipe, material: Material, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        torch.manual_seed(recipe.seed)
        self.network = TracerNetwork(PARTS[recipe.part]).to(memory_format=torch.channels_last)
        self.averaged = {name: value.clone() for name, value in self.network.state_dict().items()}
        self._adam = torch.optim.AdamW(self.network.parameters(), recipe.rate, weight_decay=1e-4)
        self.done = self._resume()
        kind: Callable[[Material, int], Player] = LookPlayer if recipe.part == "look" else TracePlayer
        seed = recipe.seed + 7919 * self.done
        self._players = [kind(material, seed * 1000 + k) for k in range(recipe.players)]
        self._rng = np.random.default_rng(seed)
        self._kept: list[tuple[Tensor, Tensor]] = []

    def _resume(self) -> int:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return 0
        kept = torch.load(path, weights_only=True)
        self.network.load_state_dict(kept["network"])
        self._adam.load_state_dict(kept["adam"])
        self.averaged = kept["averaged"]
        return int(kept["done"])

    def save(self) -> None:
        """The checkpoint, and the averaged weights beside it."""
        kept = {
            "network": self.network.state_dict(),
            "adam": self._adam.state_dict(),
            "averaged": self.averaged,
            "done": self.done,
        }
        torch.save(kept, self.folder / "checkpoint.part")
        (self.folder / "checkpoint.part").replace(self.folder / "checkpoint.pt")
        save_file({k: v.contiguous() for k, v in self.averaged.items()}, self.folder / AVERAGED)

    def step(self) -> dict[str, float]:
        """Every player's next window, and some of earlier ones; returns the means of what is logged."""
        recipe = self.recipe
        shown = [player.show() for player in self._players]
        batch = [(torch.from_numpy(p).bfloat16(), torch.from_numpy(t).bfloat16()) for p, t in shown]
        if self._kept:
            picks = self._rng.integers(0, len(self._kept), recipe.again)
            batch += [self._kept[int(i)] for i in picks]
        share = self.done / recipe.steps
        rate = recipe.rate * min(1, self.done / 50, (1 - share) / recipe.fall)
        for group in self._adam.param_groups:
            group["lr"] = max(rate, 1e-6)
        self._adam.zero_grad()
        odds: list[Plane | None] = [None] * len(batch)
        sums = {"loss": 0.0, "overlap": 0.0}
        for shape in {tuple(truth.shape) for _, truth in batch}:
            members = [i for i, (_, truth) in enumerate(batch) if tuple(truth.shape) == shape]
            planes = torch.stack([batch[i][0] for i in members]).float()
            truth = torch.stack([batch[i][1] for i in members]).float()
            planes = planes.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                said = self.network(planes)[:, 0].float()
            losses = loss(said, truth, planes[:, 11 if recipe.part == "look" else 15])
            (losses.sum() / len(batch)).backward()
            alive()
            answers = said.detach().clamp(-16, 16).numpy()
            for place, i in enumerate(members):
                odds[i] = answers[place]
                if i < len(shown):
                    sums["loss"] += float(losses[place].detach()) / len(shown)
                    sums["overlap"] += _overlap(answers[place], shown[i][1]) / len(shown)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._adam.step()
        self.done += 1
        keep = min(recipe.average, (1 + self.done) / (10 + self.done))
        for name, value in self.network.state_dict().items():
            self.averaged[name].lerp_(value, 1 - keep)
        for place, player in enumerate(self._players):
            answer = odds[place]
            assert answer is not None
            player.hear(answer)
        for pair in batch[: len(shown)]:
            if len(self._kept) < _KEPT:
                self._kept.append(pair)
            else:
                self._kept[int(self._rng.integers(_KEPT))] = pair
        return sums


def loss(odds: Tensor, truth: Tensor, within: Tensor) -> Tensor:
    """Of each window: cross-entropy, thrice as much at edges, and one less soft overlap; (N,)."""
    wide = F.max_pool2d(truth[:, None], 5, 1, 2)[:, 0] + F.max_pool2d(-truth[:, None], 5, 1, 2)[:, 0]
    weight = (1 + 2 * wide) * within
    entropy = F.binary_cross_entropy_with_logits(odds, truth, reduction="none")
    entropy = (entropy * weight).mean((1, 2))
    share = torch.sigmoid(odds) * within
    shared, both = (share * truth).sum((1, 2)), (share + truth * within).sum((1, 2))
    overlap = (2 * shared + 20) / (both + 20)
    return entropy + 0.3 * (1 - overlap)


def _overlap(odds: Plane, truth: Plane) -> float:
    found, there = odds > 0, truth > 0.5
    union = int((found | there).sum())
    return float((found & there).sum()) / union if union else 1.0


def train(
    recipe: Recipe, material: Material, folder: Path, report: Callable[[int, dict[str, float]], None]
) -> None:
    """Train to the recipe's end, with checkpoints and the curve (log.csv) in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(recipe, material, folder)
    sums: dict[str, float] = {}
    began = time.monotonic()
    while trainer.done < recipe.steps:
        for name, value in trainer.step().items():
            sums[name] = sums.get(name, 0.0) + value / _LOGGED
        if trainer.done % _LOGGED == 0:
            fresh = not (folder / "log.csv").exists()
            with (folder / "log.csv").open("a", newline="") as file:
                table = csv.writer(file)
                if fresh:
                    table.writerow(["step", *sums, "seconds"])
                table.writerow(
                    [trainer.done, *(f"{v:.4f}" for v in sums.values()), round(time.monotonic() - began)]
                )
            report(trainer.done, sums)
            sums = {}
        if trainer.done % _SAVED == 0 or trainer.done == recipe.steps:
            trainer.save()


def material(path: Path, folders: Sequence[Path], semantic: Path | None) -> Material:
    """What was cut out of photographs, read from a file, which is made where it is missing.

    Args:
        path: of the file, `.npz`.
        folders: of photographs, searched with all that lies below.
        semantic: weights of ESPNetv2, whose classes are cut out too.

    Raises:
        StylebridgeError: not_found where there are no photographs; as reading pictures and weights does.
    """
    if not path.exists():
        # Under another name until it is whole: a file that is there is taken as it is.
        unfinished = path.with_name(f".{path.name}")
        cuttings.make(folders, semantic, unfinished)
        unfinished.rename(path)
    return Material(path)


def main(words: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("part", choices=PARTS, help="look: from a prompt; trace: from frame to frame")
    options.add_argument("--photographs", type=Path, nargs="+", required=True, help="folders")
    options.add_argument("--semantic", type=Path, help="ESPNetv2's weights, whose finds are cut out too")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--steps", type=int, default=Recipe.steps)
    options.add_argument("--fall", type=float, default=Recipe.fall, help="share of the steps")
    options.add_argument("--seed", type=int, default=Recipe.seed)
    asked = options.parse_args(words)
    asked.out.mkdir(parents=True, exist_ok=True)
    try:
        things = material(asked.out / "things.npz", asked.photographs, asked.semantic)
    except StylebridgeError as error:
        options.error(str(error))
    recipe = Recipe(asked.part, steps=asked.steps, fall=asked.fall, seed=asked.seed)

    def report(done: int, means: dict[str, float]) -> None:
        print(
            f"step {done}: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()), flush=True
        )

    folder = asked.out / asked.part
    train(recipe, things, folder, report)
    export(asked.part, folder / AVERAGED, asked.out / "weights")


if __name__ == "__main__":
    main()
