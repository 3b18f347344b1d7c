"""Hashes of files, which are remembered for as long as there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylebridge.files import hash_of
from stylebridge.recent import Recent
from stylebridge_server.media import files


def test_hashes_are_remembered_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(files._hashes, Recent)
    monkeypatch.setattr(files, "_hashes", Recent(2))
    for number in range(5):
        (tmp_path / str(number)).write_text(str(number))
    paths = sorted(tmp_path.iterdir())
    assert [files.content_hash(path) for path in [*paths, *paths]] == [
        hash_of(path) for path in [*paths, *paths]
    ]
    assert len(files._hashes) == 2
    files.know_hash(paths[0], "known")
    assert files.content_hash(paths[0]) == "known"
