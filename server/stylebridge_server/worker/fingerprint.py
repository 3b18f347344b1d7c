"""The fingerprint: everything outside a request on which the bits of its result depend.

Two servers with one fingerprint give the same pixels for the same request (on a CPU, bit for bit). It is part of
every cache key, and shown by `status`, so that chunks of one shot made elsewhere can refuse to mix.
"""

from __future__ import annotations

import os
import platform

import av
import cv2
import numpy
import PyOpenColorIO
import torch

import stylebridge
from stylebridge_server.shot.cache import key


def settle_threads() -> int:
    """Fix the number of compute threads for this process: the sum of a convolution depends on it.

    Returns:
        $STYLEBRIDGE_THREADS, or the number of processors.
    """
    asked = os.environ.get("STYLEBRIDGE_THREADS", "")
    threads = int(asked) if asked.isdigit() and int(asked) > 0 else (os.cpu_count() or 1)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    return threads


def facts(device: str, weights: str) -> dict[str, str]:
    """What the fingerprint is made of, for people.

    Args:
        device: "cpu", "cuda:0", ...
        weights: checksum of the style network.
    """
    on_gpu = device.startswith("cuda")
    return {
        "stylebridge": stylebridge.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "opencv": cv2.__version__,
        "av": av.__version__,
        "opencolorio": PyOpenColorIO.GetVersion(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "weights": weights,
    }


def fingerprint(facts: dict[str, str]) -> str:
    """32 hexadecimal digits that name the facts."""
    return key("fingerprint", sorted(facts.items()))
