"""Disks that are full. Each is a tiny one that only the process under test sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_tools import Server, command, small_disk

from .conftest import Undisturbed


def disk(folder: Path, size: str) -> list[str]:
    folder.mkdir(exist_ok=True)
    wrap = small_disk(folder, size)
    if not wrap:
        pytest.skip("this system lets nobody mount a disk of their own (unshare -m)")
    return wrap


@pytest.mark.parametrize("name", ["styled.mp4", "styled.####.png"])
def test_a_full_disk_for_the_output(
    served: Server, tmp_path: Path, plate: Path, look: Path, undisturbed: Undisturbed, name: str
) -> None:
    folder = tmp_path / "out"
    # What is left is asked where the disk can be seen, in its own namespace.
    wrap = [*disk(folder, "16k"), "sh", "-c", '"$@"; status=$?; ls -A "$0"; exit $status', str(folder)]
    words = ("render", plate, folder / name, "--look", look, "--quiet", "--server", served.url)
    process = command(served.home, *words, wrap=wrap)
    out, err = process.communicate()
    assert process.returncode == 2
    left = ["styled.0000.png"] if "#" in name else []  # frames of a sequence are files that are whole
    assert out.split() == left
    [sentence] = err.splitlines()
    assert "no space left on device" in sentence and str(folder) in sentence
