"""Versions in names: found, counted on, and never mistaken."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylebridge import versions


@pytest.mark.parametrize(
    ("name", "there", "newest", "following"),
    [
        ("out.mp4", [], None, "out_v001.mp4"),
        ("out.mp4", ["out.mp4"], None, "out_v001.mp4"),
        ("out.mp4", ["out_v001.mp4", "out_v007.mp4"], "out_v007.mp4", "out_v008.mp4"),
        ("out_v001.mp4", [], None, "out_v001.mp4"),
        ("out_v003.mp4", [], None, "out_v003.mp4"),
        ("out_v003.mp4", ["out_v002.mp4"], "out_v002.mp4", "out_v003.mp4"),
        ("out_v1.mp4", ["out_v9.mp4"], "out_v9.mp4", "out_v10.mp4"),
        ("a.####.exr", ["a_v001.1001.exr", "a_v002.-005.exr"], "a_v002.####.exr", "a_v003.####.exr"),
        ("a_v001.%04d.png", ["a_v001.0001.png"], "a_v001.%04d.png", "a_v002.%04d.png"),
        ("a_v001.%V.####.exr", ["a_v004.left.0001.exr"], "a_v004.%V.####.exr", "a_v005.%V.####.exr"),
        ("a_v2_b_v001.png", ["a_v9_b_v001.png", "a_v2_b_v002.png"], "a_v2_b_v002.png", "a_v2_b_v003.png"),
        (
            "out.mp4",
            ["out_v1.mp4", "out_v001.mov", "out_v001.mp4.part", "xout_v001.mp4"],
            None,
            "out_v001.mp4",
        ),
        ("out.mp4", ["out_v999.mp4"], "out_v999.mp4", "out_v1000.mp4"),
        ("out", ["out_v001"], "out_v001", "out_v002"),
        (".hidden.png", [], None, ".hidden_v001.png"),
    ],
)
def test_versions_count_on(
    tmp_path: Path, name: str, there: list[str], newest: str | None, following: str
) -> None:
    for other in there:
        (tmp_path / other).touch()
    assert versions.newest(tmp_path / name) == (None if newest is None else tmp_path / newest)
    assert versions.following(tmp_path / name) == tmp_path / following


def test_a_folder_that_is_not_there_has_no_versions(tmp_path: Path) -> None:
    assert versions.following(tmp_path / "absent" / "a.png") == tmp_path / "absent" / "a_v001.png"
