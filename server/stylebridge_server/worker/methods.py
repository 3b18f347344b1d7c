"""What `optimise:PICTURE` and `optimise:SETTINGS.toml` mean: method, style pictures and loss network together."""

from __future__ import annotations

from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion
from stylebridge_models import installed
from stylebridge_models.installed import Card
from stylebridge_models.loss_networks import LossNetwork, of_card
from stylebridge_server import colour, media, style
from stylebridge_server.worker.inputs import Opener, said_as

_LARGEST = 1 << 16  # bytes of settings
_KEPT = 4  # methods held in memory
BEST = ("vgg19", "vgg16", "squeezenet")  # loss networks, the best first

# Of every file that a method is made from: its place, time and size; and the loss network's version.
_Mark = tuple[tuple[str, int, int] | str, ...]


class Methods:
    """Opens methods; the last few are kept until one of their files changes.

    Args:
        device: where they run.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._known: dict[_Mark, style.ChainStyle] = {}
        self._judges: dict[str, LossNetwork] = {}

    def find(self, opener: Opener, word: str | None) -> style.ChainStyle:
        """The style of what stands after the colon: a picture, or settings in TOML that name pictures beside them.

        Raises:
            StylebridgeError: NOT_FOUND for a picture, settings or a loss network that is not here; BAD_VALUE for
                settings that make no sense; as reading a picture does.
        """
        if not word:
            raise StylebridgeError(
                Code.BAD_VALUE,
                "Optimising needs to know what the style is: write optimise:PICTURE or optimise:SETTINGS.toml.",
            )
        files: list[Path] = []
        if Path(word).suffix.lower() == ".toml":
            path = _there(opener, word)
            files.append(path)
            with said_as(word, path):
                method = style.parse_method(_text(path, word), word)
            words = [str(Path(word).parent / one) for one in method.pictures]
        else:
            method, words = style.Method(pictures=(word,)), [word]
        pictures = [_there(opener, one) for one in words]
        card = _loss_network(method.loss_network)
        mark: _Mark = (card.version, *(_mark(path) for path in files + pictures))
        if mark not in self._known:
            loaded = []
            for path, one in zip(pictures, words, strict=True):
                with said_as(one, path):
                    loaded.append(colour.to_working(media.load_image(path).pixels))
            if card.version not in self._judges:
                self._judges = {card.version: of_card(card)}
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[mark] = style.chain_style(method, loaded, self._judges[card.version], self._device)
        return self._known[mark]


def loss_networks() -> dict[str, Card]:
    """The loss networks that are installed, by name, the best first."""
    found = [card for card in installed.models().values() if card.kind in BEST]
    return {card.name: card for card in sorted(found, key=lambda card: BEST.index(card.kind))}


def _loss_network(name: str) -> Card:
    known = loss_networks()
    if not known:
        raise StylebridgeError(
            Code.NOT_FOUND,
            "No loss network is installed, which optimising needs: `stylebridge models import FILE --name vgg19` "
            "installs a VGG-16, VGG-19 or SqueezeNet in torchvision's form.",
        )
    if name and name not in known:
        raise StylebridgeError(
            Code.NOT_FOUND, f"No loss network named {name!r} is installed: {suggestion(name, known)}"
        )
    return known[name] if name else next(iter(known.values()))


def _there(opener: Opener, word: str) -> Path:
    path = opener(word)
    if not path.is_file():
        raise StylebridgeError(
            Code.NOT_FOUND, f"There is no file {word}, which the style names: check the path."
        )
    return path


def _mark(path: Path) -> tuple[str, int, int]:
    state = path.stat()
    return str(path), state.st_mtime_ns, state.st_size


def _text(path: Path, word: str) -> str:
    if path.stat().st_size > _LARGEST:
        raise StylebridgeError(Code.TOO_LARGE, f"{word} is too large to be settings in TOML.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise StylebridgeError(Code.NOT_READABLE, f"{word} is not a text in TOML.") from None
