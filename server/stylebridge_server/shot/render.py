"""Rendering as a pure function: frame = render(shot, analysis, look, t).

    out = I + sum_i m_i s_i (S_i - I)

m_i are the mattes after grow, softness and z-order, the background being what they leave over; s_i is the
strength at t; S_i is the instance's stream after colour keep. Nothing here depends on what was rendered before.
A host that mixes by itself gets L_i = m_i S_i and m_i, and evaluates I + sum_i s_i (L_i - m_i I).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylebridge.look import Layer, Look
from stylebridge_server import colour, composite, style, temporal
from stylebridge_server.shot.analysis import Analysis
from stylebridge_server.shot.proxy import Proxy, shrink_matte
from stylebridge_server.shot.shot import AnyShot
from stylebridge_server.shot.streams import Streams, StreamSpec
from stylebridge_server.steps import step
from stylebridge_server.values import Frame, Instance, Pixels, Plane, Rgb

BACKGROUND = 0  # the background's id
_AS_FOUND: Mapping[str, Any] = {"matte_grow": 0.0, "edge_softness": 0.0, "z_order": 0}
_Z_RANGE = 1 << 40  # more than any z and z-order


@dataclass(frozen=True)
class Resolved:
    """A look bound to an analysis: which layer applies to which instance.

    Attributes:
        layers: by instance id, `BACKGROUND` for the background.
        instances: those that the look selects, by id.
        shot: the parameters of the whole shot.
        styles: style as the look says it, to what paints it.
        idle: nothing is styled on any frame of the shot.
        flow: what frames are followed by.
    """

    layers: Mapping[int, Layer]
    instances: Mapping[int, Instance]
    shot: Mapping[str, Any]
    styles: Mapping[str, style.Style]
    idle: bool
    flow: temporal.Flow = temporal.DIS

    @property
    def styled(self) -> tuple[int, ...]:
        """Ids of the instances that have layers, ascending: those with a style, however strong."""
        return tuple(sorted(one for one, layer in self.layers.items() if layer.has_style))


def resolve(
    look: Look,
    shot: AnyShot | Proxy,
    analysis: Analysis | None,
    find: Callable[[str], style.Style],
    flow: temporal.Flow = temporal.DIS,
) -> Resolved:
    """Bind a look to the instances of an analysis and its styles to what paints them.

    Args:
        look: checked already.
        shot: what it is applied to.
        analysis: of the shot; None for a camera, which has no instances.
        find: gives the style that a look's word means: a preset, a network, a picture.
        flow: what frames are followed by.

    Raises:
        StylebridgeError: unknown_instance, unknown_style, or what reading a style picture raises.
    """
    instances = {one.id: one for one in (analysis.instances if analysis else ())}
    chosen = look.resolve(instances.values())
    return Resolved(
        layers={BACKGROUND: look.background, **chosen},
        instances={identifier: instances[identifier] for identifier in chosen},
        shot=look.shot,
        styles={name: find(name) for name in look.styles},
        idle=all(layer.is_idle(shot.info.first, shot.info.last) for layer in look.layers),
        flow=flow,
    )


def render(
    shot: AnyShot | Proxy, analysis: Analysis | None, look: Resolved, number: int, streams: Streams
) -> Frame:
    """The styled frame.

    Where no layer takes part the source's own bits come back, and no network runs where none does anywhere.

    Args:
        shot: the source.
        analysis: of the shot; None for a camera.
        look: from `resolve`.
        number: frame, the source's own number.
        streams: of the shot.

    Returns:
        The frame, its pixels in the source's dtype. All frames of a look have the same channels: a grey source
        comes back in colour unless the whole look is idle.

    Raises:
        StylebridgeError: as reading the source does.
    """
    source = shot.read(number)
    if look.idle:
        return source
    active = {one: layer for one, layer in look.layers.items() if layer.amount(number) > 0}
    if not active:
        return Frame(number, composite.composite(source.pixels, []))
    shares = shares_of(shot, analysis, look, number)
    # A layer whose share is empty on this frame has nothing to style.
    active = {one: layer for one, layer in active.items() if shares[one].any()}
    step()
    seen = shot.display(number)
    layers = []
    for one, layer in active.items():
        styled = _styled(look, layer.at(number), number, streams, shares[one], seen)
        step()
        styled = shot.encoding.back(styled, seen, source.pixels)
        layers.append((shares[one], layer.amount(number), styled))
    premultiplied = shot.info.alpha == "premultiplied"
    return Frame(number, composite.composite(source.pixels, layers, premultiplied))


def render_layer(
    shot: AnyShot | Proxy,
    look: Resolved,
    one: int,
    number: int,
    streams: Streams,
    share: Plane,
    samples: str | None = None,
) -> Pixels:
    """One instance's layer at full strength: its styled picture times its matte, with the matte as alpha.

    Args:
        shot, look, number, streams: as for `render`.
        one: the instance's id, one of `Resolved.styled`.
        share: its m_i, of `shares_of`.
        samples: sample type of the result, None for the shot's own.

    Returns:
        (H, W, 4); see `composite.layer`.

    Raises:
        StylebridgeError: as reading the source does.
    """
    dtype = samples or shot.info.dtype
    if not share.any():
        return np.zeros((*share.shape, 4), dtype)
    pixels = shot.read(number).pixels
    mixed = np.isfinite(pixels).all(axis=-1)
    if shot.info.alpha == "premultiplied":
        mixed &= pixels[..., -1] > 0
    if not mixed.all():
        share = np.where(mixed, share, np.float32(0))  # the composite leaves the others alone too
    seen = shot.display(number)
    styled = _styled(look, look.layers[one].at(number), number, streams, share, seen)
    step()
    styled = shot.encoding.back(styled, seen, pixels)
    return composite.layer(share, styled, dtype)


def _styled(
    look: Resolved, values: Mapping[str, Any], number: int, streams: Streams, share: Plane, seen: Rgb
) -> Rgb:
    """What is painted over what was seen, right where the share is above 0; `Encoding.back` makes S_i of it."""
    spec = StreamSpec(
        style=look.styles[values["style"]],
        stroke=values["stroke_size"],
        window=look.shot["window"],
        steadiness=look.shot["steadiness"],
        flow=look.flow,
    )
    styled = streams.picture(spec, number, values["detail"], share)
    return colour.keep(styled, seen, values["colour_keep"]) if values["colour_keep"] > 0 else styled


def shares_of(
    shot: AnyShot | Proxy, analysis: Analysis | None, look: Resolved, number: int, every: bool = False
) -> dict[int, Plane]:
    """m_i by instance id: (H, W) float32 planes that together are 1.

    Args:
        every: give those instances a share too that the look does not select, as they are and below the others, in
            place of counting them as background.
    """
    size = shot.info.height, shot.info.width
    instances = dict(look.instances)
    if analysis is not None and every:
        instances |= {one.id: one for one in analysis.instances if one.id not in instances}
    if analysis is None or not instances:
        return {BACKGROUND: np.ones(size, np.float32)}
    scale = shot.scale if isinstance(shot, Proxy) else 1
    placed = []
    for identifier, instance in instances.items():
        selected = identifier in look.instances
        values = look.layers[identifier].at(number) if selected else _AS_FOUND
        matte = analysis.matte(identifier, number).astype(np.float32) / np.float32(255)
        matte = shrink_matte(matte, scale)
        thousandth = size[0] / 1000
        placed.append(
            (
                matte,
                (0 if selected else -_Z_RANGE) + instance.z + values["z_order"],
                values["matte_grow"] * thousandth,
                values["edge_softness"] * thousandth,
                True,
            )
        )
    shares, background = composite.resolve_mattes(placed)
    return {BACKGROUND: background, **dict(zip(instances, shares, strict=True))}
