"""Motion vectors of renderers: both layouts turned the right way, and what cannot be read refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import save_image
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.media.vectors import read_vectors

SIZE = (6, 8)
# What Blender 4.5 wrote for a square that came from 3 left and 1 below and went on 5 right and 2 up (Cycles, pixels).
BLENDER = {"X": -3.0, "Y": -1.0, "Z": -5.0, "W": -2.0}
NUKE = {"forward.u": 5.0, "forward.v": 2.0, "backward.u": -3.0, "backward.v": -1.0}


def planes(values: dict[str, float], before: str = "", size: tuple[int, int] = SIZE) -> dict[str, np.ndarray]:
    return {before + name: np.full(size, value, np.float32) for name, value in values.items()}


def colours() -> dict[str, np.ndarray]:
    return planes({"R": 0.1, "G": 0.2, "B": 0.3, "A": 1.0})


def refused(path: Path, size: tuple[int, int] = SIZE) -> StylebridgeError:
    with pytest.raises(StylebridgeError) as caught:
        read_vectors(path, size, None, lambda path: path.name)
    assert caught.value.message.endswith(".") and path.name in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "channels",
    [planes(BLENDER, "ViewLayer.Vector."), planes(BLENDER, "Vector."), planes(NUKE), planes(NUKE, "left.")],
    ids=["layer of Blender", "bare", "Nuke", "Nuke's view"],
)
def test_both_layouts_say_the_same(channels: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Right 5 and up 2 to the next frame, from 3 left and 1 below: y down."""
    path = tmp_path / "v.exr"
    write_exr(path, [NewPart({**colours(), **channels})])
    motion = read_vectors(path, SIZE, None)
    assert motion.following.shape == motion.previous.shape == (*SIZE, 2)
    assert (motion.following == (5, -2)).all() and (motion.previous == (-3, 1)).all()


def test_a_part_for_each_layer(tmp_path: Path) -> None:
    path = tmp_path / "v.exr"
    parts = [NewPart(colours(), name="ViewLayer.Combined"), NewPart(planes(BLENDER), name="ViewLayer.Vector")]
    write_exr(path, parts)
    assert (read_vectors(path, SIZE, None).following == (5, -2)).all()


def test_what_lies_outside_the_data_window_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "v.exr"
    write_exr(path, [NewPart(planes(NUKE, size=(2, 3)), (4, 1, 7, 3), (0, 0, 8, 6))])
    motion = read_vectors(path, SIZE, None)
    known = np.isfinite(motion.following).all(-1)
    assert known[1:3, 4:7].all() and known.sum() == 6
    # A plate with overscan: its display window lies within its picture.
    inside = np.isfinite(read_vectors(path, (8, 12), (2, 1, 10, 7)).following).all(-1)
    assert inside[2:4, 6:9].all() and inside.sum() == 6


def test_vectors_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.exr"
    write_exr(path, [NewPart(planes(NUKE))])
    error = refused(path, (12, 16))
    assert error.code == Code.BAD_VALUE and "8x6" in error.message and "16x12" in error.message


def test_missing_channels_are_named(tmp_path: Path) -> None:
    path = tmp_path / "v.exr"
    write_exr(path, [NewPart({**colours(), **planes({"forward.u": 1, "forward.v": 1})})])
    message = refused(path).message
    assert "lacks the motion vectors backward.u, backward.v" in message and "has A, B, G, R" in message
    write_exr(path, [NewPart(colours())])
    assert "lacks the motion vectors Vector.Z, Vector.W, Vector.X, Vector.Y" in refused(path).message


def test_other_pictures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.png"
    save_image(path, np.zeros((*SIZE, 3), np.uint8))
    assert "no OpenEXR file" in refused(path).message
    assert refused(tmp_path / "none.exr").code == Code.NOT_FOUND
