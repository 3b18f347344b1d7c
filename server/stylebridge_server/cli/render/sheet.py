"""The contact sheet of a render: source, instances, result."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stylebridge.client import Analysis, Client, Shot
from stylebridge_server import colour, media
from stylebridge_server.cli.sheet import ContactSheet, chosen, instances_of, overlay, shrunk
from stylebridge_server.shot.shown import as_rgb8
from stylebridge_server.values import Frame, Rgb8


class Sheet:
    """Gathers the frames of a sheet as they are made.

    Args:
        path: of the sheet.
        title: its heading.
        client, shot, analysis: give the mattes, once the frames are there.
        source: gives the pictures as they were.
        frames: that are written, first and last.
        encoding: how the pixels of both are read.

    Attributes:
        shown: the numbers of the frames that it shows.
    """

    def __init__(
        self,
        path: Path,
        title: str,
        client: Client,
        shot: Shot,
        analysis: Analysis,
        source: media.Source,
        frames: tuple[int, int],
        encoding: colour.Encoding,
    ) -> None:
        self._path = path
        self._title = title
        self._client = client
        self._shot = shot
        self._analysis = analysis
        self._source = source
        self.shown = set(chosen(*frames))
        self._encoding = encoding
        self._results: list[tuple[int, Rgb8]] = []

    def see(self, result: Frame) -> None:
        """Remember a frame, shrunk, if it is one of those that the sheet shows."""
        seen = {number for number, _ in self._results}  # by the first view, of several
        if result.number in self.shown - seen:
            self._results.append((result.number, shrunk(as_rgb8(result, self._encoding))))

    def save(self) -> None:
        """Fetch the mattes of the frames remembered, and write the sheet."""
        self._results.sort(key=lambda one: one[0])
        numbers = [number for number, _ in self._results]
        found = instances_of(self._analysis)
        mattes = {
            one.id: [
                np.asarray(m)[..., 0]
                for m in self._client.mattes(self._shot, self._analysis, one.id, numbers)
            ]
            for one in found
        }
        sheet = ContactSheet(self._title, ["source", "instances", "result"])
        for place, (number, result) in enumerate(self._results):
            original = as_rgb8(self._source.read(number), self._encoding)
            drawn = overlay(original, [(one, mattes[one.id][place]) for one in found])
            sheet.add(f"frame {number}", [original, drawn, result])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(self._path)
