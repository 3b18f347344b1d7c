"""What the words for styles mean on this server: a preset, an installed network, a picture, or network and picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion
from stylebridge_models import installed
from stylebridge_models.installed import Card
from stylebridge_server import media, style
from stylebridge_server.worker.inputs import Opener, said_as
from stylebridge_server.worker.methods import Methods, loss_networks

#: Pictures whose styles are kept; the oldest goes first.
PICTURES_LIMIT = 256

_Mark = tuple[str, str, int, int]  # a network's version or nothing, and a picture's path, time and size


class Styles:
    """Finds styles by the words of looks.

    Networks are looked up anew for every request, so that one imported meanwhile is known.

    Args:
        engine: the embedded network.
        device: where installed networks run.
    """

    def __init__(self, engine: style.Engine, device: str) -> None:
        self._engine = engine
        self._networks = style.Installed(device)
        self._methods = Methods(device)
        self._pictures: dict[_Mark, style.Style] = {}

    def find(self, opener: Opener, models: Mapping[str, str], word: str) -> style.Style:
        """The style that a word means.

        Args:
            opener: gives the files of pictures.
            models: the look's versions of models by name; an installed network that it lacks is taken as it is now.
            word: the look's word.

        Raises:
            StylebridgeError: UNKNOWN_STYLE; NOT_FOUND for a picture or a version that is not here; as opening the
                network and reading the picture do.
        """
        name, picture = effect.split_style(word)
        presets = self._engine.presets()
        if picture is None and name in presets:
            return style.CodeStyle(presets[name].code)
        if name == style.OPTIMISE:
            return self._methods.find(opener, picture)
        card = None
        if name is not None:
            card = self._card(name, models.get(name))
            style.check_picture(card, picture is not None)
        if picture is None:
            assert card is not None
            return self._networks.style(card)
        path = opener(picture)
        with said_as(picture, path):
            return self._of_picture(path, picture, card)

    def describe(self) -> dict[str, Any]:
        """For the answer to `describe`: styles, networks that paint after a picture, versions of models."""
        styles = [
            {"name": one.name, "title": one.title, "credit": one.credit}
            for one in self._engine.presets().values()
        ]
        cards = _installed().values()
        styles += [
            {
                "name": card.name,
                "title": card.name,
                "credit": f"installed, {card.kind}, licence {card.licence}",
            }
            for card in cards
            if not style.needs_picture(card)
        ]
        return {
            "styles": styles,
            "networks": [card.name for card in cards if style.needs_picture(card)]
            + ([style.OPTIMISE] if loss_networks() else []),
            "models": {"style": self._engine.checksum, **{card.name: card.version for card in cards}},
        }

    @property
    def runs(self) -> dict[str, int]:
        """How often networks ran since the start."""
        return {**self._engine.runs, "frames": self._networks.runs}

    def _card(self, name: str, version: str | None) -> Card:
        known = _installed()
        if name not in known:
            presets = self._engine.presets()
            if name in presets:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"The style '{name}' is a preset and takes no picture: name the preset or the picture.",
                )
            words = [*presets, *known]
            raise StylebridgeError(
                Code.UNKNOWN_STYLE,
                f"There is no style named '{name}': {suggestion(name, words)} "
                "A picture as style is given by its path.",
            )
        return known[name] if version is None else installed.find(name, version)

    def _of_picture(self, path: Path, word: str, card: Card | None) -> style.Style:
        """The style of a picture; kept until the file changes."""
        try:
            state = path.stat()
        except OSError:
            raise StylebridgeError(
                Code.NOT_FOUND, f"The style image {word} does not exist: check the path, or name a preset."
            ) from None
        mark = (card.version if card else "", str(path), state.st_mtime_ns, state.st_size)
        if mark not in self._pictures:
            pixels = media.load_image(path).pixels
            while len(self._pictures) >= PICTURES_LIMIT:
                del self._pictures[next(iter(self._pictures))]
            self._pictures[mark] = (
                style.CodeStyle(self._engine.code(pixels))
                if card is None
                else self._networks.style(card, pixels)
            )
        return self._pictures[mark]


def _installed() -> dict[str, Card]:
    """The networks that paint, by name."""
    return {name: card for name, card in installed.models().items() if style.is_style(card)}
