"""MicroAST, the peer that figures are given against, from the files of its release."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from stylebridge_models import microast

FOLDER = "STYLEBRIDGE_MICROAST"  # environment variable: folder of MicroAST's four files


def network() -> microast.MicroAst | None:
    """MicroAST, eager as published; None where nobody says where it is."""
    if FOLDER not in os.environ:
        return None
    parts = {}
    for part in microast.PARTS:
        (path,) = sorted(Path(os.environ[FOLDER]).glob(f"{part}*.pth*"))
        parts[part] = torch.load(path, map_location="cpu", weights_only=True)
    return microast.MicroAst(parts)
