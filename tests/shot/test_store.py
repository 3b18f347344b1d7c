"""The store of blobs: whole or not at all, bounded, shared, and honest about damage."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.shot import store as store_module
from stylebridge_server.shot.store import Store

MIB = 1 << 20


def blob(number: int, size: int = MIB) -> bytes:
    return bytes([number]) * size


def name_of(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def put(store: Store, data: bytes, name: str | None = None) -> str:
    incoming = store.begin(len(data), name)
    half = len(data) // 2
    assert incoming.add(0, data[:half]) is None
    whole = incoming.add(half, data[half:])
    assert whole is not None
    return whole


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "lock")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 8 * MIB)


def test_a_blob_is_named_by_its_bytes_and_outlives_the_process(store: Store, tmp_path: Path) -> None:
    data = os.urandom(100_001)
    assert put(store, data) == name_of(data)
    assert store.has(name_of(data)) and store.path(name_of(data)).read_bytes() == data
    store.close()
    again = Store(tmp_path / "store", 8 * MIB)
    assert again.path(name_of(data)).read_bytes() == data
    assert again.bytes == len(data)


def test_what_comes_while_a_store_is_closed_is_not_left_for_ever(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is killed ends its worker in the middle of what its threads do; a pin that stayed would hold its
    blob fast for ever."""
    name = put(store, b"pinned")
    remove, pins = shutil.rmtree, store.pins().folder.parent

    def meanwhile(folder: Path, **more: bool) -> None:
        remove(folder, **more)
        if folder == pins or folder == pins.parent:
            pins.mkdir(parents=True, exist_ok=True)
            (pins / "late").hardlink_to(store.folder / "blobs" / name[:2] / name)

    monkeypatch.setattr(shutil, "rmtree", meanwhile)
    store.close()
    monkeypatch.undo()
    with pytest.raises(StylebridgeError, match="cannot keep"):
        store.begin(1)
    again = Store(tmp_path / "store", 8 * MIB)
    assert left(tmp_path / "store") == [name] and again.path(name).stat().st_nlink == 1


def test_what_was_dropped_is_not_remembered(store: Store) -> None:
    """A server runs for months."""
    for number in range(40):
        put(store, blob(number))
    assert len(store._verified) <= 10


def test_another_hash_than_was_said_is_refused_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(StylebridgeError, match="the file changed meanwhile") as refused:
        put(store, b"one thing", name_of(b"another"))
    assert refused.value.code == Code.BAD_VALUE
    assert left(store.folder) == []


@pytest.mark.parametrize(("offset", "size"), [(1, 4), (4, 2), (0, 9), (3, 0)])
def test_parts_come_in_order_and_fit(store: Store, offset: int, size: int) -> None:
    incoming = store.begin(8)
    incoming.add(0, b"abc")
    with pytest.raises(StylebridgeError) as refused:
        incoming.add(offset, b"x" * size)
    assert refused.value.code == Code.BAD_REQUEST
    assert left(store.folder) == []


def test_what_was_used_last_stays(store: Store) -> None:
    names = [put(store, blob(n)) for n in range(7)]
    for age, name in enumerate(names):
        os.utime(store._place(name), (age, age))
    store.path(names[0])
    late = put(store, blob(100))
    late = put(store, blob(101))
    assert store.has(late) and store.has(names[0])
    assert not store.has(names[1]) and not store.has(names[2])
    assert store.bytes <= store.limit


def test_what_an_open_shot_uses_stays_and_what_does_not_fit_beside_it_is_refused(store: Store) -> None:
    pins = store.pins()
    names = [put(store, blob(n)) for n in range(7)]
    for name in names[:6]:
        pins.add(name, name)
    with pytest.raises(StylebridgeError, match="do not fit into the server's store of 8 MiB") as refused:
        store.begin(4 * MIB)
    assert refused.value.code == Code.TOO_LARGE
    assert [store.has(name) for name in names] == [True] * 7
    pins.close()
    assert put(store, blob(9, 4 * MIB))
    assert store.bytes <= store.limit


def test_an_announcement_takes_no_room_from_anybody(store: Store) -> None:
    names = [put(store, blob(n)) for n in range(7)]
    announced = [store.begin(8 * MIB) for _ in range(3)]
    assert all(store.has(name) for name in names)
    assert put(store, blob(7)) and all(store.has(name) for name in names)
    announced[0].add(0, blob(8, 2 * MIB))
    assert 0 < sum(store.has(name) for name in names) < 7
    announced[0].abandon()
    assert store._coming == 0
    assert put(store, blob(9, 7 * MIB))


