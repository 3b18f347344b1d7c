"""What is remembered does not grow for ever."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from stylebridge import inputs
from stylebridge.files import hash_of
from stylebridge.recent import Recent


def test_the_first_goes_first() -> None:
    recent: Recent[int, str] = Recent(3)
    for number in range(1000):
        recent[number] = str(number)
        recent[number] = f"{number} again"
    assert recent == {997: "997 again", 998: "998 again", 999: "999 again"}
    assert recent.get(0) is None


def test_what_the_bridge_remembers_of_files_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "HASHES_KEPT", 2)
    known = inputs.Inputs(SimpleNamespace())  # type: ignore[arg-type]
    for number in range(5):
        (tmp_path / str(number)).write_text(str(number))
    for path in [*tmp_path.iterdir(), *tmp_path.iterdir()]:
        assert known._hash(str(path)) == hash_of(path)
    assert len(known._hashes) == 2
