"""Estimates of memory: they grow with what they depend on, and lie over what is measured, and not far over it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stylebridge.look import Look
from stylebridge_server import style, temporal
from stylebridge_server.shot.footprint import extent, of_analysis, of_render, that_fits
from stylebridge_server.shot.render import Resolved
from stylebridge_server.values import SourceInfo

HD = SourceInfo("movie", 1920, 1080, 0, 99)
MEBIBYTE = 1 << 20


def rendering(info: SourceInfo, layers: int = 1, stroke: float = 1.0, window: int = 8) -> int:
    return of_render(info, layers, {stroke}, window, whole=False)


def test_estimates_grow_with_what_they_depend_on() -> None:
    least = rendering(HD)
    for more in (
        rendering(replace(HD, width=3840, height=2160)),
        rendering(replace(HD, dtype="float32")),
        rendering(replace(HD, channels=4)),
        rendering(replace(HD, colour="acescg")),
        rendering(HD, layers=3),
        rendering(HD, stroke=0.5),
        rendering(HD, window=16),
        of_render(HD, 1, {1.0}, 8, whole=True),
    ):
        assert more > least
    assert rendering(HD, layers=0) < least, "the source's own bits come back"
    assert of_analysis(HD, instances=True) > of_analysis(HD, instances=False)


def test_the_largest_picture_that_fits() -> None:
    for most in (200 * MEBIBYTE, 500 * MEBIBYTE):
        fits = that_fits(HD, rendering, most)
        if fits is None:
            assert rendering(replace(HD, width=32, height=18)) > most
            continue
        assert fits[0] < 1920 and abs(fits[0] * 9 - fits[1] * 16) <= 16
        assert rendering(replace(HD, width=fits[0], height=fits[1])) <= most
        assert rendering(replace(HD, width=fits[0] + 32, height=fits[1] + 18)) > most
    assert that_fits(HD, rendering, 0) is None


def test_only_layers_that_take_part_count() -> None:
    look = Look.from_data(
        {
            "schema": "look.1",
            "background": {"style": "ink", "strength": 0},
            "instance": [{"select": "ball", "style": "ink", "stroke_size": [[0, 0.5], [9, 2.0]]}],
        }
    )
    layers = dict(enumerate(look.layers))
    code = style.CodeStyle(next(iter(style.load().presets().values())).code)
    found = extent(Resolved(layers, {}, look.shot, {"ink": code}, idle=False), HD)
    assert found.pop("flow")(10) == temporal.DIS.memory(10)
    assert found == {"layers": 1, "strokes": {0.5, 2.0}, "window": look.shot["window"], "whole": False}


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are measured on Linux")
@pytest.mark.parametrize(
    "case",
    [
        ("render", 640, 360, "uint8", 1, 8),
        ("render", 1920, 1080, "uint8", 1, 8),
        ("render", 1920, 1080, "float32", 2, 2),
        ("render", 3840, 2160, "uint8", 3, 2),
        ("render", 3840, 2160, "float32+alpha", 2, 2),
        ("render", 7680, 4320, "uint8", 1, 1),
        ("layers", 1920, 1080, "uint16", 4, 2),
        ("mattes", 1920, 1080, "uint8", 6, 1),
        ("analyse", 640, 360, "uint8", 1, 1),
        ("analyse", 1920, 1080, "uint16", 1, 1),
        ("analyse", 3840, 2160, "uint8", 1, 1),
    ],
    ids=lambda case: "-".join(map(str, case)),
)
def test_estimates_lie_over_what_is_measured(case: tuple[object, ...], repository: Path) -> None:
    measured, estimated = peaks(repository, *case)
    assert measured <= estimated <= 2.5 * measured + 128, f"{measured:.0f} MiB, estimated {estimated:.0f}"


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are measured on Linux")
def test_an_analysis_of_a_longer_shot_takes_no_more(repository: Path) -> None:
    short, long = (peaks(repository, "analyse", 320, 180, "uint8", 1, count)[0] for count in (60, 600))
    assert long <= 1.1 * short + 8, f"{short:.0f} MiB for 60 frames, {long:.0f} for 600"


def peaks(repository: Path, *words: object) -> tuple[float, float]:
    """What is measured and what is estimated, in MiB; see peaks.py."""
    folders = [str(repository / name) for name in ("bridge", "server", "models")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, str(Path(__file__).with_name("peaks.py")), *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    measured, estimated = (int(word) / MEBIBYTE for word in done.stdout.split())
    return measured, estimated
