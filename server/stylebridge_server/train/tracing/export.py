"""Writes the trained networks where they ship."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import safetensors.torch

from stylebridge_models import registry

WHAT = {
    "look": ("embedded-look", "cuts out what a prompt points at, trained by this project"),
    "trace": ("embedded-trace", "follows what was cut out from frame to frame, trained by this project"),
}
_LICENCE = "Apache-2.0"


def export(part: str, averaged: Path, folder: Path = registry.FOLDER) -> None:
    """Write the averaged weights of a run as float16 into `folder`, and into its index, which may be missing.

    Args:
        part: "look" or "trace".
        averaged: the run's file of averaged weights.
        folder: where they go; by default where they ship.

    Raises:
        StylebridgeError: not_readable where the folder's index is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name, what = WHAT[part]
    state = safetensors.torch.load_file(averaged)
    path = folder / f"{name}.safetensors"
    path.write_bytes(safetensors.torch.save({key: value.half().contiguous() for key, value in state.items()}))
    index = registry.index(folder) if (folder / registry.INDEX).exists() else {}
    index[name] = registry.describe(path, name, _LICENCE, what)
    text = json.dumps([asdict(entry) for entry in index.values()], indent=1)
    (folder / registry.INDEX).write_text(text + "\n", encoding="utf-8")
