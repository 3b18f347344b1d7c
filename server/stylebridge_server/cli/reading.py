"""How a command's source is to be read, where its options say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stylebridge.client import Shot
from stylebridge.configs import BUILT_IN, config_of, packed
from stylebridge_server import media
from stylebridge_server.colour import Config, Encoding, encode_declared
from stylebridge_server.values import SourceInfo


@dataclass(frozen=True)
class Reading:
    """The options --colour, --alpha, --config, --layer, --view, --gaps and --deinterlace; None where not given."""

    colour: str | None = None
    alpha: str | None = None
    config: str | None = None
    layer: str | None = None
    view: str | None = None
    gaps: str | None = None
    deinterlace: str | None = None

    def options(self) -> dict[str, Any]:
        """For `Client.open_shot`."""
        return {
            "colour": self.colour,
            "alpha": self.alpha,
            "config": self.config,
            "layer": self.layer,
            "view": self.view,
            "gaps": self.gaps,
            "deinterlace": self.deinterlace,
        }

    def open(self, source: str) -> media.Source:
        """The same source in this process; raises as `media.open_source`."""
        return media.open_source(
            source,
            layer=self.layer,
            view=self.view,
            gaps=self.gaps or "error",
            deinterlace=self.deinterlace or "refuse",
        )

    def said(self, info: SourceInfo) -> SourceInfo:
        """What a source declares, with what the options say of it."""
        return replace(info, colour=self.colour or info.colour, alpha=self.alpha or info.alpha)

    def encoding(self, shot: Shot) -> Encoding:
        """How this process reads the same pixels, to show them to people."""
        names = ("kind", "width", "height", "first", "last", "channels", "dtype", "colour", "alpha")
        info = SourceInfo(**{name: shot.info[name] for name in names})
        config = config_of(self.config, self.colour)
        if config is None:
            return encode_declared(info)
        if config.startswith(BUILT_IN):
            return encode_declared(info, config=Config.built_in(config))
        with TemporaryDirectory(prefix="stylebridge-") as folder:
            archive = Path(folder) / "config.ocioz"
            archive.write_bytes(packed(config))
            return encode_declared(info, config=Config.sent(archive, config))
