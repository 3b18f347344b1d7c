"""A source that is written over in place while it is open is noticed, and nothing old is answered for it."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import media
from stylebridge_server.values import Frame, SourceInfo

from .test_together import LOOK, Desk

COUNT = 3


def write(path: Path, seed: int) -> list[Path]:
    """A short plate of noise; the files that it is in."""
    still = "#" not in path.name and path.suffix != ".mp4"
    dtype = "float32" if path.suffix == ".exr" else "uint8"
    info = SourceInfo("sequence", 64, 48, 1, 1 if still else COUNT, 3, dtype, Fraction(24))
    random = np.random.default_rng(seed)
    with media.open_sink(path, info, info.first, info.last) as sink:
        for number in range(info.first, info.last + 1):
            noise = random.integers(0, 255, (48, 64, 3)).astype(np.uint8)
            sink.write(Frame(number, noise if dtype == "uint8" else noise / np.float32(255)))
    return sorted(path.parent.iterdir())


def over(path: Path, contents: bytes) -> None:
    """Writes into the same file, which no renaming tells."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(contents)
        file.truncate()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    assert path.stat().st_ino == status.st_ino


@pytest.mark.parametrize("name", ["plate.####.png", "plate.####.exr", "plate.png", "plate.mp4"])
def test_neither_analysis_nor_frame_is_of_what_was_there_before(tmp_path: Path, name: str) -> None:
    for folder in ("plate", "other"):
        (tmp_path / folder).mkdir()
    files, others = write(tmp_path / "plate" / name, 1), write(tmp_path / "other" / name, 2)
    desk, path = Desk(tmp_path / "desk"), {"path": str(tmp_path / "plate" / name)}
    before = desk.do("ada", "open_shot", path)
    nothing = {"prompts": [], "segmenter": "none"}
    analysed = desk.do("ada", "analyse", {"shot": before["shot"], **nothing})
    last = before["info"]["last"]

    original = files[-1].read_bytes()
    over(files[-1], others[-1].read_bytes())
    render = {"shot": before["shot"], "analysis": analysed["analysis"], "look": LOOK, "frames": [last]}
    for ask, fields in (("analyse", {"shot": before["shot"], **nothing}), ("render", render)):
        with pytest.raises(StylebridgeError, match="written over") as noticed:
            desk.do("ada", ask, fields)
        assert noticed.value.code == Code.NEED and noticed.value.details == {"shot": before["shot"]}

    now = desk.do("ada", "open_shot", path)
    assert now["shot"] != before["shot"]
    assert desk.do("ada", "analyse", {"shot": now["shot"], **nothing})

    over(files[-1], original)  # what was there again: the old names hold again, for new openings
    again = desk.do("ada", "open_shot", path)
    assert again["shot"] == before["shot"]
    assert desk.do("ada", "analyse", {"shot": again["shot"], **nothing}) == analysed
    desk.do("ada", "render", render)


def test_frames_whose_files_stayed_are_still_read(tmp_path: Path) -> None:
    """A renderer that goes on writing a sequence costs no frame that is there already."""
    files = write(tmp_path / "plate.####.png", 1)
    with media.open_source(tmp_path / "plate.####.png") as source:
        source.content_hash()
        over(files[2], files[0].read_bytes())
        assert [source.changed(number) for number in (1, 2, 3)] == [False, False, True] and source.changed()
        files[1].unlink()
        assert source.changed(2)
