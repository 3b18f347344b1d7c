"""`stylebridge metrics`: what it says of clips whose answers are known, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, loss_networks
from stylebridge_server import media
from stylebridge_server.cli import metrics, plot

Clip = list[NDArray[np.uint8]]


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path / "models"))


@pytest.fixture
def judge() -> None:
    tensors = loss_networks.LossNetwork.random("squeezenet", thin=1).weights
    installed.install("judge", "squeezenet", tensors, ("f", "0"), "MIT", {"inputs": "caffe", "layers": []})


def world(seed: int = 3) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).standard_normal((72, 140, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return cv2.normalize(smooth, None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)


def pan(count: int, seed: int = 3) -> Clip:
    """A pan over a still texture, a pixel a frame."""
    return [world(seed)[:, i : i + 96].copy() for i in range(count)]


def boiling(clip: Clip) -> Clip:
    rng = np.random.default_rng(4)
    return [np.clip(one + rng.normal(0, 10, one.shape), 0, 255).astype(np.uint8) for one in clip]


def written(folder: Path, name: str, clip: Clip, first: int = 0) -> str:
    for number, picture in enumerate(clip, start=first):
        media.save_image(folder / f"{name}.{number:04d}.png", picture)
    return str(folder / f"{name}.####.png")


def measured(source: str, styled: str, **options: object) -> metrics.Report:
    return metrics.measure(metrics.Job(source, styled, quiet=True, **options))  # type: ignore[arg-type]


def test_a_boiling_clip_is_told_from_a_steady_one(tmp_path: Path) -> None:
    clip = pan(13)
    source = written(tmp_path, "source", clip)
    steady = measured(source, written(tmp_path, "steady", [255 - one for one in clip]))
    boils = measured(source, written(tmp_path, "boils", boiling(clip)))
    for distance in (1, 10):
        assert steady.error[distance]["styled"] < 2e-4
        assert boils.error[distance]["styled"] > 10 * steady.error[distance]["styled"]
        assert boils.error[distance]["source"] == steady.error[distance]["source"]
    assert [row["frame"] for row in steady.series if row["distance"] == 10] == [0, 1, 2]
    assert boils.sharpness["styled"] > boils.sharpness["source"]
    assert steady.content is None and "needs SqueezeNet" in " ".join(steady.notes)
    other = measured(source, str(tmp_path / "boils.####.png"), flow="farneback")
    assert other.error[1]["styled"] == pytest.approx(boils.error[1]["styled"], rel=0.5)


def test_a_pair_across_a_cut_says_nothing(tmp_path: Path) -> None:
    clip = [*pan(8), *(255 - one for one in pan(8, seed=9))]
    report = measured(written(tmp_path, "source", clip), written(tmp_path, "styled", clip))
    assert [row["frame"] for row in report.series] == [n for n in range(15) if n != 7]


def test_content_and_style(tmp_path: Path, judge: None) -> None:
    clip = pan(2)
    source = written(tmp_path, "source", clip)
    painting = tmp_path / "painting.png"
    media.save_image(painting, 255 - clip[0])
    alone = measured(source, source, style=str(painting))
    painted = measured(source, written(tmp_path, "it", [255 - one for one in clip]), style=str(painting))
    assert alone.content == 0 and alone.style is not None and painted.content is not None
    assert painted.content > 0 and painted.style is not None and painted.style < alone.style
    named = measured(source, source, style="starry-night")
    assert named.content == 0 and named.style is None and "--style PICTURE" in " ".join(named.notes)


def test_noise_response_of_our_own_network(tmp_path: Path) -> None:
    source = written(tmp_path, "source", pan(1))
    report = measured(source, source, style="starry-night", noise=True)
    assert report.noise is not None and 0 < report.noise < 5
    assert report.error == {} and "two frames" in " ".join(report.notes)


def test_frames_are_paired_by_number_or_by_order(tmp_path: Path) -> None:
    clip = pan(6)
    source = written(tmp_path, "source", clip, first=1001)
    part = written(tmp_path, "part", clip[2:4], first=0)
    assert measured(source, part, frames=(1003, 1004)).error[1]["styled"] < 2e-4
    whole = written(tmp_path, "whole", [255 - one for one in clip], first=1001)
    report = measured(source, whole, frames=(1003, 1005))
    assert report.frames == (1003, 1005) and [row["frame"] for row in report.series] == [1003, 1004]


def test_another_size_of_the_same_shape_is_scaled(tmp_path: Path) -> None:
    clip = pan(2)
    large = [cv2.resize(one, (192, 144), interpolation=cv2.INTER_CUBIC) for one in clip]
    report = measured(written(tmp_path, "source", clip), written(tmp_path, "large", large))
    assert report.error[1]["styled"] < 5e-4


def test_what_does_not_fit_is_refused_in_a_sentence(tmp_path: Path) -> None:
    clip = pan(3)
    source = written(tmp_path, "source", clip)
    square = written(tmp_path, "square", [one[:, :72] for one in clip])
    short = written(tmp_path, "short", clip[:2])
    for styled, options in (
        (square, {}),
        (short, {}),
        (short, {"frames": (0, 5)}),
        (source, {"flow": "diss"}),
        (source, {"noise": True}),
        (str(tmp_path / "gone.mp4"), {}),
    ):
        with pytest.raises(StylebridgeError) as caught:
            measured(source, styled, **options)
        assert caught.value.code in (Code.BAD_VALUE, Code.NOT_FOUND), styled


def test_table_json_and_plot(tmp_path: Path) -> None:
    clip = pan(12)
    report = measured(written(tmp_path, "source", clip), written(tmp_path, "boils", boiling(clip)))
    table = metrics.as_table(report)
    assert "E_warp, 10 frames apart" in table and "sharpness" in table
    told = json.loads(metrics.as_json(report))
    assert told["error"]["1"]["styled"] == report.error[1]["styled"] and len(told["series"]) == 13
    metrics.plot(report, tmp_path / "out" / "plot.png")
    with Image.open(tmp_path / "out" / "plot.png") as picture:
        assert picture.size == (plot.WIDTH, plot.TITLE + 2 * plot.PANEL + plot.FOOT)
        pixels = np.asarray(picture).reshape(-1, 3).astype(int)
    for colour in plot.COLOURS[:2]:
        assert np.abs(pixels - colour).max(1).min() < 16, "both lines are there"
    one = measured(written(tmp_path, "one", clip[:1]), str(tmp_path / "one.####.png"))
    with pytest.raises(StylebridgeError, match="one frame"):
        metrics.plot(one, tmp_path / "plot.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(StylebridgeError) as caught:
        metrics.plot(report, tmp_path / "file" / "plot.png")
    assert caught.value.code == Code.NOT_WRITABLE


def test_a_flat_line_is_drawn_too(tmp_path: Path) -> None:
    flat = plot.Line("flat", [5], [0.0])
    plot.draw(tmp_path / "flat.png", "flat", "frame", [plot.Panel("nothing happens", [flat])])
    assert (tmp_path / "flat.png").is_file()


def test_per_frame_stands_beside_in_table_plot_and_rows(tmp_path: Path) -> None:
    clip = pan(13)
    source, steady = (
        written(tmp_path, "source", clip),
        written(tmp_path, "steady", [255 - one for one in clip]),
    )
    boils = written(tmp_path, "boils", boiling(clip))
    report = measured(source, steady, per_frame=boils)
    assert report.error[1]["per_frame"] > 10 * report.error[1]["styled"]
    assert report.error[1]["per_frame"] == measured(source, boils).error[1]["styled"]
    assert all({"source", "styled", "per_frame"} <= row.keys() for row in report.series)
    head = metrics.as_table(report).splitlines()[1].split()
    assert head == ["source", "styled", "per", "frame", "styled", "-", "source"]
    metrics.plot(report, tmp_path / "error.png")
    with Image.open(tmp_path / "error.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB"), int)
    for colour in plot.COLOURS:
        assert (np.abs(pixels - colour).max(-1) < 16).sum() > 100
    with pytest.raises(StylebridgeError, match=r"other\.####\.png has 3 frames"):
        measured(source, steady, per_frame=written(tmp_path, "other", clip[:3]))


def test_the_difference_video_shows_what_boils(tmp_path: Path) -> None:
    clip = [*pan(6), *(255 - one for one in pan(6, seed=9))]
    source, boils = written(tmp_path, "source", clip), written(tmp_path, "boils", boiling(clip))
    measured(source, boils, difference=tmp_path / "difference.mkv")
    with media.open_source(tmp_path / "difference.mkv") as video:
        assert (video.info.count, video.info.width, video.info.height) == (12, 2 * 96, 2 * (72 + 26))
        pages = [frame.pixels for frame in video.frames()]
    above, below = slice(26, 98), slice(26 + 98, 2 * 98)
    for number in (0, 2, 8):
        assert np.abs(pages[number][above, :96].astype(int) - clip[number]).mean() < 12
        assert pages[number][below, 96:].mean() > 3 * pages[number][below, :96].mean()
    for number in (5, 11):  # a cut follows, and the end: there is nothing to compare with
        assert pages[number][below].std() < 4
    with pytest.raises(StylebridgeError, match="is no movie"):
        measured(source, boils, difference=tmp_path / "difference.png")


def test_flow_by_a_network_that_is_not_there_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path, "source", pan(2))
    with pytest.raises(StylebridgeError, match="models pull raft-small"):
        measured(source, source, flow="raft-small")
