"""The models that the user has installed: a folder of converted weights, each version with a card.

    <folder>/<name>/current               the version that the bare name means
    <folder>/<name>/<version>/card.json   what it is: kind, checksum, licence, where it came from
    <folder>/<name>/<version>/weights.safetensors, or network.onnx

A version is named by its contents, and importing another file under the same name leaves the earlier ones where they
are: a look that was made with one still finds it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import shown, suggestion

from . import checkpoints

if TYPE_CHECKING:
    from torch import Tensor

CARD = "card.json"
RESERVED = ("optimise",)  # words that mean something else before a colon
_CURRENT = "current"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,63}")
_VERSION = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Card:
    """What is known of one version of a model.

    Attributes:
        name: what looks and the command line say.
        kind: which network it is the weights of, such as "johnson".
        version: 16 hexadecimal digits that name weights, kind and settings together.
        file: name of its file, beside the card.
        sha256: of that file, hexadecimal.
        bytes: its size.
        licence: as the user gave it.
        source: name and checksum of the file that it was converted from.
        settings: what else its arithmetic depends on, such as the range of its input.
    """

    name: str
    kind: str
    version: str
    file: str
    sha256: str
    bytes: int
    licence: str
    source: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)


def folder() -> Path:
    """Where models are installed: $STYLEBRIDGE_MODELS, or the platform's place for a user's data."""
    asked = os.environ.get("STYLEBRIDGE_MODELS")
    if asked:
        return Path(asked)
    import platformdirs

    return platformdirs.user_data_path("stylebridge") / "models"


def check_name(name: str) -> None:
    """Refuses what could not be told from a path or a number; StylebridgeError BAD_VALUE."""
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"A model cannot be named {shown(name)}: give 2 to 64 small letters, digits, '-' or '_', "
            "such as --name candy.",
        )


def models() -> dict[str, Card]:
    """The current version of every model that is installed, by name. What is damaged is left out."""
    found = {}
    try:
        names = sorted(entry.name for entry in folder().iterdir() if _NAME.fullmatch(entry.name))
    except OSError:
        return {}
    for name in names:
        try:
            found[name] = find(name)
        except StylebridgeError:
            continue
    return found


def find(name: str, version: str | None = None) -> Card:
    """The card of a model.

    Args:
        name: as installed.
        version: which; None is the one installed last.

    Raises:
        StylebridgeError: NOT_FOUND where there is no such model or version, NOT_READABLE for a damaged card.
    """
    home = folder() / name
    if not _NAME.fullmatch(name) or not home.is_dir():
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"No model named {shown(name)} is installed: {suggestion(name, _names())} "
            "`stylebridge models import FILE --name NAME` installs one.",
        )
    if version is None:
        try:
            version = (home / _CURRENT).read_text("utf-8").strip()
        except OSError:
            version = ""
    path = home / version / CARD
    if not _VERSION.fullmatch(version) or not path.is_file():
        there = ", ".join(versions(name)) or "none"
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"The model {name} is not installed in version {shown(version)}; there is {there}: "
            "import the file that the look was made with, or take the version out of its [models].",
        )
    try:
        return Card(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        raise StylebridgeError(
            Code.NOT_READABLE, f"The model's card {path} is damaged: import the model again."
        ) from None


def versions(name: str) -> list[str]:
    """Every version of a model that is there, in order of their names."""
    return sorted(one.parent.name for one in (folder() / name).glob(f"*/{CARD}"))


def path_of(card: Card) -> Path:
    """Where the model's file lies."""
    return folder() / card.name / card.version / card.file


def read(card: Card) -> bytes:
    """The bytes of a model's file.

    Raises:
        StylebridgeError: NOT_FOUND where it is gone, NOT_READABLE where its checksum is another.
    """
    path = path_of(card)
    try:
        data = path.read_bytes()
    except OSError:
        raise StylebridgeError(
            Code.NOT_FOUND, f"The model's file {path} is gone: import the model again."
        ) from None
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The model's file {path} is damaged (its checksum is not {card.sha256[:16]}...): import the model again.",
        )
    return data


def load(card: Card) -> dict[str, Tensor]:
    """The tensors of a model, float32; raises as `read` does."""
    import safetensors.torch

    return {name: value.float() for name, value in safetensors.torch.load(read(card)).items()}


def install(
    name: str,
    kind: str,
    contents: bytes | Mapping[str, Tensor],
    source: tuple[str, str],
    licence: str,
    settings: Mapping[str, Any] | None = None,
) -> Card:
    """Keeps a model and makes it what its name means. All or nothing.

    Args:
        name: see `check_name`.
        kind: which network it is.
        contents: tensors by name, or the bytes of an ONNX file.
        source: name and SHA-256 of the file that it was made from.
        licence: words of the user.
        settings: what else its arithmetic depends on; JSON.

    Returns:
        Its card. Installing the same once more gives the same version, with the licence as it is given now.

    Raises:
        StylebridgeError: BAD_VALUE for the name, NOT_WRITABLE.
    """
    import safetensors.torch

    check_name(name)
    settings = dict(settings or {})
    file = "network.onnx" if isinstance(contents, bytes) else "weights.safetensors"
    data = contents if isinstance(contents, bytes) else safetensors.torch.save(dict(contents))
    sha256 = hashlib.sha256(data).hexdigest()
    told = json.dumps([kind, sha256, settings], sort_keys=True)
    version = hashlib.sha256(told.encode()).hexdigest()[:16]
    card = Card(
        name,
        kind,
        version,
        file,
        sha256,
        len(data),
        licence,
        dict(zip(("file", "sha256"), source, strict=True)),
        settings,
    )
    home = folder() / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=home, prefix=".making-"))
        try:
            (scratch / file).write_bytes(data)
            (scratch / CARD).write_text(json.dumps(asdict(card), indent=1) + "\n", "utf-8")
            shutil.rmtree(home / version, ignore_errors=True)
            scratch.rename(home / version)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        marker = home / f".{_CURRENT}-{os.getpid()}"
        marker.write_text(version + "\n", "utf-8")
        marker.replace(home / _CURRENT)
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"The model cannot be kept in {home} ({error.strerror}): free space there, or name another folder "
            "with STYLEBRIDGE_MODELS.",
        ) from None
    return card


def source_of(path: Path) -> tuple[str, str]:
    """Name and SHA-256 of a file, for `install`; of a folder, of its files one after another."""
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.is_file())
        joined = "".join(f"{checkpoints.checksum(one)}\n" for one in files)
        return path.name, hashlib.sha256(joined.encode()).hexdigest()
    return path.name, checkpoints.checksum(path)


def _names() -> list[str]:
    try:
        return sorted(entry.name for entry in folder().iterdir() if _NAME.fullmatch(entry.name))
    except OSError:
        return []
