"""Which back ends there are on this machine, and the best of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion
from stylebridge_models import installed, segmentation
from stylebridge_models.installed import Card
from stylebridge_server.segment.detections import Finder
from stylebridge_server.segment.interface import Segmenter

MEBIBYTE = 1 << 20
# The best first, where nothing is pointed at.
BEST = (
    segmentation.MASKRCNN,
    segmentation.YOLACT,
    segmentation.INSTANCES,
    segmentation.DEEPLAB,
    segmentation.ESPNETV2,
)
# Peak beside the weights, MiB: estimates for pictures of the largest size at which each looks, on the safe side.
_WORKING = {
    segmentation.MASKRCNN: 1600,
    segmentation.YOLACT: 700,
    segmentation.DEEPLAB: 1500,
    segmentation.ESPNETV2: 500,
    segmentation.INSTANCES: 2000,
    segmentation.SAM: 4000,
}


def cards() -> dict[str, Card]:
    """The installed networks that find things, by name."""
    return {name: card for name, card in installed.models().items() if card.kind in segmentation.WHAT}


def best(pointed: bool) -> Card | None:
    """The network that "auto" means.

    Args:
        pointed: whether there are prompts: then SAM, which cuts out what they point at, else what finds by itself.
    """
    known = cards()
    for kind in (segmentation.SAM,) if pointed else BEST:
        card = of_kind(kind, known)
        if card is not None:
            return card
    return None


def of_kind(kind: str, known: dict[str, Card]) -> Card | None:
    """The network of a kind: the one that is named so, or else the first by name."""
    if kind in known and known[kind].kind == kind:
        return known[kind]
    return next((card for _, card in sorted(known.items()) if card.kind == kind), None)


def named(name: str, device: str) -> Segmenter:
    """The back end of that kind, or the installed network of that name, "name@version" for an earlier one.

    Raises:
        StylebridgeError: BAD_VALUE where there is none; NOT_FOUND for a version that is not there.
    """
    known = cards()
    base, _, version = name.partition("@")
    card = known.get(base) or of_kind(base, known)
    if card is None:
        if base in segmentation.WHAT:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"No network of the kind '{base}' is installed: `stylebridge models import FILE --name {base}` "
                "takes in one that you have, `stylebridge models pull` fetches those that can be fetched.",
            )
        words = ["auto", "embedded", "host", "none", *segmentation.WHAT, *known]
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"There is no segmenter '{name}': {suggestion(base, words)}",
        )
    return opened(installed.find(card.name, version) if version else card, device)


def opened(card: Card, device: str) -> Segmenter:
    """The back end that an installed network is; its file is read when it is first needed."""
    memory = 2 * card.bytes + _WORKING[card.kind] * MEBIBYTE
    if card.kind == segmentation.SAM:
        from stylebridge_server.segment.sam import Sam

        return Sam(card, lambda: _network(card).to(device), memory)
    from stylebridge_server.segment.network import Network

    return Network(card.kind, card, partial(_OPENERS[card.kind], card, device), memory)


def _network(card: Card):  # type: ignore[no-untyped-def]
    return segmentation.load(card.kind, card.settings, installed.load(card))


def _maskrcnn(card: Card, device: str) -> Finder:
    from stylebridge_server.segment.maskrcnn import MaskRcnn

    return MaskRcnn(_network(card), card.settings["labels"], device)


def _yolact(card: Card, device: str) -> Finder:
    from stylebridge_server.segment.yolact import YolactFinder

    return YolactFinder(_network(card), card.settings["backbone"], card.settings["labels"], device)


def _deeplab(card: Card, device: str) -> Finder:
    from stylebridge_server.segment.semantic import DEEPLAB_SIDE, Semantic

    return Semantic(_network(card), card.settings["labels"], DEEPLAB_SIDE, device)


def _espnetv2(card: Card, device: str) -> Finder:
    from stylebridge_server.segment.semantic import ESPNETV2_EVERY, ESPNETV2_SIDE, Semantic

    return Semantic(_network(card), card.settings["labels"], ESPNETV2_SIDE, device, ESPNETV2_EVERY)


def _instances(card: Card, device: str) -> Finder:
    from stylebridge_server.segment.onnx import OnnxInstances

    return OnnxInstances(installed.read(card), card.settings, device, str(installed.path_of(card)))


_OPENERS: dict[str, Callable[[Card, str], Finder]] = {
    segmentation.MASKRCNN: _maskrcnn,
    segmentation.YOLACT: _yolact,
    segmentation.DEEPLAB: _deeplab,
    segmentation.ESPNETV2: _espnetv2,
    segmentation.INSTANCES: _instances,
}
