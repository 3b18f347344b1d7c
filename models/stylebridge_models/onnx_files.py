"""ONNX files, opened by onnx and run by onnxruntime, which the extra `onnx` brings."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import torch

from stylebridge.errors import Code, StylebridgeError


def session(data: bytes, device: str, name: str) -> tuple[Any, str]:
    """A session of onnxruntime, and what it runs on: the runtime's version and provider, for cache keys.

    Raises:
        StylebridgeError: MISSING_EXTRA; NOT_READABLE, naming the file by `name`.
    """
    runtime = _module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # as torch: sums depend on it
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what is wrong comes as an exception
    wanted = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    providers = [one for one in wanted if one in runtime.get_available_providers()]
    try:
        made = runtime.InferenceSession(data, options, providers=[*providers, "CPUExecutionProvider"])
    except Exception as error:  # the runtime's own, of no common class
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{name} is no ONNX network that can be run ({str(error).splitlines()[0][:120]}): "
            "it is damaged or needs a newer onnxruntime.",
        ) from None
    return made, f"onnxruntime{runtime.__version__}{made.get_providers()[0]}"


def model(data: bytes, name: str) -> Any:
    """The file's contents as onnx reads them.

    Raises:
        StylebridgeError: MISSING_EXTRA, NOT_READABLE.
    """
    onnx = _module("onnx")
    try:
        return onnx.load_model_from_string(data)
    except Exception:  # protobuf's own
        raise StylebridgeError(Code.NOT_READABLE, f"{name} is no ONNX file, or a damaged one.") from None


def refuse_external(data: bytes, name: str) -> None:
    """Refuses a file whose weights lie in other files: which files, only the file itself would say.

    Raises:
        StylebridgeError: NOT_READABLE; MISSING_EXTRA.
    """
    tensors = _tensors(model(data, name))
    if any(one.HasField("data_location") and one.data_location == one.EXTERNAL for one in tensors):
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The ONNX file {name} keeps its weights in other files, which are not opened: "
            "save it as one file (onnx.save_model(..., save_as_external_data=False)).",
        )


def _tensors(message: Any) -> Iterable[Any]:
    """Every tensor anywhere in a protobuf message."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for about, value in message.ListFields():
        if about.type == about.TYPE_MESSAGE:
            for one in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(one)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise StylebridgeError(
            Code.MISSING_EXTRA,
            f"ONNX networks need {name}, which is not installed: pip install 'stylebridge[server,onnx]'.",
        ) from None
