"""Optimisation-based transfer: the picture itself is what is learnt.

Content and style as Gatys, Ecker and Bethge 2016; films as Ruder, Dosovitskiy and Brox 2016: a frame begins as the one
before it, brought to it by backward flow, and is held to it on the picture and on early features where the flow can be
believed. Where it cannot (what was hidden, what came into the picture) the frame begins as its own source.

A result is a pure function of the frame, the result before it, the flow between them, the settings and a seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models.loss_networks import LossNetwork
from stylebridge_server.values import Rgb

from . import pixels, terms
from .method import ADAM, CONTENT, CONTENT_LAYERS, NOISE, PIXELS, STYLE_LAYERS, WARPED, Method
from .styles import Before, ChainStyle

# A frame of more pixels is refused: what is kept of it for the slopes takes about 3 KB a pixel.
MOST_PIXELS = 1920 * 1088
_SMALLEST = 32  # sides are extended to this: four halvings must leave something
_CHUNK = 10  # steps between two looks at whether it is worth going on
_WALL = 20.0  # how strongly values outside [0, 1] are asked back

# Called in every step: steps done, steps at most. May raise, to cancel.
Tick = Callable[[int, int], None]


def chain_style(
    method: Method, pictures: Sequence[Rgb], judge: LossNetwork, device: str = "cpu"
) -> ChainStyle:
    """The style that a method paints.

    Args:
        method: checked; `pictures` are those that it names, (H, W, 3) float32 in [0, 1].
        judge: the loss network.

    Raises:
        StylebridgeError: BAD_VALUE where the loss network lacks a layer.
    """
    optimiser = Optimiser(method, pictures, judge, device)
    return ChainStyle(optimiser.id, method.linked, optimiser.paint)


class Optimiser:
    """One method with its styles, ready to paint.

    Attributes:
        id: names settings, style pictures and loss network together.
    """

    def __init__(
        self, method: Method, pictures: Sequence[Rgb], judge: LossNetwork, device: str = "cpu"
    ) -> None:
        self.method, self._judge, self._device = method, judge.to(device), device
        only = method.reconstruct
        self._content = (
            () if only == "style" or not method.content else _layers(method.content_layers, _first(judge))
        )
        self._style = (
            () if only == "content" or not method.style else _layers(method.style_layers, _all(judge))
        )
        self._temporal = method.temporal_layers if method.temporal and not only else ()
        judge.check([*self._content, *self._style])
        # A network of another kind has not the layers that are usual here; named ones must be there.
        usual = Method(pictures=()).temporal_layers
        if self._temporal == usual and not method.temporal_layer_weights:
            early = [one for one in usual if one in judge.layers] or list(judge.layers[:2])
            self._temporal = (PIXELS, *early)
        judge.check([one for one in self._temporal if one != PIXELS])
        self._wanted: dict[str, Tensor] = {}
        with torch.no_grad():
            if self._style:
                found = [
                    self._summary(_tensor(_looked_at(one, method.style_side), device)) for one in pictures
                ]
                self._wanted = terms.blended(found, method.picture_weights or (1.0,) * len(found))
        self.id = self._name()

    def paint(self, frame: Rgb, name: str, before: Before | None, tick: Tick | None = None) -> Rgb:
        """The frame, optimised.

        Args:
            frame: (h, w, 3) float32 display-referred sRGB in [0, 1].
            name: of frame and shot; seeds the noise.
            before: the frame before, painted, and the way to it; None for a scene's first.
            tick: called in every step.

        Returns:
            (h, w, 3) float32 in [0, 1].

        Raises:
            StylebridgeError: TOO_LARGE; INTERNAL where no step gave a number. Whatever `tick` raises.
        """
        height, width = frame.shape[:2]
        if height * width > MOST_PIXELS:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"Optimising works on a whole frame at once, and {width}x{height} is more than it can hold: "
                "raise stroke_size.",
            )
        target = _tensor(pixels.to_rgb(frame), self._device)
        past = None if before is None or not self.method.linked else _Past.of(before, self._device)
        x = self._begun(target, name, past)
        missing = (0, max(0, _SMALLEST - width), 0, max(0, _SMALLEST - height))
        target, x = (F.pad(one, missing, mode="replicate") for one in (target, x))
        past = past.padded(missing) if past else None
        # From coarse to fine: large strokes settle where a step costs little. A frame that begins as the one before it
        # has them already.
        levels = 1 if past is not None and self.method.start == WARPED else self.method.levels
        sizes = [tuple(n >> level for n in target.shape[2:]) for level in range(levels)]
        sizes = [size for size in sizes if min(size) >= 4 * _SMALLEST] or sizes[:1]
        done = 0
        for i, size in enumerate(reversed(sizes)):
            share = self.method.steps // len(sizes) if i < len(sizes) - 1 else self.method.steps - done
            x = self._descended(
                _resized(x, size), self._asked(_resized(target, size), past, size), done, share, tick
            )
            done += share
        result = x[0, :, :height, :width].clamp(0, 1)
        return np.ascontiguousarray(result.permute(1, 2, 0).cpu().numpy())

    def _begun(self, target: Tensor, name: str, past: _Past | None) -> Tensor:
        method = self.method
        start = method.start
        if method.reconstruct:
            start = NOISE
        elif start == WARPED and past is not None:
            # What the frame before does not show begins as the frame is.
            return past.valid[:, None] * past.picture + (1 - past.valid[:, None]) * target
        elif start == WARPED:
            start = method.first
        if start == CONTENT:
            return target.clone()
        seed = hashlib.blake2b(f"{method.seed} {name}".encode(), digest_size=8).digest()
        rng = np.random.default_rng(int.from_bytes(seed, "little"))
        noise = 0.5 + 0.15 * rng.standard_normal(tuple(target.shape), dtype=np.float32)
        return torch.from_numpy(np.clip(noise, 0, 1)).to(self._device)

    def _asked(self, target: Tensor, past: _Past | None, size: tuple[int, ...]) -> _Asked:
        """What a result of this size is compared with."""
        layers = [one for one in self._temporal if one != PIXELS] if past is not None else []
        with torch.no_grad():
            content = self._judge.features(target, self._content) if self._content else {}
            earlier: dict[str, Tensor] = {}
            masks: dict[str, Tensor] = {}
            if past is not None and self._temporal:
                picture = _resized(past.picture, size)
                earlier = self._judge.features(picture, layers) if layers else {}
                earlier[PIXELS] = picture
                for name, value in earlier.items():
                    masks[name] = F.interpolate(past.valid[:, None], value.shape[2:], mode="area")
        return _Asked(content, earlier, masks)

    def _loss(self, x: Tensor, asked: _Asked) -> Tensor:
        method = self.method
        early = [one for one in asked.earlier if one in self._temporal]
        features = self._judge.features(x, {*self._content, *self._style, *early} - {PIXELS})
        features[PIXELS] = x
        loss = method.variation * terms.total_variation(x)
        if self._content:
            weights = method.content_layer_weights or (1.0,) * len(self._content)
            loss = loss + (method.content or 1.0) * terms.weighted(
                features, asked.content, self._content, weights
            )
        if self._style:
            weights = method.style_layer_weights or (1.0,) * len(self._style)
            summary = terms.summary({name: features[name] for name in self._style}, method.style_kind)
            loss = loss + (method.style or 1.0) * terms.weighted(summary, self._wanted, self._style, weights)
        if early:
            weights = method.temporal_layer_weights or (1.0,) * len(self._temporal)
            for name, weight in zip(self._temporal, weights, strict=True):
                wanted = asked.earlier[name]
                difference = asked.masks[name] * (features[name] - wanted) ** 2
                share = difference.mean() / ((wanted**2).mean() + 1e-8)
                loss = loss + method.temporal * weight / sum(weights) * share
        return loss + _WALL * ((x - x.clamp(0, 1)) ** 2).mean()

    def _descended(self, start: Tensor, asked: _Asked, done: int, steps: int, tick: Tick | None) -> Tensor:
        """The picture after at most `steps` steps down the loss; the best one seen."""
        x = start.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        scale = float(x.numel())  # so that a slope is about 1 a pixel, as the line search supposes
        best, least = x.detach().clone(), float("inf")
        descent = _optimiser(self.method, x)
        evaluated = 0

        def closure() -> float:
            nonlocal best, least, evaluated
            if tick:
                tick(min(done + evaluated, self.method.steps), self.method.steps)
            evaluated += 1
            descent.zero_grad(set_to_none=True)
            loss = self._loss(x.contiguous(memory_format=torch.channels_last), asked)
            (loss * scale).backward()
            value = float(loss.detach())
            if value < least:
                least, best = value, x.detach().clone()
            return value * scale

        taken, earlier = 0, float("inf")
        while taken < steps:
            count = min(_CHUNK, steps - taken)
            if isinstance(descent, torch.optim.LBFGS):
                descent.param_groups[0]["max_iter"] = count
                descent.param_groups[0]["max_eval"] = count * 5 // 4
                descent.step(closure)
            else:
                for _ in range(count):
                    descent.step(closure)
            taken += count
            if not np.isfinite(least):
                raise StylebridgeError(
                    Code.INTERNAL,
                    "Optimising came to no number in its first steps: lower the weights of its losses.",
                )
            if earlier - least < self.method.stop * earlier:
                break
            earlier = least
        return best

    def _summary(self, picture: Tensor) -> dict[str, Tensor]:
        return terms.summary(self._judge.features(picture, self._style), self.method.style_kind)

    def _name(self) -> str:
        # Names of files and of the network say nothing: their contents do, and they are below.
        told = {
            key: value
            for key, value in asdict(self.method).items()
            if key not in ("pictures", "loss_network")
        }
        digest = hashlib.sha256(f"{sorted(told.items())} {self._judge.checksum} {self._temporal}".encode())
        for name in sorted(self._wanted):
            digest.update(self._wanted[name].cpu().contiguous().numpy().tobytes())
        return f"optimise-{digest.hexdigest()[:32]}"


@dataclass(frozen=True)
class _Past:
    """The frame before, brought to this one, and where that can be believed: (1, 3, h, w) and (1, h, w)."""

    picture: Tensor
    valid: Tensor

    @classmethod
    def of(cls, before: Before, device: str) -> _Past:
        flow = torch.from_numpy(np.ascontiguousarray(before.flow, np.float32))[None].to(device)
        valid = torch.from_numpy(np.ascontiguousarray(before.valid, np.float32))[None].to(device)
        return cls(terms.warped(_tensor(before.picture, device), flow), valid)

    def padded(self, missing: tuple[int, ...]) -> _Past:
        return _Past(F.pad(self.picture, missing, mode="replicate"), F.pad(self.valid, missing))


@dataclass(frozen=True)
class _Asked:
    """Features to come near to: of the source, and of the frame before with masks where that counts."""

    content: dict[str, Tensor]
    earlier: dict[str, Tensor]
    masks: dict[str, Tensor]


def _optimiser(method: Method, x: Tensor) -> torch.optim.Optimizer:
    if method.optimiser == ADAM:
        return torch.optim.Adam([x], lr=method.rate)
    return torch.optim.LBFGS(
        [x], lr=1.0, history_size=20, tolerance_grad=0.0, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )


def _layers(named: tuple[str, ...], usual: tuple[str, ...]) -> tuple[str, ...]:
    return named or usual


def _first(judge: LossNetwork) -> tuple[str, ...]:
    return next(((one,) for one in CONTENT_LAYERS if one in judge.layers), judge.layers[-1:])


def _all(judge: LossNetwork) -> tuple[str, ...]:
    return tuple(one for one in STYLE_LAYERS if one in judge.layers) or judge.layers[:1]


def _tensor(rgb: Rgb, device: str) -> Tensor:
    """(H, W, 3) to (1, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32)).to(device)


def _looked_at(picture: Rgb, side: int) -> Rgb:
    """A style picture at a short side of at most `side`, and of at least what the network needs."""
    rgb = pixels.to_rgb(picture)
    short = min(rgb.shape[:2])
    return pixels.shrunk(rgb, min(max(short, _SMALLEST), side))


def _resized(x: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
