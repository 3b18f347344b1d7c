"""Frames, clips and SceneFlow trees as training data: pairs, their flow the right way round, their masks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.temporal.flow import grid, sample
from stylebridge_server.train import textures
from stylebridge_server.train.sceneflow import SceneFlow, read_flo, read_pfm
from stylebridge_server.train.sources import Ahead, Clip, FrameFolder, FramePair, Pairs, Pictures, cut

SHIFT = 6  # pixels to the right from each frame to the next
HEIGHT, WIDTH = 64, 96


def frames(count: int) -> list[NDArray[np.uint8]]:
    wide = cv2.GaussianBlur(textures.texture(np.random.default_rng(1), 192), (0, 0), 1.5)[:HEIGHT]
    return [np.ascontiguousarray(wide[:, 60 - SHIFT * i : 60 - SHIFT * i + WIDTH]) for i in range(count)]


def write(path: Path, rgb: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])


def write_pfm(path: Path, values: NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "PF" if values.ndim == 3 else "Pf"
    header = f"{kind}\n{values.shape[1]} {values.shape[0]}\n-1.0\n".encode()
    path.write_bytes(header + np.ascontiguousarray(values[::-1], "<f4").tobytes())


def write_flo(path: Path, flow: NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = np.array([flow.shape[1], flow.shape[0]], "<i4").tobytes()
    path.write_bytes(np.array([202021.25], "<f4").tobytes() + size + flow.astype("<f4").tobytes())


def constant(x: float, channels: int = 3) -> NDArray[np.float32]:
    flow = np.zeros((HEIGHT, WIDTH, channels), np.float32)
    flow[..., 0] = x
    return flow


def holds(pair: FramePair) -> None:
    """What the flow says is so, where the mask believes it."""
    height, width = pair.later.shape[:2]
    back = sample(pair.earlier.astype(np.float32), pair.flow + grid(height, width))
    error = np.abs(back - pair.later.astype(np.float32)).mean(-1)
    assert pair.mask.mean() > 0.5
    assert float((error * pair.mask).sum() / pair.mask.sum()) < 6
    assert float(np.abs(pair.later.astype(float) - pair.earlier.astype(float)).mean()) > 8  # they do differ


def things3d(root: Path) -> SceneFlow:
    for i, frame in enumerate(frames(3), start=6):
        write(root / f"frames_cleanpass/TRAIN/A/0000/left/{i:04d}.png", frame)
        base = root / "optical_flow/TRAIN/A/0000"
        write_pfm(base / f"into_past/left/OpticalFlowIntoPast_{i:04d}_L.pfm", constant(-SHIFT))
        write_pfm(base / f"into_future/left/OpticalFlowIntoFuture_{i:04d}_L.pfm", constant(SHIFT))
    return SceneFlow(root)


def monkaa(root: Path) -> SceneFlow:
    for i, frame in enumerate(frames(3)):
        write(root / f"frames_finalpass/eating_x2/right/{i:04d}.png", frame)
        base = root / "optical_flow/eating_x2/into_past/right"
        write_pfm(base / f"OpticalFlowIntoPast_{i:04d}_R.pfm", constant(-SHIFT))
    return SceneFlow(root)


def subset(root: Path) -> SceneFlow:
    for i, frame in enumerate(frames(3)):
        write(root / f"train/image_clean/left/{i:07d}.png", frame)
        write_flo(root / f"train/flow/left/into_past/{i:07d}.flo", constant(-SHIFT, 2))
        hidden = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        hidden[:, :SHIFT] = 255
        write(root / f"train/flow_occlusions/left/into_past/{i:07d}.png", hidden)
    return SceneFlow(root)


@pytest.mark.parametrize("make", [things3d, monkaa, subset])
def test_sceneflow_layouts(make: type, tmp_path: Path) -> None:
    source = make(tmp_path)
    assert source.count == 2
    for number in range(2):
        pair = source.pair(number)
        holds(pair)
        assert float(pair.mask[:, : SHIFT - 1].max()) == 0  # what came into the picture was nowhere before


def test_folders_of_frames_are_shots_of_their_own(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 2)):
        for i, frame in enumerate(frames(count)):
            write(tmp_path / name / f"{i:03d}.png", frame)
    source = FrameFolder(tmp_path)
    assert source.count == 3
    holds(source.pair(0))


def test_clip_is_a_source_of_pairs(tmp_path: Path) -> None:
    for i, frame in enumerate(frames(3)):
        write(tmp_path / f"plate.{i:04d}.png", frame)
    source = Clip(str(tmp_path / "plate.%04d.png"))
    assert source.count == 2
    holds(source.pair(1))


def test_cut_pieces_keep_their_flow(tmp_path: Path) -> None:
    source = things3d(tmp_path)
    for seed in range(6):  # mirrored and not, larger and smaller
        piece = cut(source.pair(0), np.random.default_rng(seed), 32 if seed % 2 else 80, 0.8)
        assert piece.later.shape[0] == (32 if seed % 2 else 80)
        holds(piece)


def test_pairs_of_all_sources_come_up(tmp_path: Path) -> None:
    pairs = Pairs([things3d(tmp_path / "a"), monkaa(tmp_path / "b")])
    rng = np.random.default_rng(0)
    for _ in range(8):
        holds(pairs.draw(rng, 48, 0.9))


def test_unreadable_pictures_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.png", frames(1)[0])
    (tmp_path / "b.png").write_bytes(b"no picture")
    pictures = Pictures([tmp_path])
    drawn = [pictures.draw(np.random.default_rng(i), 32, 0.5) for i in range(4)]
    assert {piece.shape for piece in drawn} == {(32, 32, 3)}
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(StylebridgeError):
        pictures.draw(np.random.default_rng(0), 32, 0.5)


@pytest.mark.parametrize("source", [FrameFolder, SceneFlow, lambda path: Pictures([path])])
def test_empty_folders_are_refused(source: type, tmp_path: Path) -> None:
    with pytest.raises(StylebridgeError) as caught:
        source(tmp_path)
    assert caught.value.code == Code.NOT_FOUND


def test_flow_files_come_back_as_written(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((5, 7, 3)).astype(np.float32)
    write_pfm(tmp_path / "a.pfm", values)
    assert np.array_equal(read_pfm(tmp_path / "a.pfm"), values)
    write_pfm(tmp_path / "b.pfm", values[..., 0])
    assert np.array_equal(read_pfm(tmp_path / "b.pfm"), values[..., 0])
    write_flo(tmp_path / "c.flo", values[..., :2])
    assert np.array_equal(read_flo(tmp_path / "c.flo"), values[..., :2])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PF\n",
        b"PF\n3 3\n-1.0\n" + b"\0" * 20,
        b"PF\n99999 99999\n-1.0\n",
        b"P6\n2 2\n255\n" + b"\0" * 12,
    ],
)
def test_damaged_flow_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.pfm"
    path.write_bytes(data)
    with pytest.raises(StylebridgeError) as caught:
        read_pfm(path)
    assert caught.value.code == Code.NOT_READABLE
    with pytest.raises(StylebridgeError):
        read_flo(path)


@pytest.mark.parametrize("threads", [0, 2])
def test_what_is_made_ahead_is_what_was_asked_for(threads: int) -> None:
    ahead = Ahead(lambda step: step * step, threads)
    assert [ahead.get(step) for step in (0, 1, 2, 7, 3)] == [0, 1, 4, 49, 9]
    ahead.close()
