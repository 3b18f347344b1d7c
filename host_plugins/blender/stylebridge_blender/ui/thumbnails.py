"""Styles as pictures: each is shown by what it makes of a small swatch.

The server paints the swatch once for each style and model; the pictures are kept in the user's settings folder. Until
they are there, or without a server, styles are shown by their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

from .._bridge.stylebridge.client import Client
from .._bridge.stylebridge.keys import private_folder
from .._bridge.stylebridge.look import Look
from .._bridge.stylebridge.pixels import Picture
from ..engine import lanes, server
from ..engine.job import Job
from ..results import png

SWATCH = Path(__file__).with_name("swatch.png")

_previews: list[Any] = []  # Blender's collection, while the add-on is on
_shown: dict[str, int] = {}  # icons by style
_asked: set[str] = set()  # models whose pictures were asked for in this session


def load() -> None:
    """Called when the add-on is switched on."""
    _previews.append(bpy.utils.previews.new())


def unload() -> None:
    """Called when the add-on is switched off."""
    while _previews:
        bpy.utils.previews.remove(_previews.pop())
    _shown.clear()
    _asked.clear()


def icon(style: str) -> int:
    """Blender's number for a style's picture; 0 where there is none yet. Cheap enough to be called while drawing."""
    return _shown.get(style, 0)


def icon_of_picture(path: str) -> int:
    """The same for a picture of the user's own."""
    if not _previews or not Path(path).is_file():
        return 0
    collection = _previews[0]
    known = collection.get(path) or collection.load(path, path, "IMAGE")
    return int(known.icon_id)


def want() -> None:
    """Has the pictures of the server's styles made where they are not there. In the main thread."""
    styles = [style["name"] for style in server.state.abilities.get("styles", [])]
    model = server.state.abilities.get("models", {}).get("style", "")
    if not styles or not model or model in _asked or not _previews:
        return
    _asked.add(model)

    def work(job: Job) -> dict[str, Path]:
        folder = private_folder("thumbnails") / model[:16]
        folder.mkdir(exist_ok=True)
        return job.asking(lambda client: paint(client, styles, folder, job))

    lanes.submit(Job("Painting the styles' pictures", work, _take), "preview")


def paint(client: Client, styles: list[str], folder: Path, job: Job) -> dict[str, Path]:
    """The picture of each style, painted where it is not there yet. In a worker thread."""
    made = {style: folder / f"{style}.png" for style in styles}
    lacking = [style for style in styles if not made[style].is_file()]
    if lacking:
        shot = client.open_shot(SWATCH)
        analysis = client.analyse(shot, [], "none")
        for done, style in enumerate(lacking):
            job.progress(done, len(lacking), "style")
            look = Look.simple(style).to_data()
            for picture in client.render(shot, look, [shot.info["first"]], analysis=analysis):
                _write(picture, made[style])
    return made


def _write(picture: Picture, target: Path) -> None:
    part = target.with_suffix(".part")
    part.write_bytes(png.encode(picture))
    part.replace(target)


def _take(made: dict[str, Path]) -> str:
    for style, path in made.items():
        if _previews and style not in _previews[0]:
            _shown[style] = _previews[0].load(style, str(path), "IMAGE").icon_id
    return ""
