"""Admission by size: a request that would not fit into memory is refused before it takes any.

On a CPU running out of memory is no error but the end of the process. What a request takes is estimated from sizes
(see `shot.footprint`); what can be had is what the system says now: on Linux `MemAvailable`, or less where a control
group (a container, a service) leaves less. Elsewhere the system is not asked, and only STYLEBRIDGE_MEMORY_MB limits.
Caches give way before anything is refused.

A GPU says when its memory is full. Then everything that is kept is let go, and the same work is done once more, tile
by tile as always; what does not fit even so is refused. A request is refused or not: what it makes never depends on
memory.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.footprint import Estimate, that_fits
from stylebridge_server.values import SourceInfo

log = logging.getLogger("stylebridge.worker")

Result = TypeVar("Result")

MEBIBYTE = 1 << 20
OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)
#: Bytes that are left to the rest of the system, and to what no estimate knows.
RESERVE = 256 * MEBIBYTE


class Memory:
    """What this worker may take.

    Args:
        caches: give way to requests, the first one last; their limits are what they hold at most.
        most: bytes that the process may hold in all, None for no limit of its own.
        available: bytes that can be had now, None where that is not known.
        held: bytes that the process holds now.
    """

    def __init__(
        self,
        caches: Sequence[Cache],
        most: int | None,
        available: Callable[[], int | None],
        held: Callable[[], int],
    ) -> None:
        self._caches = [(cache, cache.limit) for cache in caches]
        self._most, self._available, self._held = most, available, held

    def admit(self, what: str, info: SourceInfo, estimate: Estimate) -> None:
        """Makes room for a request.

        Args:
            what: what it does, as a sentence begins.
            info: of its shot.
            estimate: its bytes for a shot of that description.

        Raises:
            StylebridgeError: `TOO_LARGE`, with what it needs, what there is and what would fit.
        """
        rooms = self._rooms()
        if not rooms:
            return
        room, more = min(rooms)
        need = estimate(info)
        room += sum(cache.bytes for cache, _ in self._caches)  # as if they were empty
        if need > room:
            raise self._refusal(what, info, estimate, need, room, more)
        spare = room - need
        for cache, limit in self._caches:
            cache.keep(min(limit, spare))
            spare -= cache.limit

    def relieved(self, what: str, info: SourceInfo, work: Callable[[], Result]) -> Result:
        """What the work returns; where memory ran out, of a second attempt with all that was kept let go.

        Args:
            what, info: as for `admit`.
            work: a pure function, which may be begun again.

        Raises:
            StylebridgeError: `TOO_LARGE` where it runs out again.
        """
        try:
            return work()
        except OUT_OF_MEMORY as error:
            log.warning("out of memory (%s): the caches are emptied", str(error).splitlines()[0])
        # What the error held is gone here.
        for cache, _ in self._caches:
            cache.clear()
        gc.collect()
        torch.cuda.empty_cache()
        try:
            return work()
        except OUT_OF_MEMORY as error:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"{what} {info.width}x{info.height} pixels takes more memory than the device has, with all its caches "
                f"emptied ({str(error).splitlines()[0]}): raise stroke_size, or scale the picture down.",
            ) from None

    def _rooms(self) -> list[tuple[int, str]]:
        """Bytes that can still be taken, by each of what limits them (less than 0 where there is too little already),
        and what would give more."""
        rooms = []
        free = self._available()
        if free is not None:
            rooms.append((free - RESERVE, "close other programs"))
        if self._most is not None:
            rooms.append((self._most - self._held(), "raise STYLEBRIDGE_MEMORY_MB"))
        return rooms

    def _refusal(
        self, what: str, info: SourceInfo, estimate: Estimate, need: int, room: int, more: str
    ) -> StylebridgeError:
        fits = that_fits(info, estimate, room)
        advice = f"{fits[0]}x{fits[1]} pixels would fit" if fits else "not even a small picture would fit"
        return StylebridgeError(
            Code.TOO_LARGE,
            f"{what} {info.width}x{info.height} pixels takes about {_words(need)} of memory, and "
            f"{_words(max(room, 0))} can be had now: {advice}; scale the picture down, or {more}.",
            need=need,
            room=max(room, 0),
            fits=list(fits) if fits else None,
        )


def available(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process can take without others being put out, None where the system does not say."""
    rooms = [room for room in (_of_system(proc), *_of_groups(proc, groups)) if room is not None]
    return min(rooms) if rooms else None


def _of_system(proc: Path) -> int | None:
    """As the kernel estimates it: free memory, and what it can take back from its caches."""
    try:
        lines = (proc / "meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _of_groups(proc: Path, groups: Path) -> Iterator[int | None]:
    """What each control group that holds this process leaves, of either version."""
    try:
        lines = (proc / "self" / "cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = groups / "memory" if controllers else groups
        limit, used, cached = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        folder = root / path.lstrip("/")
        # A container sees itself at the root, whatever the path says.
        for place in {root, *(each for each in (folder, *folder.parents) if each.is_relative_to(root))}:
            yield _of_group(place, limit, used, cached)


def _of_group(place: Path, limit: str, used: str, cached: str) -> int | None:
    try:
        most = int((place / limit).read_text("ascii"))
        now = int((place / used).read_text("ascii"))
        stat = dict(line.split() for line in (place / "memory.stat").read_text("ascii").splitlines())
        return most - now + int(stat.get(cached, 0))
    except (OSError, ValueError):
        return None  # no such group here, or one without a limit ("max")


def limit_of_environment() -> int | None:
    """STYLEBRIDGE_MEMORY_MB in bytes, None where it is not set."""
    said = os.environ.get("STYLEBRIDGE_MEMORY_MB", "")
    return int(said) * MEBIBYTE if said.isdigit() and int(said) > 0 else None


def _words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