def test_uploads_that_do_not_fit_together_are_refused_as_they_come(store: Store) -> None:
    first, second = store.begin(6 * MIB), store.begin(6 * MIB)
    first.add(0, blob(1, 5 * MIB))
    with pytest.raises(StylebridgeError, match="do not fit into the server's store of 8 MiB") as refused:
        second.add(0, blob(2, 4 * MIB))
    assert refused.value.code == Code.TOO_LARGE
    assert first.add(5 * MIB, blob(1)) == name_of(blob(1, 6 * MIB))
    assert left(store.folder) == [name_of(blob(1, 6 * MIB))] and store._coming == 0


def test_a_pin_outlives_an_eviction_by_a_process_that_knows_nothing_of_it(
    store: Store, tmp_path: Path
) -> None:
    name = put(store, blob(1))
    pins = store.pins()
    pins.add(name, "plate.png")
    other = Store(tmp_path / "store", 2 * MIB)
    with pytest.raises(StylebridgeError):
        other.begin(3 * MIB)
    assert pins.path(name, "plate.png").read_bytes() == blob(1)


@pytest.mark.parametrize("pinned", [True, False])
def test_damage_is_found_before_first_use_and_answered_by_need(
    store: Store, tmp_path: Path, pinned: bool
) -> None:
    name = put(store, blob(1))
    store.path(name).write_bytes(blob(2))
    later = Store(tmp_path / "store", 8 * MIB)
    pins = later.pins()
    pins.add(name, "frame")

    def use() -> Path:
        return pins.path(name, "frame") if pinned else later.path(name)

    with pytest.raises(StylebridgeError) as lacking:
        use()
    assert (lacking.value.code, lacking.value.details) == (Code.NEED, {"files": [name]})
    assert not later.has(name)
    assert put(later, blob(1), name) == name
    pins.path(name, "frame") if pinned else None
    assert use().read_bytes() == blob(1)


def test_a_full_disk_is_said_and_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*unused: object) -> int:
        raise OSError(28, "No space left on device")

    incoming = store.begin(8)
    monkeypatch.setattr(store_module.Incoming, "_write", full)
    with pytest.raises(StylebridgeError, match="no space left on device") as refused:
        incoming.add(0, b"abc")
    assert refused.value.code == Code.NOT_WRITABLE
    assert left(store.folder) == []
    monkeypatch.undo()
    usage = store_module.shutil.disk_usage(store.folder)
    monkeypatch.setattr(store_module.shutil, "disk_usage", lambda folder: usage._replace(free=4))
    with pytest.raises(StylebridgeError, match="free space in") as refused:
        store.begin(8)
    assert refused.value.code == Code.NOT_WRITABLE


def test_what_a_killed_process_left_is_swept_away_and_what_a_live_one_has_is_not(
    store: Store, tmp_path: Path, repository: Path
) -> None:
    script = (
        "import os, sys; from pathlib import Path; from stylebridge_server.shot.store import Store\n"
        "store = Store(Path(sys.argv[1]), 1 << 23); store.begin(10).add(0, b'abc'); pins = store.pins()\n"
        "print(flush=True); os.kill(os.getpid(), 9)"
    )
    path = os.pathsep.join([str(repository / "bridge"), str(repository / "server")])
    subprocess.run(
        [sys.executable, "-c", script, str(store.folder)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
    )
    assert len(list((store.folder / "run").iterdir())) == 2
    name = put(store, blob(1))
    store.pins().add(name, "held")
    Store(tmp_path / "store", 8 * MIB).close()
    assert [path.name for path in (store.folder / "run").iterdir()] == [store._own.name]
    assert "held" in left(store.folder)


def test_two_processes_put_the_same_at_once(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "store", 8 * MIB)
    data = os.urandom(MIB)

    def work(one: Store) -> Callable[[], None]:
        return lambda: [put(one, data) for _ in range(5)] and None  # type: ignore[func-returns-value]

    threads = [threading.Thread(target=work(one)) for one in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left(store.folder) == [name_of(data)]
    assert store.path(name_of(data)).read_bytes() == data == other.path(name_of(data)).read_bytes()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StylebridgeError, match="set STYLEBRIDGE_STORE") as refused:
        Store(tmp_path / "file" / "store", 1)
    assert refused.value.code == Code.NOT_WRITABLE


def test_a_shot_that_can_never_be_here_whole_is_refused(store: Store) -> None:
    store.check_room(8 * MIB)
    with pytest.raises(StylebridgeError, match="This shot has 9 MiB, and the server's store") as refused:
        store.check_room(9 * MIB)
    assert refused.value.code == Code.TOO_LARGE
