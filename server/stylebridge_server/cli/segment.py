"""`stylebridge segment`: the instances of a clip, listed, on a contact sheet and as mattes."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylebridge.client import Analysis, Client, Shot
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.cli import mattes_out
from stylebridge_server.cli.progress import progress
from stylebridge_server.cli.reading import Reading
from stylebridge_server.cli.sheet import ContactSheet, chosen, instances_of, overlay, thumbnail
from stylebridge_server.shot.looks import load_look
from stylebridge_server.shot.shown import as_rgb8
from stylebridge_server.values import Instance


@dataclass(frozen=True)
class Wanted:
    """What the options say.

    Attributes:
        out: folder for the sheet and the mattes; None writes the sheet only, into the current folder.
        look: a look whose prompts point at the things; None finds them.
        segmenter: a back end or an installed network; None for the look's, or "auto".
        export: one of `mattes_out.FORMATS`; None for PNG.
        json: whether the list is printed as JSON.
    """

    out: Path | None = None
    look: Path | None = None
    segmenter: str | None = None
    export: str | None = None
    json: bool = False


def run(source: str, wanted: Wanted, server: str | None, quiet: bool, read_as: Reading) -> str:
    """Find the instances of a clip.

    Args:
        source: path or pattern.
        wanted: see there.
        read_as: colour space and alpha of the source, where they were said.

    Returns:
        What was found and written, for people, or as JSON.

    Raises:
        StylebridgeError: as opening and analysing do; BAD_VALUE for a format that there is not.
    """
    if wanted.export is not None:
        mattes_out.check(wanted.export)
        if wanted.out is None:
            raise StylebridgeError(Code.BAD_VALUE, "Mattes are exported into a folder: name one with --out.")
    data = load_look(wanted.look).to_data() if wanted.look else {}
    folder = wanted.out or Path()
    written = ""
    with (
        read_as.open(source) as opened,
        progress(quiet) as report,
        Client.connect(server) as client,
    ):
        shot = client.open_shot(source, progress=report, **read_as.options())
        encoding = read_as.encoding(shot)
        segmenter = wanted.segmenter or data.get("shot", {}).get("segmenter", "auto")
        cuts = data.get("shot", {}).get("cuts")
        analysis = client.analyse(
            shot, data.get("prompt", []), segmenter, report, data.get("matte", []), cuts
        )
        found = instances_of(analysis)
        folder.mkdir(parents=True, exist_ok=True)
        mattes = _Mattes(client, shot, analysis, found)
        sheet = ContactSheet(f"{Path(source).name}: instances", ["source", "instances"])
        for number in chosen(shot.frames[0], shot.frames[-1]):
            original = as_rgb8(opened.read(number), encoding)
            here = mattes.of(number)
            sheet.add(
                f"frame {number}", [original, overlay(original, [(one, here[one.id]) for one in found])]
            )
        for one in found:
            number = (one.first + one.last) // 2
            small = thumbnail(as_rgb8(opened.read(number), encoding), mattes.of(number)[one.id], one.colour)
            sheet.thumbnails.append((f"{one.id}  {one.name}", small))
        if wanted.out is not None and found:
            form = wanted.export or mattes_out.FORMATS[0]
            written = mattes_out.export(form, folder, _stem(source), found, shot.frames, mattes.of)
    path = folder / f"{_stem(source)}.instances.png"
    sheet.save(path)
    if wanted.json:
        return json.dumps(_listed(analysis, found, path), indent=2)
    return "\n".join([*_table(analysis, found), *([written] if written else []), f"{path}: contact sheet."])


def _stem(source: str) -> str:
    """What files are called after a source: its name without frame numbers and ending."""
    return re.sub(r"[._-]?(#+|%0?\d*d|%[vV])", "", Path(source).stem) or "shot"


class _Mattes:
    """Mattes of all instances frame by frame, asked for from the server."""

    def __init__(self, client: Client, shot: Shot, analysis: Analysis, found: list[Instance]) -> None:
        self._client, self._shot, self._analysis, self._found = client, shot, analysis, found

    def of(self, number: int) -> dict[int, NDArray[np.uint8]]:
        out = {}
        for one in self._found:
            (picture,) = self._client.mattes(self._shot, self._analysis, one.id, [number])
            out[one.id] = np.asarray(picture)[..., 0]
        return out


def _table(analysis: Analysis, found: list[Instance]) -> list[str]:
    if not found:
        return [
            f"No instance was found (by {analysis.segmenter}); the background is the whole picture and can be styled. "
            "Point at a thing with a prompt in a look (--look)."
        ]
    rows = [("id", "name", "label", "frames", "size")] + [
        (str(one.id), one.name, one.label or "-", f"{one.first} to {one.last}", f"{one.area:.1%}")
        for one in found
    ]
    wide = [max(len(row[k]) for row in rows) for k in range(5)]
    lines = [
        f"{row[0]:>{wide[0]}}  {row[1]:<{wide[1]}}  {row[2]:<{wide[2]}}  {row[3]:<{wide[3]}}  {row[4]:>{wide[4]}}"
        for row in rows
    ]
    return [*lines, f"Found by {analysis.segmenter}."]


def _listed(analysis: Analysis, found: list[Instance], sheet: Path) -> dict[str, Any]:
    return {
        "analysis": analysis.id,
        "segmenter": analysis.segmenter,
        "instances": [{**asdict(one), "colour": list(one.colour)} for one in found],
        "sheet": str(sheet),
    }
