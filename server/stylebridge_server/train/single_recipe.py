"""The recipe of a network for one style (Johnson). Every key is explained in docs/training.md."""

from __future__ import annotations

from dataclasses import dataclass

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion
from stylebridge_models import johnson, loss_networks
from stylebridge_server.style.terms import GRAM, STYLE_KINDS

from .recipe import Schedule

CONTENT_LAYERS = {"vgg16": ("relu2_2",), "vgg19": ("relu2_2",), "squeezenet": ("fire4",)}
STYLE_LAYERS = {
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    "vgg19": ("relu1_2", "relu2_2", "relu3_4", "relu4_4"),
    "squeezenet": ("relu1", "fire3", "fire5", "fire8"),
}
TEACHERS = ("", "microast")


@dataclass(frozen=True, kw_only=True)
class SingleRecipe(Schedule):
    """One network for one style. Paths are relative to the recipe's own folder."""

    # what is learnt from
    pictures: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    sceneflow: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    style_pictures: tuple[str, ...] = ()
    style_weights: tuple[float, ...] = ()
    style_side: int = 512
    # the network
    normalisation: str = johnson.FILTER_RESPONSE
    widths: tuple[int, ...] = johnson.WIDTHS
    blocks: int = johnson.BLOCKS
    # the loss network
    loss_network: str = "vgg19"
    loss_weights: str = ""
    loss_inputs: str = ""
    content_layers: tuple[str, ...] = ()
    content_layer_weights: tuple[float, ...] = ()
    style_layers: tuple[str, ...] = ()
    style_layer_weights: tuple[float, ...] = ()
    style_kind: str = GRAM
    # the teacher
    teacher: str = ""
    teacher_weights: str = ""
    # steps
    epochs: float = 0.0
    batch: int = 4
    pairs: int = 0
    crop: int = 256
    smallest: float = 0.6
    readers: int = 2
    mixed_precision: bool = True
    # noise that must not show in the output
    noise_amount: float = 0.04
    noise_share: float = 1.0
    # weights of the losses
    content: float = 1.0
    style: float = 4.0
    variation: float = 0.02
    noise: float = 0.0
    temporal: float = 0.0
    taught: float = 0.0

    @property
    def content_names(self) -> tuple[str, ...]:
        return self.content_layers or CONTENT_LAYERS[self.loss_network]

    @property
    def style_names(self) -> tuple[str, ...]:
        return self.style_layers or STYLE_LAYERS[self.loss_network]

    def check(self) -> None:
        """Refuses values that do not fit one another; StylebridgeError BAD_VALUE, naming the key."""
        loss_networks.check_name(self.loss_network)
        for key, known in (
            ("normalisation", johnson.NORMALISATIONS),
            ("style_kind", STYLE_KINDS),
            ("teacher", TEACHERS),
        ):
            value = getattr(self, key)
            if value not in known:
                raise _bad(f"sets {key} to {value!r}: {suggestion(value, known)}")
        for key, count in (
            ("style_weights", len(self.style_pictures)),
            ("content_layer_weights", len(self.content_names)),
            ("style_layer_weights", len(self.style_names)),
        ):
            weights = getattr(self, key)
            if weights and (len(weights) != count or min(weights) < 0 or not sum(weights) > 0):
                raise _bad(
                    f"sets {key} to {len(weights)} numbers: it takes {count}, none below 0 and not all 0"
                )
        if not self.style_pictures:
            raise _bad("names no style: set style_pictures, or give --styles PICTURE")
        for key, least in (
            ("steps", 1),
            ("crop", 32),
            ("style_side", 16),
            ("blocks", 1),
            ("readers", 0),
            ("pairs", 0),
        ):
            if getattr(self, key) < least:
                raise _bad(f"sets {key} to {getattr(self, key)}: it takes {least} or more")
        if len(self.widths) != 3 or min(self.widths) < 1:
            raise _bad("sets widths to something else than three numbers of channels above 0")
        if not 0 < self.smallest <= 1 or not 0 <= self.noise_share <= 1 or self.noise_amount < 0:
            raise _bad("sets smallest or noise_share outside 0 to 1, or noise_amount below 0")
        if self.crop % johnson.STRIDE:
            raise _bad(f"sets crop to {self.crop}: it takes multiples of {johnson.STRIDE}")
        if self.temporal and not self.pairs:
            raise _bad("weighs temporal without pairs: set pairs to how many pairs of frames a step takes")
        if self.batch < 0 or self.batch + self.pairs < 1:
            raise _bad("takes no picture a step: set batch, pairs or both above 0")
        if self.pairs and not (self.frames or self.clips or self.sceneflow):
            raise _bad("takes pairs of frames from nowhere: set frames, clips or sceneflow")
        if self.batch and not (self.pictures or self.frames or self.clips or self.sceneflow):
            raise _bad("names nothing to learn from: set pictures, or give --scenes FOLDER")
        if self.taught and not self.teacher:
            raise _bad("weighs taught without a teacher: set teacher")


def _bad(what: str) -> StylebridgeError:
    return StylebridgeError(Code.BAD_VALUE, f"The recipe {what}.")
