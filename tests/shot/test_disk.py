"""Tiles on disk: what outlives a process, and what a bad disk may do, which is cost time."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stylebridge_server.shot.cache import key
from stylebridge_server.shot.disk import ABANDONED, DiskParts, DiskStore, opened, seal

NAME = key("a tile")


def tile(seed: int = 0, side: int = 16, dtype: type = np.uint16) -> NDArray:
    return (np.random.default_rng(seed).random((side, side, 3)) * 65535).astype(dtype)


def unmakeable() -> NDArray:
    raise AssertionError("this tile was to be read")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_what_one_store_keeps_another_reads(tmp_path: Path, dtype: type) -> None:
    made = DiskStore(tmp_path / "cache", 1 << 20).get(NAME, lambda: tile(1, dtype=dtype))
    other = DiskStore(tmp_path / "cache", 1 << 20)
    other.settle()
    assert other.bytes == sum(path.stat().st_size for path in files(tmp_path))
    read = other.get(NAME, unmakeable)
    assert read.dtype == made.dtype and read.tobytes() == made.tobytes() and read.shape == made.shape
    assert (other.hits, other.misses, other.writes) == (1, 0, 0)
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


@given(st.data())
def test_a_damaged_file_is_never_believed(data: st.DataObject) -> None:
    magic, contents = b"sbtile1\n", tile().tobytes()
    whole = seal(magic, NAME, [contents]) + contents
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[place] ^= data.draw(st.integers(1, 255))
    assert opened(magic, NAME, bytes(flipped)) is None
    assert opened(magic, NAME, whole[:place]) is None
    assert opened(magic, NAME, whole + b"x") is None
    assert opened(magic, key("another"), whole) is None
    assert opened(b"sbpart1\n", NAME, whole) is None
    assert opened(magic, NAME, whole) == contents


def test_parts_are_kept_beside_tiles_and_told_from_them(tmp_path: Path) -> None:
    parts, tiles = DiskParts(tmp_path, 1 << 20), DiskStore(tmp_path, 1 << 20)
    names = {contents: key(contents) for contents in (b"labels", b"")}
    for contents, name in names.items():
        assert parts.get(name) is None
        parts.put(name, contents)
        np.testing.assert_array_equal(tiles.get(name, tile), tile())
    again = DiskParts(tmp_path, 1 << 20)
    assert [again.get(name) for name in names.values()] == [b"labels", b""]
    torn = next(path for path in files(tmp_path) if path.suffix == ".span" and path.stat().st_size == 24)
    torn.write_bytes(b"torn")
    assert DiskParts(tmp_path, 1 << 20, "of another make").get(names[b"labels"]) is None
    assert again.get(names[b""]) is None and (again.hits, again.misses, again.damaged) == (2, 1, 1)


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    DiskStore(tmp_path, 1 << 20).get(NAME, tile)
    [path] = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-7])
    store = DiskStore(tmp_path, 1 << 20)
    np.testing.assert_array_equal(store.get(NAME, tile), tile())
    assert (store.damaged, store.misses, store.writes) == (1, 1, 1)
    np.testing.assert_array_equal(store.get(NAME, unmakeable), tile())


def test_the_least_recently_used_go_first_and_nothing_else(tmp_path: Path) -> None:
    size = 40 + tile().nbytes
    (tmp_path / "letters").mkdir()
    for path in (tmp_path / "holiday.jpg", tmp_path / "letters" / "0.tile", tmp_path / "ab"):
        path.write_text("mine")
    store = DiskStore(tmp_path, 10 * size)
    store.settle()
    names = [key(number) for number in range(10)]
    for age, name in enumerate(names):
        store.get(name, tile)
        os.utime(store._path(name), (0, time.time() - 1000 + age))
    store.settle()
    store.get(names[0], unmakeable)  # used again, so that the second is the oldest
    store.get(key("one more"), tile)
    store.settle()
    left = {path.stem for path in files(tmp_path)} & set(names)
    assert names[0] in left and names[1] not in left and len(left) <= 9
    assert store.bytes <= 9 * size
    assert {path.name for path in files(tmp_path)} >= {"holiday.jpg", "0.tile", "ab"}


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / NAME[:2]).mkdir()
    old, young = (tmp_path / NAME[:2] / name for name in (".new-old", ".new-young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * ABANDONED))
    DiskStore(tmp_path, 1 << 20).settle()
    assert young.exists() and not old.exists()


def test_a_full_disk_costs_one_line_in_the_log_and_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = DiskStore(tmp_path, 1 << 20)

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        for number in range(5):
            np.testing.assert_array_equal(store.get(key(number), lambda n=number: tile(n)), tile(number))
    assert len(caplog.records) == 1 and "No space left" in caplog.text
    assert store.fault and store.writes == 0 and files(tmp_path) == []
    store._rest_until = 0.0  # ten minutes later
    store.get(NAME, tile)
    assert store.writes == 1 and not store.fault


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = DiskStore(tmp_path / "file" / "cache", 1 << 20)
    np.testing.assert_array_equal(store.get(NAME, tile), tile())
    assert store.fault


def test_a_tile_above_the_limit_is_not_kept(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "cache", 100)
    np.testing.assert_array_equal(store.get(NAME, tile), tile())
    assert not (tmp_path / "cache").exists() and not store.fault


CROWD = """
import sys
from pathlib import Path
import numpy as np
from stylebridge_server.shot.cache import key
from stylebridge_server.shot.disk import DiskStore
store = DiskStore(Path(sys.argv[1]), 200_000)
for number in range(400):
    seed = number % 90
    made = np.full((16, 16, 3), seed, np.uint16)
    assert (store.get(key(seed), made.copy) == made).all()
store.settle()
assert not store.damaged and not store.fault, (store.damaged, store.fault)
"""


def test_processes_share_a_folder(tmp_path: Path, repository: Path) -> None:
    """Several fill one folder beyond its limit at once, dropping and making the same tiles."""
    env = {**os.environ, "PYTHONPATH": f"{repository / 'bridge'}:{repository / 'server'}"}
    command = [sys.executable, "-c", CROWD, str(tmp_path)]
    crowd = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for one in crowd:
        _, err = one.communicate(timeout=120)
        assert one.returncode == 0 and not err, err
    last = DiskStore(tmp_path, 200_000)
    last.settle()
    last._look()
    last.settle()
    assert 0 < last.bytes <= 200_000
    assert not [path for path in files(tmp_path) if path.name.startswith(".new-")]
