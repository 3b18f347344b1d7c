"""From a strip to an `Order`: plain data that says everything that a render needs, without Blender."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import curves, parameters, plates
from ._bridge.stylebridge import effect
from ._bridge.stylebridge import look as looks
from ._bridge.stylebridge.errors import Code, StylebridgeError

FLAT, LAYERS = "flat", "layers"


@dataclass
class Order:
    """What is to be rendered.

    Attributes:
        uid, title: of the strip.
        plate: what goes in.
        instants: each timeline frame, with which of the `looks` applies to it.
        looks: a single look with keys on the source's frames; or, where a source frame is shown more than once with
            different values, constant ones.
        analysis: id of the analysis, None where only the background is styled.
        analysed: what it was made of, for a server that lacks it.
        output: "flat" or "layers".
        folder: where a folder of files is made, absolute.
        stamp: the name of all that the result depends on, as far as this side knows.
    """

    uid: str
    title: str
    plate: Any
    instants: list[tuple[int, int]]
    looks: list[dict[str, Any]]
    analysis: str | None = None
    analysed: dict[str, Any] = field(default_factory=dict)
    output: str = FLAT
    folder: str = ""
    stamp: str = ""

    def flatten(self) -> None:
        """Has one picture come back in place of layers."""
        self.output = FLAT
        self.stamp = _stamp(self)

    @property
    def frames(self) -> list[int]:
        """The timeline's."""
        return [frame for frame, _ in self.instants]


def build(
    scene: Any, strip: Any, folder: str, frames: Sequence[int] | None = None, prepare: bool = True
) -> Generator[None, None, Order]:
    """The order of a strip, in steps between which Blender may go on.

    Args:
        folder: where the files go.
        frames: timeline frames, None for all that the strip shows.
        prepare: whether the plate will be opened, see `plates.plan`.

    Raises:
        StylebridgeError: a sentence that says what is missing.
    """
    settings = strip.stylebridge
    refuse(strip)
    plate = plates.plan(scene, strip, prepare)
    yield
    wanted = set(frames) if frames is not None else None
    shown_frames = [pair for pair in plate.frames if wanted is None or pair[0] in wanted]
    if not shown_frames:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{strip.name} is not shown at this frame: move the playhead over it."
        )
    if settings.analysis and settings.analysed_plate != plate.key:
        raise StylebridgeError(
            Code.NOT_FOUND, f"{strip.name} has changed since its instances were found: find them again."
        )
    layers = styled(settings)
    names: list[tuple[str, int | None]] = [("strength", None)]
    names += [(name, layer.id) for layer in layers for name in parameters.of_layer(layer.id)]
    sampled = yield from curves.sample(scene, strip, names, [frame for frame, _ in shown_frames])
    sources = [number for _, number in shown_frames]
    shot = parameters.plain(settings, parameters.fixed(effect.SHOT))
    segmenter = shot.pop("segmenter", "auto")
    made, which = _looks(layers, sampled, sources, shot)
    instances = any(layer.id != parameters.BACKGROUND for layer in settings.layers)
    order = Order(
        uid=settings.uid,
        title=strip.name,
        plate=plate,
        instants=[(frame, index) for (frame, _), index in zip(shown_frames, which, strict=True)],
        looks=made,
        analysis=settings.analysis if instances and settings.analysis else None,
        analysed=json.loads(settings.analysed)
        if settings.analysed
        else {"prompts": [], "segmenter": segmenter},
        output=_output(strip, plate),
        folder=folder,
    )
    order.stamp = _stamp(order)
    return order


def _stamp(order: Order) -> str:
    """Layers hold no strength, so none is in their stamp. Where the strip lies does not matter."""
    made = order.looks
    if order.output == LAYERS:
        made = [looks.Look.from_data(look).full_strength().to_data() for look in made]
    numbers = dict(order.plate.frames)
    shown = [(frame - order.plate.start, numbers[frame], look) for frame, look in order.instants]
    facts = [order.plate.key, order.analysis, order.output, made, shown]
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _output(strip: Any, plate: Any) -> str:
    """What comes back. Layers lie "over" their source, which must be opaque for that: where it can be seen through, or
    is mixed in another way, one flattened strip comes back.
    """
    settings = strip.stylebridge
    opaque = strip.blend_type in ("REPLACE", "ALPHA_OVER") and strip.blend_alpha >= 1.0
    return LAYERS if settings.output == LAYERS and opaque and settings.transparent != plate.key else FLAT


def refuse(strip: Any) -> None:
    """Raises a sentence where a strip has nothing to be rendered."""
    if not strip.stylebridge.enabled or not styled(strip.stylebridge):
        raise StylebridgeError(Code.BAD_LOOK, f"{strip.name} has no style yet: choose one in the panel.")


def styled(settings: Any) -> list[Any]:
    """The layers that have a style."""
    return [layer for layer in settings.layers if layer.style.strip()]


def _looks(
    layers: Sequence[Any],
    sampled: dict[tuple[str, int | None], list[Any]],
    sources: Sequence[int],
    shot: dict[str, Any],
) -> tuple[list[dict[str, Any]], list[int]]:
    """The looks, and for each frame which."""
    once = len(set(sources)) == len(sources)
    if once:
        return [_look(layers, sampled, sources, shot)], [0] * len(sources)
    made: list[dict[str, Any]] = []
    which = []
    for index, number in enumerate(sources):
        here = {pair: [values[index % len(values)]] for pair, values in sampled.items()}
        look = _look(layers, here, [number], shot)
        if look not in made:
            made.append(look)
        which.append(made.index(look))
    return made, which


def _look(
    layers: Sequence[Any],
    sampled: dict[tuple[str, int | None], list[Any]],
    sources: Sequence[int],
    shot: dict[str, Any],
) -> dict[str, Any]:
    data: dict[str, Any] = {"schema": looks.SCHEMA}
    if shot:
        data["shot"] = shot
    everything = sampled["strength", None]
    for layer in layers:
        table = _table(layer)
        for name, row in parameters.of_layer(layer.id).items():
            values = sampled[name, layer.id]
            if name == "strength":
                values = _product(values, everything)
            written = _written(values, sources)
            if written != row.default:
                table[name] = written
        if layer.id == parameters.BACKGROUND:
            data["background"] = table
        else:
            data.setdefault("instance", []).append({"select": layer.id, **table})
    try:
        looks.Look.from_data(data)
    except StylebridgeError as error:
        raise StylebridgeError(Code.BAD_LOOK, error.message) from None
    return data


def _table(layer: Any) -> dict[str, Any]:
    """The parameters of a layer that do not animate."""
    scopes = (effect.LAYER,) if layer.id == parameters.BACKGROUND else (effect.LAYER, effect.INSTANCE)
    rows = parameters.fixed(*scopes)
    rows.pop("select", None)
    return parameters.plain(layer, rows)


def _product(one: list[Any], other: list[Any]) -> list[Any]:
    if len(one) == 1:
        return [one[0] * value for value in other]
    return [value * (other[0] if len(other) == 1 else other[index]) for index, value in enumerate(one)]


def _written(values: list[Any], sources: Sequence[int]) -> Any:
    """Values as a look writes them: one, or a key for each source frame."""
    if all(value == values[0] for value in values):
        return values[0]
    keys = sorted(zip(sources, values, strict=True))
    return [[number, value] for number, value in keys]
