"""The weights that the project knows: where each file lies, its checksum and its licence.

`weights/index.json` lists what ships with the package; the export of a training run writes it. Files are
read with safetensors and JSON only, neither of which executes anything.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylebridge.errors import Code, StylebridgeError

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = Path(__file__).resolve().parent / "weights"
INDEX = "index.json"


@dataclass(frozen=True)
class WeightsFile:
    """One file of weights or codes.

    Attributes:
        name: what programs ask for.
        file: its name inside the folder of weights.
        sha256: hexadecimal checksum of the whole file.
        bytes: its size.
        licence: SPDX identifier.
        what: one line for people.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    licence: str
    what: str


def index(folder: Path = FOLDER) -> dict[str, WeightsFile]:
    """Name to description of every file listed in the folder."""
    path = folder / INDEX
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {row["name"]: WeightsFile(**row) for row in rows}
    except FileNotFoundError:
        raise StylebridgeError(
            Code.NOT_FOUND, f"The list of weights {path} is missing: install Stylebridge again."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise StylebridgeError(
            Code.NOT_READABLE, f"The list of weights {path} is damaged: install Stylebridge again."
        ) from None


def find(name: str, folder: Path = FOLDER) -> WeightsFile:
    """The description of one file; StylebridgeError NOT_FOUND where there is none of that name."""
    known = index(folder)
    if name not in known:
        raise StylebridgeError(
            Code.NOT_FOUND, f"There are no weights named {name!r}: choose one of {', '.join(sorted(known))}."
        )
    return known[name]


def read(name: str, folder: Path = FOLDER) -> bytes:
    """The bytes of a file, after its checksum has been verified.

    Raises:
        StylebridgeError: NOT_FOUND (no such name, file missing) or NOT_READABLE (checksum differs).
    """
    entry = find(name, folder)
    path = folder / entry.file
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise StylebridgeError(
            Code.NOT_FOUND, f"The weights file {path} is missing: install Stylebridge again."
        ) from None
    checksum = hashlib.sha256(data).hexdigest()
    if checksum != entry.sha256:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The weights file {path} is damaged (checksum {checksum[:16]}, expected {entry.sha256[:16]}): "
            "install Stylebridge again.",
        )
    return data


def load(name: str, folder: Path = FOLDER) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, float32, after its checksum has been verified."""
    import safetensors.torch

    return {key: value.float() for key, value in safetensors.torch.load(read(name, folder)).items()}


def load_json(name: str, folder: Path = FOLDER) -> Any:
    """The contents of a JSON file, after its checksum has been verified."""
    return json.loads(read(name, folder))


def describe(path: Path, name: str, licence: str, what: str) -> WeightsFile:
    """The description of a file as it lies there."""
    data = path.read_bytes()
    return WeightsFile(name, path.name, hashlib.sha256(data).hexdigest(), len(data), licence, what)
