"""Shared memory: what two processes see of it, and what happens to a file that is not what it should be."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylebridge import memory
from stylebridge.arena import HEAD, NONCE_BYTES, Arena, Guest, Regions, size_of
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import PART_BYTES

pytestmark = pytest.mark.skipif(not memory.POSSIBLE, reason="this system shares no memory by files")

BRIDGE = Path(memory.__file__).parent.parent


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    """One in a file, as where memory cannot be sealed."""
    made = Arena(2, 2, tmp_path)
    yield made
    made.close()


def file_of(arena: Arena) -> Path:
    return Path(arena.path)


def guest_of(arena: Arena, **changed: Any) -> Guest:
    told = {"path": arena.path, "nonce": arena.nonce, "upward": 2, "downward": 2, **changed}
    return Guest(**told)


def read(guest: Guest, region: int, length: int) -> bytes:
    data = bytearray(max(length, 0))
    guest.read(region, memoryview(data))
    return bytes(data)


def refused(arena: Arena, **changed: Any) -> str:
    with pytest.raises(StylebridgeError) as caught:
        guest_of(arena, **changed)
    return caught.value.code


@pytest.mark.parametrize("sealed", [True, False])
def test_both_see_the_same(tmp_path: Path, sealed: bool) -> None:
    arena = Arena(2, 2, None if sealed and memory.SEALABLE else tmp_path)
    guest = guest_of(arena)
    assert arena.seen(guest.nonce) and not arena.seen(bytes(NONCE_BYTES)) and not arena.seen(b"")
    arena.hide()
    ours = arena.upward.take()
    assert ours == 0
    arena.view(ours, 5)[:] = b"hello"
    assert read(guest, ours, 5) == b"hello"
    assert guest.downward.take() is None  # before the owner knows that both see the same
    guest.downward.give(arena.downward)
    theirs = guest.downward.take()
    assert theirs in arena.downward
    whole = os.urandom(PART_BYTES)
    assert guest.write(theirs, whole) and arena.view(theirs, PART_BYTES) == whole
    arena.close()
    guest.close()
    with pytest.raises(StylebridgeError, match="given up"):
        read(guest, 0, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not memory.SEALABLE, reason="this system cannot seal memory")
def test_sealed_memory_has_no_file_and_cannot_be_cut_short() -> None:
    before = {path.name for path in memory.files_folder().iterdir()}
    arena = Arena(2, 2)
    guest = guest_of(arena)
    with pytest.raises(PermissionError):
        os.truncate(arena.path, HEAD)
    path = arena.path
    arena.hide()
    assert not Path(path).exists()
    arena.view(0, 3)[:] = b"abc"
    assert read(guest, 0, 3) == b"abc"
    assert {path.name for path in memory.files_folder().iterdir()} == before
    arena.close()


@pytest.mark.skipif(not memory.SEALABLE, reason="this system cannot seal memory")
def test_an_open_file_of_another_kind_is_not_taken(arena: Arena, tmp_path: Path) -> None:
    """Its name in /proc says nothing of what it is."""
    with Path(arena.path).open("r+b") as file:
        assert refused(arena, path=f"/proc/{os.getpid()}/fd/{file.fileno()}") == Code.DENIED
    handle = os.memfd_create("unsealed")
    os.truncate(handle, size_of(4))
    assert refused(arena, path=f"/proc/{os.getpid()}/fd/{handle}") == Code.DENIED
    os.close(handle)
    assert refused(arena, path=f"/proc/{os.getpid()}/fd/{handle}") == Code.NOT_FOUND


def test_the_name_goes_and_the_memory_stays(arena: Arena, tmp_path: Path) -> None:
    guest = guest_of(arena)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
    arena.hide()
    assert not list(tmp_path.iterdir())
    assert guest.write(3, b"still here") and arena.view(3, 10) == b"still here"


def test_regions_are_the_credit() -> None:
    regions = Regions(range(2))
    assert [regions.take(), regions.take(), regions.take()] == [0, 1, None]
    regions.give([1, 1, 7, -3])  # twice, and what never was out
    assert len(regions) == 1 and regions.take() == 1 and regions.take() is None


def test_the_last_region_returned_is_used_first() -> None:
    regions = Regions(range(9))
    regions.give([regions.take() or 0])
    assert regions.take() == 0


@pytest.mark.parametrize("place", [(-1, 1), (4, 1), (0, 0), (0, -1), (0, PART_BYTES + 1), (2**40, 1)])
def test_places_outside(arena: Arena, place: tuple[int, int]) -> None:
    guest = guest_of(arena)
    for look in (arena.view, lambda *place: read(guest, *place)):
        with pytest.raises(StylebridgeError, match="has no") as caught:
            look(*place)
        assert caught.value.code == Code.BAD_REQUEST
    with pytest.raises(StylebridgeError, match="has no"):
        guest.write(4, b"x")


def test_a_file_cut_short_is_an_error(arena: Arena) -> None:
    guest = guest_of(arena)
    os.truncate(file_of(arena), HEAD + 100)
    with pytest.raises(StylebridgeError, match="cut short"):
        read(guest, 0, 200)
    assert not guest.write(3, b"x") and file_of(arena).stat().st_size == HEAD + 100


def test_without_preadv(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "preadv", raising=False)
    guest = guest_of(arena)
    arena.view(1, 5)[:] = b"hello"
    assert read(guest, 1, 5) == b"hello"


def test_what_was_given_up(arena: Arena) -> None:
    guest = guest_of(arena)
    seen = arena.view(0, 3)
    seen[:] = b"abc"
    arena.close()
    arena.close()
    assert seen == b"abc"  # who still looks into it may
    with pytest.raises(StylebridgeError, match="given up"):
        arena.view(0, 3)
    guest.close()
    with pytest.raises(StylebridgeError, match="given up"):
        read(guest, 0, 3)
    assert not guest.write(2, b"x")


def test_a_guest_takes_only_what_an_owner_makes(arena: Arena, tmp_path: Path) -> None:
    assert refused(arena, path=str(tmp_path / "none")) == Code.NOT_FOUND
    assert refused(arena, path="with\0zero") == Code.NOT_FOUND
    assert refused(arena, path=str(tmp_path)) == Code.NOT_FOUND
    assert refused(arena, upward=3) == Code.DENIED  # another size
    assert refused(arena, upward=0, downward=0) == Code.TOO_LARGE
    assert refused(arena, downward=1 << 20) == Code.TOO_LARGE
    assert refused(arena, nonce=bytes(NONCE_BYTES)) == Code.DENIED
    assert refused(arena, nonce=b"") == Code.DENIED
    link = tmp_path / "link"
    link.symlink_to(file_of(arena))
    assert refused(arena, path=str(link)) == Code.NOT_FOUND
    link.unlink()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert refused(arena, path=str(pipe)) == Code.DENIED
    file_of(arena).chmod(0o640)
    assert refused(arena) == Code.DENIED
    file_of(arena).chmod(0o600)
    hard = tmp_path / "hard"
    os.link(file_of(arena), hard)
    assert refused(arena) == Code.DENIED
    hard.unlink()
    guest_of(arena)


def test_nothing_is_written_into_a_file_that_is_refused(arena: Arena, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    diary.write_bytes(b"dear " * (size_of(4) // 5 + 1))
    os.truncate(diary, size_of(4))
    diary.chmod(0o600)
    before = diary.read_bytes()
    assert refused(arena, path=str(diary)) == Code.DENIED and diary.read_bytes() == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file to others")
def test_a_file_of_somebody_else(arena: Arena) -> None:
    os.chown(file_of(arena), 12345, 12345)
    assert refused(arena) == Code.DENIED


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory with room for one small arena."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size_of(2)}", "tmpfs", str(folder)]
    mounted = sys.platform == "linux" and os.geteuid() == 0
    if not mounted or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_file_system_is_an_error_at_once(tiny: Path) -> None:
    first = Arena(1, 1, tiny)
    with pytest.raises(OSError) as caught:
        Arena(1, 1, tiny)
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tiny.iterdir()] == [file_of(first).name]
    first.close()
    Arena(1, 1, tiny).close()
    assert not list(tiny.iterdir())


def test_a_refused_allocation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*unused: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError):
        Arena(1, 1, tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_fallocate_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    made = Arena(1, 0, tmp_path)
    assert file_of(made).stat().st_size == size_of(1) == file_of(made).stat().st_blocks * 512
    assert made.view(0, PART_BYTES) == bytes(PART_BYTES)
    made.close()


def test_what_a_killed_owner_left_is_swept_away(tmp_path: Path) -> None:
    """Killed before its guest had it open; who lives keeps what is theirs."""
    program = (
        f"import sys, time; sys.path.insert(0, {str(BRIDGE)!r}); from pathlib import Path\n"
        "from stylebridge.arena import Arena\n"
        f"kept = Arena(1, 0, Path({str(tmp_path)!r})); print(kept.path, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    mine = Arena(1, 0, tmp_path)
    assert left.exists() and file_of(mine).exists()
    process.kill()
    process.wait()
    process.stdout.close()
    assert left.exists()
    other = Arena(1, 0, tmp_path)
    assert not left.exists() and file_of(mine).exists()
    mine.close()
    other.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not say what is open")
def test_a_file_is_closed_when_its_guest_is_gone(arena: Arena) -> None:
    gc.collect()  # what earlier tests left open is not to be closed while this one counts
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        guest_of(arena).close()
        refused(arena, nonce=b"")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
