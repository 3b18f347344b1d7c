"""What making an analysis shares with others of the shot, and keeps when it is broken off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import segment
from stylebridge_server.shot.analyse import analyse
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.disk import DiskParts
from stylebridge_server.shot.shot import Shot
from stylebridge_server.values import Frame, Instance, Prompt, SourceInfo

COUNT, HEIGHT, WIDTH = 12, 20, 40


class Clip:
    """Frames that differ in one column."""

    def __init__(self, shade: int = 0) -> None:
        self.info = SourceInfo("frames", WIDTH, HEIGHT, 0, COUNT - 1, 3, "uint8", Fraction(24))
        self._shade = shade

    def read(self, number: int) -> Frame:
        pixels = np.full((HEIGHT, WIDTH, 3), 90 + self._shade, np.uint8)
        pixels[:, number] = 200
        return Frame(number, pixels)

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return f"clip {self._shade}"

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        pass


class Toy:
    """Marks the first columns up to the frame's own, from the key frame before on; a part a frame, as trackers do.

    Attributes:
        made: frames that were not among the parts.
    """

    name, checksum, memory = "embedded", "toy", 0

    def __init__(self) -> None:
        self.made: list[int] = []

    def track(
        self,
        frames: Any,
        scenes: Sequence[tuple[int, int]],
        prompts: Sequence[Prompt],
        flow: Any,
        store: Any,
        progress: Any,
        parts: segment.Parts = segment.FORGETFUL,
    ) -> list[Instance]:
        (first, last), keys = scenes[0], sorted(prompt.frame for prompt in prompts)
        for number in range(first, last + 1):
            key = max([k for k in keys if k <= number], default=keys[0])
            name = f"{frames.content(number)} {key}"
            data = parts.get(name)
            if data is None:
                self.made.append(number)
                row = np.zeros(WIDTH, np.uint8)
                row[: number + 1] = 100 + key
                data = row.tobytes()
                parts.put(name, data)
            store.put(1, number, np.tile(np.frombuffer(data, np.uint8), (HEIGHT, 1)))
            progress(number, last)
        return [Instance(1, "thing", None, (255, 0, 0), 1, first, last, 0.1)]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    made = Toy()
    monkeypatch.setattr(segment, "load", lambda *said, **more: made)
    return made


def made_of(
    folder: Path,
    frames: Sequence[int],
    parts: segment.Parts,
    shade: int = 0,
    progress: Any = lambda *said: None,
) -> Analysis:
    prompts = [Prompt("thing", frame, points=((0.1, 0.1),)) for frame in frames]
    store = AnalysisStore(folder, 1 << 30)
    return analyse(Shot(Clip(shade)), prompts, "embedded", store, progress, lambda: None, parts=parts)


def test_a_correction_makes_what_it_changes_and_reads_the_rest(tmp_path: Path, toy: Toy) -> None:
    parts = DiskParts(tmp_path / "parts", 1 << 20)
    before = made_of(tmp_path / "a", [0, 9], parts)
    assert toy.made == list(range(COUNT))
    toy.made.clear()
    after = made_of(tmp_path / "a", [0, 4, 9], DiskParts(tmp_path / "parts", 1 << 20))
    assert toy.made == [4, 5, 6, 7, 8]
    for number in range(COUNT):
        same = np.array_equal(before.matte(1, number), after.matte(1, number))
        assert same == (number not in toy.made)
    toy.made.clear()
    alone = made_of(tmp_path / "b", [0, 4, 9], segment.FORGETFUL)
    assert alone.id == after.id and len(toy.made) == COUNT, "parts change nothing but what it costs"


def test_what_was_broken_off_goes_on(tmp_path: Path, toy: Toy) -> None:
    def cancel(done: int, total: int, stage: str) -> None:
        if stage == "tracking" and done == 6:
            raise StylebridgeError(Code.CANCELLED, "Nobody wants it.")

    with pytest.raises(StylebridgeError):
        made_of(tmp_path / "a", [0], DiskParts(tmp_path / "parts", 1 << 20), progress=cancel)
    assert toy.made == list(range(7)) and not list((tmp_path / "a").iterdir())
    toy.made.clear()
    made_of(tmp_path / "a", [0], DiskParts(tmp_path / "parts", 1 << 20))
    assert toy.made == list(range(7, COUNT))


def test_parts_of_another_source_or_another_make_of_server_are_not_read(tmp_path: Path, toy: Toy) -> None:
    made_of(tmp_path / "a", [0], DiskParts(tmp_path / "parts", 1 << 20, "one"))
    made_of(tmp_path / "a", [0], DiskParts(tmp_path / "parts", 1 << 20, "one"), shade=1)
    made_of(tmp_path / "b", [0], DiskParts(tmp_path / "parts", 1 << 20, "other"))
    assert len(toy.made) == 3 * COUNT


def test_a_full_disk_costs_the_parts_and_no_analysis(tmp_path: Path, toy: Toy) -> None:
    (tmp_path / "file").write_text("")
    parts = DiskParts(tmp_path / "file" / "parts", 1 << 20)
    assert made_of(tmp_path / "a", [0], parts).id == made_of(tmp_path / "b", [0], segment.FORGETFUL).id
    assert parts.fault and len(toy.made) == 2 * COUNT
