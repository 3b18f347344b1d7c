"""Reading the weights that people already have, without executing anything in them.

A checkpoint is a table of tensors by name: a PyTorch file (read with `weights_only`), a safetensors file or an .npz.
What some put around it (an optimiser's state, a parallel wrapper's prefix) is taken off.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylebridge.errors import Code, StylebridgeError

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 3 << 30  # bytes; SAM's largest has 2.6 GB, style networks a thousandth of this
_NAMED = 3  # names that a sentence can bear
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.")


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU, as they are stored.

    Raises:
        StylebridgeError: NOT_FOUND; NOT_READABLE where it is damaged, holds code or holds no table of tensors;
            TOO_LARGE.
    """
    import torch

    found = _loaded(path)
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
            break
    tensors = {}
    if isinstance(found, Mapping):
        for name, value in found.items():
            if isinstance(value, torch.Tensor):
                tensors[_bare(str(name))] = value.detach()
    if not tensors:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{path} holds no table of tensors by name: save the network's state_dict() and import that.",
        )
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{path} is spoilt: {name} holds values that are no numbers (NaN or infinity).",
            )
    return tensors


def fitted(
    state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], what: str, path: Path
) -> dict[str, Tensor]:
    """The tensors that a network needs, float32 and dense, after names and shapes have been compared.

    Args:
        state: from `read`.
        shapes: name to shape of everything that the network has.
        what: names the network in sentences.
        path: names the file in sentences.

    Raises:
        StylebridgeError: NOT_READABLE, saying which names are missing or too many, or which shape is wrong.
    """
    missing = [name for name in shapes if name not in state]
    extra = [name for name in state if name not in shapes]
    problems = []
    if missing:
        problems.append(f"it lacks {_some(missing)}")
    if extra:
        problems.append(f"it has {_some(extra)}, which the network does not know")
    if problems:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{path} is not {what}: {' and '.join(problems)}.",
            missing=missing,
            extra=extra,
        )
    for name, shape in shapes.items():
        if tuple(state[name].shape) != shape:
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{path} is not {what}: {name} is {_times(tuple(state[name].shape))}, "
                f"the network's is {_times(shape)}.",
            )
    return {name: state[name].float().contiguous() for name in shapes}


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal, without holding it in memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_file(path: Path) -> None:
    """Refuses what is no file, or too large to be one; StylebridgeError NOT_FOUND, NOT_READABLE or TOO_LARGE."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_FOUND, f"There is no checkpoint at {path} ({error.strerror}): check the path."
        ) from None
    if not path.is_file() or size == 0:
        what = "empty" if path.is_file() else "not a file"
        raise StylebridgeError(Code.NOT_READABLE, f"{path} is {what}: name the file with the weights.")
    if size > LARGEST:
        raise StylebridgeError(
            Code.TOO_LARGE,
            f"{path} has {size >> 20} MB, more than the {LARGEST >> 20} MB that a checkpoint may have.",
        )


def _loaded(path: Path) -> Any:
    check_file(path)
    import numpy as np
    import safetensors.torch
    import torch

    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what torch says at length, the sentences below are the gist
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StylebridgeError(Code.NOT_READABLE, f"{path} cannot be read: {reason}.") from None
    except Exception as error:  # a file of another kind, or a truncated one, fails in many ways
        if isinstance(error, pickle.UnpicklingError) or "TorchScript" in str(error):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{path} holds more than tensors, which could be code, and is not opened: "
                "ask for a file of the network's state_dict() alone, best as safetensors.",
            ) from None
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{path} is no checkpoint that can be read ({type(error).__name__}): it is damaged or of another kind.",
        ) from None


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _some(names: Iterable[str]) -> str:
    """The first few of names: "a, b, c and 4 more"."""
    known = sorted(names)
    more = len(known) - _NAMED
    return ", ".join(known[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
