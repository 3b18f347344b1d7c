"""Train the network that tells what moves by itself, on made-up scenes.

    python -m stylebridge_server.train.motion.trainer --photographs kodak/ cid22/ --out run/ --minutes 30

Every sample is a new scene (`scenes.Scene`) with the flow that the product computes on its rendered frames. A pool of
samples is drawn from while new ones replace the oldest, so that one thread can both render and learn. At every
hundredth step `run/embedded-motion.safetensors` is written: the running mean of the weights, as it ships.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from stylebridge_models.independence import Independence
from stylebridge_server import temporal
from stylebridge_server.segment.evidence import CHANNELS, DISTANCES, evidence
from stylebridge_server.segment.independent import WEIGHTS
from stylebridge_server.train.motion.scenes import Scene, travelled
from stylebridge_server.values import Rgb8

POOL = 400
BATCH = 5
CROP = 128, 208  # height, width of what is learned from at once; the evidence knows the whole picture
LEARNED = 3  # steps for each new scene
RATE = 2e-3
KEPT = 0.998  # of the running mean of the weights, a step
SLOW, CLEAR = (
    0.8,
    1.6,
)  # pixels over the longest distance: below, what moves is left out of the loss; from there on it counts
Sample = tuple[NDArray[np.int8], NDArray[np.uint8], NDArray[np.uint8]]
STEP = 1 / 30  # of a stored channel


def photographs(folder: Path) -> list[Rgb8]:
    """All pictures below a folder, short side 300."""
    out = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".jpg", ".png", ".jpeg"):
            picture = cv2.imread(str(path))
            scale = 300 / min(picture.shape[:2])
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            out.append(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8))
    return out


def sample(seed: int, pictures: Sequence[Rgb8]) -> Sample:
    """Evidence, truth and weight of one scene: (CHANNELS, h, w) int8 in `STEP`, (h, w) uint8, (h, w) uint8."""
    rng = np.random.default_rng(seed)
    scene = Scene(rng, pictures)
    rgb, seen = scene.picture(0)
    lacking = rng.choice(len(DISTANCES) + 1) if rng.random() < 0.15 else 0
    sides = DISTANCES[lacking:] if rng.random() < 0.5 else DISTANCES[: len(DISTANCES) - lacking]
    flows = {d: temporal.flow_pair(rgb, scene.picture(d)[0], test=temporal.occlusion) for d in sides}
    truth, weight = np.zeros(rgb.shape[:2], np.float32), np.ones(rgb.shape[:2], np.float32)
    for thing, cover in seen:
        if thing.moves:
            pace = travelled(thing, scene.eye, max(DISTANCES))
            truth = np.maximum(truth, cover)
            weight *= 1 - cover * (1 - np.float32(np.clip((pace - SLOW) / (CLEAR - SLOW), 0, 1)))
    if not flows:
        weight[:] = 0
    channels = np.clip(np.rint(evidence(rgb, flows) / STEP), -127, 127).astype(np.int8)
    return channels, np.rint(truth * 255).astype(np.uint8), np.rint(weight * 255).astype(np.uint8)


def batch(pool: Sequence[Sample], rng: np.random.Generator, count: int) -> tuple[torch.Tensor, ...]:
    """Samples, some of them mirrored or backwards in time."""
    out = []
    for k in rng.integers(len(pool), size=count):
        channels, truth, weight = (np.asarray(part) for part in pool[int(k)])
        y, x = (int(rng.integers(truth.shape[axis] - CROP[axis] + 1)) for axis in (0, 1))
        window = np.s_[..., y : y + CROP[0], x : x + CROP[1]]
        channels, truth, weight = channels[window], truth[window], weight[window]
        channels = channels.astype(np.float32) * np.float32(STEP)
        if rng.random() < 0.5:
            order = [5 * d + c for d in reversed(range(len(DISTANCES))) for c in range(5)]
            channels = channels[[*order, *range(len(order), CHANNELS)]]
        if rng.random() < 0.5:
            channels, truth, weight = channels[..., ::-1].copy(), truth[:, ::-1], weight[:, ::-1]
            for d in range(len(DISTANCES)):
                channels[5 * d] *= -1
                channels[5 * d + 3] *= -1
        out.append((channels, truth.astype(np.float32) / 255, weight.astype(np.float32) / 255))
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*out, strict=True))


def loss(odds: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross entropy, and one minus the overlap of each picture that holds something."""
    cross = (F.binary_cross_entropy_with_logits(odds, truth, reduction="none") * weight).mean()
    share = torch.sigmoid(odds) * weight
    own = truth * weight
    both = (share * own).sum((1, 2))
    union = (share + own).sum((1, 2)) - both
    holds = (own.sum((1, 2)) > 30).float()
    overlap = ((1 - (both + 1) / (union + 1)) * holds).sum() / holds.sum().clamp(min=1)
    return 2 * cross + 0.5 * overlap


