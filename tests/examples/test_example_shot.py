"""The example shots are small, whole, and their truth is true."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import av
import cv2
import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PAIRS = (0, 20, 34, 60, 94)  # the bird crosses the car near 34 and the balloon near 60


@cache
def reader() -> ModuleType:
    """examples/truth.py, which is no package."""
    spec = importlib.util.spec_from_file_location("examples_truth", EXAMPLES / "truth.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def truth():
    return reader().Truth()


@pytest.fixture(scope="module")
def plate() -> list[np.ndarray]:
    with av.open(str(EXAMPLES / "shot" / "plate.mp4")) as movie:
        return [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]


def warp(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The picture at p + flow(p) on the grid of the flow, which is every second pixel."""
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32) * reader().FLOW_STRIDE
    return cv2.remap(
        picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def soft(picture: np.ndarray) -> np.ndarray:
    """Float, without detail finer than the flow's grid."""
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0)


def test_the_folder_is_small():
    weight = sum(
        path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix != ".pyc"
    )
    assert weight < 8.5e6


def test_the_plate_is_a_movie_with_sound(plate):
    assert len(plate) == reader().VALLEY.frames
    assert plate[0].shape == (360, 640, 3)
    with av.open(str(EXAMPLES / "shot" / "plate.mp4")) as movie:
        video, sound = movie.streams.video[0], movie.streams.audio[0]
        assert video.average_rate == 24
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1)  # bt709, limited
        assert float(sound.duration * sound.time_base) == pytest.approx(reader().VALLEY.frames / 24, abs=0.05)
        loud = [np.abs(frame.to_ndarray()).max() for frame in movie.decode(audio=0)]
    assert 0.3 < max(loud) < 1.0


def test_mattes_share_the_picture(truth):
    areas = []
    for frame in range(truth.frames):
        mattes = truth.mattes(frame)
        assert mattes.shape == (360, 640, 3)
        assert mattes.astype(int).sum(-1).max() <= 255
        areas.append(mattes.mean((0, 1)) / 255)
    balloon, car, bird = np.array(areas).T
    assert balloon.min() > 0.03
    assert car.min() < 1e-4 < 0.01 < min(car[10], car[-1])  # hidden by the haystack, and back again
    assert bird[0] == 0 and bird.max() > 0.03  # flies in from outside


def test_frames_come_in_any_order(truth):
    first = truth.mattes(50).copy(), truth.forward(50), truth.depth(50)
    truth.mattes(3), truth.forward(90), truth.depth(0)
    again = truth.mattes(50), truth.forward(50), truth.depth(50)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(IndexError, match="96"):
        truth.mattes(96)


@pytest.mark.parametrize("frame", PAIRS)
def test_flow_carries_one_frame_to_the_next(truth, plate, frame):
    """Warped by the flow, the next frame looks like this one, on the moving instances most of all.

    Measured: 0.35 to 0.49 of the difference that no flow leaves, 0.09 to 0.34 on the instances. The rest is
    grass and straw finer than a pixel, the renderer's noise and compression.
    """
    here, there = soft(plate[frame])[::2, ::2], soft(plate[frame + 1])
    seen = truth.visible(frame)
    assert seen.mean() > 0.9
    moved = np.abs(warp(there, truth.forward(frame)) - here).mean(-1)
    still = np.abs(there[::2, ::2] - here).mean(-1)
    assert moved[seen].mean() < 0.6 * still[seen].mean()
    for name in truth.names:
        inside = seen & (truth.matte(frame, name)[::2, ::2] > 250)
        if inside.any():
            assert moved[inside].mean() < 0.45 * still[inside].mean(), name
    wrong = np.abs(warp(there, -truth.forward(frame)) - here).mean(-1)
    assert wrong[seen].mean() > still[seen].mean()  # the sign is right


@pytest.mark.parametrize("frame", PAIRS)
def test_backward_flow_carries_it_back(truth, plate, frame):
    here, there = soft(plate[frame + 1])[::2, ::2], soft(plate[frame])
    moved = np.abs(warp(there, truth.backward(frame + 1)) - here)
    assert moved.mean() < 0.6 * np.abs(there[::2, ::2] - here).mean()  # measured: 0.44 to 0.51


@pytest.mark.parametrize("frame", PAIRS)
def test_mattes_move_with_the_flow(truth, frame):
    seen = truth.visible(frame)
    here = truth.mattes(frame)[::2, ::2].astype(np.float32)
    carried = warp(truth.mattes(frame + 1).astype(np.float32), truth.forward(frame))
    assert np.abs(carried - here)[seen].mean() < 0.5  # of 255


def test_nearer_things_hide_farther_ones(truth):
    """Where the bird crosses the balloon, its depth is the smaller; what is hidden is not in the matte."""
    balloon, car, bird = (truth.mattes(60)[::4, ::4, k] == 255 for k in range(3))
    depth = truth.depth(60)
    assert depth.shape == (90, 160)
    assert depth[bird].max() < depth[car].min() < depth[car].max() < depth[balloon].min()
    assert depth.max() > 250  # the sky


def test_the_look_points_at_the_instances(truth):
    """Every box of demo.toml holds its instance, the balloon's all but the basket, and little else."""
    tomllib = pytest.importorskip("tomllib")
    look = tomllib.loads((EXAMPLES / "demo.toml").read_text())
    assert look["schema"] == "look.1"
    assert {prompt["name"] for prompt in look["prompt"]} >= {item["select"] for item in look["instance"]}
    for prompt in look["prompt"]:
        matte = truth.matte(prompt["frame"], prompt["name"]).astype(float)
        x0, y0, x1, y1 = np.array(prompt["box"]) * (640, 360, 640, 360)
        inside = matte[round(y0) : round(y1), round(x0) : round(x1)]
        assert inside.sum() > (0.85 if prompt["name"] == "balloon" else 0.97) * matte.sum()
        assert inside.mean() > 0.3 * 255


def test_the_second_shot_has_exact_mattes_of_its_own():
    playroom = reader().Truth(reader().PLAYROOM)
    with av.open(str(playroom.plate)) as movie:
        frames = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
        assert not movie.streams.audio
    assert len(frames) == playroom.frames == 60 and frames[0].shape == (360, 640, 3)
    assert all(playroom.mattes(t).astype(int).sum(-1).max() <= 255 for t in (0, 28, 36, 59))
    covered = {
        name: [bool((playroom.matte(t, name) >= 128).any()) for t in range(60)] for name in playroom.names
    }
    assert all(covered["robot"])
    assert (
        not covered["drone"][32] and covered["drone"][20] and covered["drone"][40]
    )  # it leaves and comes back
    # Where a matte ends the picture has an edge more often than elsewhere.
    steep, rim = [], []
    for t in (6, 40, 50):
        matte = playroom.mattes(t).max(-1)
        band = (cv2.dilate(matte, np.ones((3, 3))) >= 128) & (cv2.erode(matte, np.ones((3, 3))) < 128)
        grey = cv2.cvtColor(frames[t], cv2.COLOR_RGB2GRAY).astype(np.float32)
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        steep.append(slope[band].mean())
        rim.append(slope.mean())
    assert np.mean(steep) > 2 * np.mean(rim)
