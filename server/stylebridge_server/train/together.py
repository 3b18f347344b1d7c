"""Several processes on one run: those that torchrun made, or some made here on one machine's CPU."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing

from stylebridge.errors import Code, StylebridgeError

from .run import ALONE, Progress, Worker

# What a process does: given which worker it is and where to tell how far it is (None: nowhere).
Job = Callable[[Worker, Progress | None], Any]


@contextmanager
def by_torchrun(device: str) -> Iterator[tuple[Worker, str]]:
    """Which worker this process is, and its device: as torchrun says, where it started this process.

    `torchrun --nproc-per-node 4 -m stylebridge train ...` gives each process a GPU of its own (NCCL); on the CPU they
    talk by gloo.

    Raises:
        StylebridgeError: BAD_VALUE where there are more processes than GPUs.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield ALONE, device
        return
    cuda = device.split(":")[0] == "cuda"
    if cuda:
        place = int(os.environ.get("LOCAL_RANK", "0"))
        if place >= torch.cuda.device_count():
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"torchrun made more processes than the {torch.cuda.device_count()} GPUs here: "
                "give it --nproc-per-node of that number.",
            )
        device = f"cuda:{place}"
        torch.cuda.set_device(place)
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Worker(torch.distributed.get_rank(), torch.distributed.get_world_size()), device
    finally:
        torch.distributed.destroy_process_group()


def spread(job: Job, workers: int, progress: Progress | None = None) -> Any:
    """Runs a job in `workers` processes of one thread each; returns what the first of them, this one, makes.

    Args:
        job: can be sent to another process.
    """
    if workers == 1:
        return job(ALONE, progress)
    meeting = Path(tempfile.mkdtemp(prefix="stylebridge-train-"))
    context = torch.multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_join, args=(job, rank, workers, meeting), daemon=True)
        for rank in range(1, workers)
    ]
    for process in others:
        process.start()
    try:
        return _join(job, 0, workers, meeting, progress)
    finally:
        for process in others:
            process.terminate()
        shutil.rmtree(meeting)


def _join(job: Job, rank: int, workers: int, meeting: Path, progress: Progress | None = None) -> Any:
    """One worker of several; they find one another through a file in the folder `meeting`."""
    torch.set_num_threads(1)
    distributed = torch.distributed
    distributed.init_process_group("gloo", f"file://{meeting / 'store'}", rank=rank, world_size=workers)
    try:
        return job(Worker(rank, workers), progress)
    finally:
        distributed.destroy_process_group()
