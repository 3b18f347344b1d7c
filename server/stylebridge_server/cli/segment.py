"""`stylebridge segment`: the instances of a clip, as a contact sheet and as mattes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stylebridge.client import Client
from stylebridge_server import media
from stylebridge_server.cli.progress import progress
from stylebridge_server.cli.reading import Reading
from stylebridge_server.cli.sheet import ContactSheet, chosen, instances_of, overlay
from stylebridge_server.shot.looks import load_look
from stylebridge_server.shot.shown import as_rgb8


def run(
    source: str,
    out: Path | None,
    look: Path | None,
    server: str | None,
    quiet: bool,
    read_as: Reading,
) -> str:
    """Find the instances of a clip.

    Args:
        source: path or pattern.
        out: folder for the sheet and the mattes, `<name>.<frame>.png`; None writes the sheet only, beside the
            source's name in the current folder.
        look: a look whose prompts point at the things; None finds them.
        read_as: colour space and alpha of the source, where they were said.

    Returns:
        What was found and written, for people.

    Raises:
        StylebridgeError: as opening and analysing do.
    """
    data = load_look(look).to_data() if look else {}
    folder = out or Path()
    with (
        read_as.open(source) as opened,
        progress(quiet) as report,
        Client.connect(server) as client,
    ):
        shot = client.open_shot(source, progress=report, **read_as.options())
        encoding = read_as.encoding(shot)
        segmenter = data.get("shot", {}).get("segmenter", "auto")
        analysis = client.analyse(shot, data.get("prompt", []), segmenter, report, data.get("matte", []))
        found = instances_of(analysis)
        frames = shot.frames
        folder.mkdir(parents=True, exist_ok=True)
        shown = chosen(frames[0], frames[-1])
        mattes = {}
        for one in found:
            mattes[one.id] = [np.asarray(m)[..., 0] for m in client.mattes(shot, analysis, one.id, shown)]
            if out is not None:
                name = one.name.replace(":", "-")
                for picture in client.mattes(shot, analysis, one.id, frames):
                    media.save_image(folder / f"{name}.{picture.number:04d}.png", np.asarray(picture))
        sheet = ContactSheet(f"{Path(source).name}: instances", ["source", "instances"])
        for place, number in enumerate(shown):
            original = as_rgb8(opened.read(number), encoding)
            drawn = overlay(original, [(one, mattes[one.id][place]) for one in found])
            sheet.add(f"frame {number}", [original, drawn])
    path = folder / f"{Path(source).stem}.instances.png"
    sheet.save(path)
    rows = [
        f"{one.id:>3}  {one.name:<16} frames {one.first} to {one.last}, {one.area:.1%} of the picture"
        for one in found
    ]
    if not rows:
        rows = ["No instance was found: point at one with a prompt in a look (--look)."]
    if out is not None and found:
        rows.append(f"{folder}: {len(found) * len(frames)} mattes.")
    return "\n".join([*rows, f"{path}: contact sheet."])
