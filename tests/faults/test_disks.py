"""Disks that are full. Each is a tiny one that only the process under test sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_tools import Server, command, pushed, render, small_disk, with_site, worker_of

from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError

from .conftest import Undisturbed, pictures

#: Shares memory by a file, as on systems that cannot seal memory without a name.
BY_FILES = "from stylebridge import memory; memory.SEALABLE = False"


def disk(folder: Path, options: str) -> list[str]:
    folder.mkdir(exist_ok=True)
    wrap = small_disk(folder, options)
    if not wrap:
        pytest.skip("this system lets nobody mount a disk of their own (unshare -m)")
    return wrap


@pytest.mark.parametrize("name", ["styled.mp4", "styled.####.png", "styled.####.exr"])
def test_a_full_disk_for_the_output(
    served: Server, tmp_path: Path, plate: Path, look: Path, undisturbed: Undisturbed, name: str
) -> None:
    folder = tmp_path / "out"
    # What is left is asked where the disk can be seen, in its own namespace.
    wrap = [*disk(folder, "size=16k"), "sh", "-c", '"$@"; status=$?; ls -A "$0"; exit $status', str(folder)]
    words = ("render", plate, folder / name, "--look", look, "--quiet", "--server", served.url)
    process = command(served.home, *words, wrap=wrap)
    out, err = process.communicate()
    assert process.returncode == 2
    left = (
        ["styled.0000.png"] if name.endswith("png") else []
    )  # frames of a sequence are files that are whole
    assert out.split() == left
    [sentence] = err.splitlines()
    assert "no space left on device" in sentence and str(folder) in sentence


def test_a_full_disk_for_the_cache(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    cache = home / "cache"
    with (
        Server(home, wrap=disk(cache, "size=400k"), STYLEBRIDGE_CACHE=str(cache)) as server,
        Client.connect(server.url) as client,
    ):
        assert render(client, plate) == undisturbed.frames
        found = client.status()["workers"][0]["counters"]["caches"]["disk"]
        assert found["fault"] == "No space left on device" and found["writes"] > 0
        assert found["damaged"] == 0


@pytest.mark.long
def test_a_full_disk_for_the_analysis(home: Path, plate: Path, look: Path) -> None:
    target = home / "styled.mp4"
    process = command(
        home, "render", plate, target, "--look", look, "--quiet", wrap=disk(home / "analyses", "size=4k")
    )
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    [sentence] = err.splitlines()
    assert "cannot keep the analysis" in sentence and "No space left on device" in sentence
    assert not target.exists()


@pytest.mark.parametrize("options", ["size=300k", pytest.param("nr_inodes=40", marks=pytest.mark.long)])
def test_a_full_disk_for_what_clients_send(
    home: Path, plate: Path, undisturbed: Undisturbed, options: str
) -> None:
    """Full from the beginning, as the server counts, or only when it writes."""
    store = home / "store"
    with Server(home, wrap=disk(store, options)) as server, Client.connect(server.url) as client:
        with pytest.raises(StylebridgeError) as caught:
            render(client, pushed(client, plate))
        assert caught.value.code == Code.NOT_WRITABLE
        assert "no space left on device" in caught.value.message and str(store) in caught.value.message
        seen = Path(f"/proc/{worker_of(client)}/root{store}")  # the disk as the server sees it
        assert list(seen.rglob("parts/*")) == []
        assert render(client, plate) == undisturbed.frames


@pytest.mark.parametrize(
    "size", ["64k", *(pytest.param(size, marks=pytest.mark.long) for size in ("1m", "40m"))]
)
def test_a_full_shared_memory(
    home: Path, plate: Path, look: Path, undisturbed: Undisturbed, size: str
) -> None:
    """For the client and its server; pixels go through messages then."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("this system has no file system of shared memory")
    target = home / "styled.mp4"
    write = command(
        home,
        *("render", plate, target, "--look", look, "--quiet"),
        wrap=[
            *disk(Path("/dev/shm"), f"size={size}"),
            "sh",
            "-c",
            '"$@"; status=$?; ls -A /dev/shm; exit $status',
            "sh",
        ],
    )
    out, err = write.communicate()
    assert (write.returncode, err) == (0, "")
    assert out.splitlines()[1:] == [], "left in the shared memory"
    assert pictures(target) == undisturbed.movie


def test_shared_memory_that_is_not_the_same(
    served: Server, tmp_path: Path, plate: Path, look: Path, undisturbed: Undisturbed
) -> None:
    """Client and server on one machine, with the same paths and other memories behind them, as in containers."""
    target = tmp_path / "styled.mp4"
    words = ("render", plate, target, "--look", look, "--quiet", "--server", served.url)
    path = with_site(served.home, "files", BY_FILES)
    write = command(served.home, *words, wrap=disk(Path("/dev/shm"), "size=100m"), PYTHONPATH=path)
    assert write.communicate()[1] == "" and write.returncode == 0
    assert pictures(target) == undisturbed.movie
