"""The settings of optimisation-based transfer: what a file such as `oils.toml` says, written `optimise:oils.toml`.

docs/styles.md explains every key. A picture in the file's place (`optimise:painting.jpg`) means the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import shown, suggestion
from stylebridge_server.settings import filled

from .terms import GRAM, STYLE_KINDS

OPTIMISE = "optimise"  # the word that stands before the colon

WARPED, CONTENT, NOISE = "warped", "content", "noise"
LBFGS, ADAM = "lbfgs", "adam"
PIXELS = "pixels"  # a temporal "layer": the picture itself

# Where a setting names no layers: the first of these that the loss network's file has; and all of these that it has.
CONTENT_LAYERS = ("relu4_2", "relu3_2", "relu2_2", "fire5")
STYLE_LAYERS = (
    "relu1_1",
    "relu2_1",
    "relu3_1",
    "relu4_1",
    "relu5_1",
    "relu1",
    "fire2",
    "fire4",
    "fire6",
    "fire8",
)

_CHOICES = {
    "style_kind": STYLE_KINDS,
    "start": (WARPED, CONTENT, NOISE),
    "first": (CONTENT, NOISE),
    "optimiser": (LBFGS, ADAM),
    "reconstruct": ("", "content", "style"),
}
_LEAST = {"steps": 1, "style_side": 32, "levels": 1}
_MOST = {"steps": 10_000, "style_side": 2048, "levels": 5}


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a picture is optimised.

    Attributes:
        pictures, picture_weights: the style; weights are relative to one another, none given counts all alike.
        style_side: longest short side at which style pictures are looked at.
        loss_network: name of an installed one; empty for the best that is installed.
        style, content, variation, temporal: weights of the losses.
        style_layers, content_layers, temporal_layers, and their weights: empty for the network's usual ones.
        style_kind: Gram matrices or means and deviations.
        start: what a frame begins as: the frame before it warped by flow, the frame itself, or noise.
        first: what a scene's first frame begins as, where others begin as the frame before.
        optimiser, rate, steps: L-BFGS or Adam; Adam's rate; steps at most.
        stop: ends early when ten steps have taken the loss down by less than this share.
        levels: begins at the size halved so often less one, then goes on at twice the size.
        reconstruct: "content" or "style" alone, from noise: shows what the layers hold.
        seed: of the noise.
    """

    pictures: tuple[str, ...]
    picture_weights: tuple[float, ...] = ()
    style_side: int = 512
    loss_network: str = ""
    style: float = 20.0
    content: float = 1.0
    variation: float = 0.05
    temporal: float = 5.0
    style_layers: tuple[str, ...] = ()
    style_layer_weights: tuple[float, ...] = ()
    content_layers: tuple[str, ...] = ()
    content_layer_weights: tuple[float, ...] = ()
    temporal_layers: tuple[str, ...] = (PIXELS, "relu1_1", "relu2_1")
    temporal_layer_weights: tuple[float, ...] = ()
    style_kind: str = GRAM
    start: str = WARPED
    first: str = CONTENT
    optimiser: str = LBFGS
    rate: float = 0.02
    steps: int = 200
    stop: float = 0.005
    levels: int = 2
    reconstruct: str = ""
    seed: int = 0

    @property
    def linked(self) -> bool:
        """Whether a frame needs the one before it."""
        return not self.reconstruct and (self.start == WARPED or self.temporal > 0)

    def check(self, where: str) -> None:
        """Refuses values that make no sense; StylebridgeError BAD_VALUE, naming file and key."""

        def bad(key: str, wanted: str) -> StylebridgeError:
            return StylebridgeError(
                Code.BAD_VALUE, f"{where} sets {key} to {shown(getattr(self, key))}: {wanted}"
            )

        for key, known in _CHOICES.items():
            value = getattr(self, key)
            if value not in known:
                raise bad(key, suggestion(value, [one for one in known if one]))
        for key, least in _LEAST.items():
            if not least <= getattr(self, key) <= _MOST[key]:
                raise bad(key, f"it takes {least} to {_MOST[key]}.")
        for key in ("style", "content", "variation", "temporal", "stop"):
            if getattr(self, key) < 0:
                raise bad(key, "it takes 0 or more.")
        if not self.rate > 0:
            raise bad("rate", "it takes a number above 0.")
        if not (self.style or self.content):
            raise bad("style", "style and content cannot both be 0.")
        for key, of in (
            ("picture_weights", "pictures"),
            ("style_layer_weights", "style_layers"),
            ("content_layer_weights", "content_layers"),
            ("temporal_layer_weights", "temporal_layers"),
        ):
            weights, count = getattr(self, key), len(getattr(self, of))
            if weights and (len(weights) != count or min(weights) < 0 or not sum(weights) > 0):
                raise bad(key, f"it takes one number for each of the {count} {of}, none below 0, not all 0.")
        if not self.pictures and self.reconstruct != "content":
            raise bad("pictures", "name at least one picture.")


def parse(text: str, where: str) -> Method:
    """Settings from TOML.

    Args:
        where: names the file in sentences.

    Raises:
        StylebridgeError: NOT_READABLE (no TOML), BAD_VALUE (unknown key, wrong type or value).
    """
    try:
        values = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        raise StylebridgeError(Code.NOT_READABLE, f"{where} is not TOML: {error}.") from None
    method = filled(Method, {"pictures": [], **values}, where)
    method.check(where)
    return method