def overlap(network: Independence, watched: Sequence[Sample]) -> float:
    """J of all that moves in the watched samples, taken together."""
    both = union = 0
    for channels, truth, weight in watched:
        with torch.inference_mode():
            odds = network(torch.from_numpy(channels.astype(np.float32) * np.float32(STEP))[None])[0].numpy()
        sure = weight > 200
        found, exact = (odds > 0) & sure, (truth > 127) & sure
        both += int((found & exact).sum())
        union += int((found | exact).sum())
    return both / max(union, 1)


def half(value: torch.Tensor) -> torch.Tensor:
    """As it is stored: numbers as float16, counters as they are."""
    return value.half() if value.is_floating_point() else value


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--photographs", type=Path, nargs="+", required=True, help="folders")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--minutes", type=float, default=40)
    options.add_argument("--start", type=Path, help="weights to go on from")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(asked.seed)
    asked.out.mkdir(parents=True, exist_ok=True)
    pictures = [picture for folder in asked.photographs for picture in photographs(folder)]
    network = Independence(CHANNELS)
    if asked.start:
        network.load_state_dict({name: value.float() for name, value in load_file(asked.start).items()})
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-4)
    rng = np.random.default_rng(asked.seed)
    # Scenes are numbered; those under 1000 are kept for watching.
    watched = [sample(number, pictures) for number in range(16)]
    pool: list[Sample] = [sample(asked.seed * 1_000_000 + k, pictures) for k in range(24)]
    made, step, began, total = len(pool), 0, time.time(), 0.0
    while (share := (time.time() - began) / (60 * asked.minutes)) < 1:
        new = sample(asked.seed * 1_000_000 + made, pictures)
        if len(pool) < POOL:
            pool.append(new)
        else:
            pool[made % POOL] = new
        made += 1
        for _ in range(LEARNED):
            for group in optimiser.param_groups:
                group["lr"] = (
                    RATE * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
                )
            channels, truth, weight = batch(pool, rng, BATCH)
            network.train()
            value = loss(network(channels), truth, weight)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            kept = min(KEPT, (step + 1) / (step + 10))
            for name, now in network.state_dict().items():
                if now.is_floating_point():
                    mean[name].lerp_(now, 1 - kept)
                else:
                    mean[name].copy_(now)
            total += value.item()
            step += 1
            if step % 100 == 0:
                judged = Independence(CHANNELS)
                judged.load_state_dict(mean)
                judged.eval()
                share_ = overlap(judged, watched)
                print(
                    f"{time.time() - began:.0f} s, step {step}, scenes {made}: "
                    f"loss {total / 100:.3f}, J {share_:.3f}",
                    flush=True,
                )
                total = 0.0
                target = asked.out / f"{WEIGHTS}.safetensors"
                unfinished = target.with_name(f".{target.name}")
                save_file({name: half(value) for name, value in mean.items()}, unfinished)
                unfinished.rename(target)


if __name__ == "__main__":
    main()
