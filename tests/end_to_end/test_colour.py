"""A compositor's plate through the command line: linear half floats, alpha, values that are no numbers, configs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO
import pytest
from end_to_end_tools import Command
from numpy.typing import NDArray

from stylebridge.client import Client
from stylebridge.errors import StylebridgeError

WIDTH, HEIGHT = 96, 64


def plate() -> NDArray[np.float16]:
    """(H, W, 4): a premultiplied disc with a soft edge over nothing, a lamp of 16 in it, and three pixels that are no
    numbers."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    alpha = np.clip((26 - np.hypot(columns - 48, rows - 32)) / 3, 0, 1)
    colour = np.stack((0.1 + 0.3 * columns / WIDTH, 0.2 + 0.1 * np.sin(rows / 3), 0.1 + 0 * rows), -1)
    colour[28:36, 40:50] = 16, 12, 8
    pixels = np.concatenate((colour * alpha[..., None], alpha[..., None]), -1).astype(np.float16)
    pixels[5, 5, :3] = 2.0  # shines without covering
    pixels[30, 60, 0], pixels[31, 60, 1], pixels[33, 61, 2] = np.nan, np.inf, -np.inf
    return pixels


def write(path: Path, pixels: NDArray[np.float16]) -> Path:
    spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, pixels.shape[2], "half")
    output = OpenImageIO.ImageOutput.create(str(path))
    output.open(str(path), spec)
    output.write_image(pixels)
    output.close()
    return path


def read(path: Path) -> NDArray[np.float16]:
    opened = OpenImageIO.ImageInput.open(str(path))
    pixels = opened.read_image("half").view(np.float16).reshape(HEIGHT, WIDTH, -1)
    opened.close()
    return pixels


def test_a_plate_keeps_what_is_not_colour(stylebridge: Command, tmp_path: Path) -> None:
    source = plate()
    write(tmp_path / "plate.exr", source)
    done = stylebridge(
        "render", tmp_path / "plate.exr", tmp_path / "out.exr", "--style", "great-wave", "--quiet"
    )
    assert done.status == 0, done.err
    assert "3 pixels of the source are not finite (infinite or no number), on 1 frame" in done.out
    result = read(tmp_path / "out.exr")
    assert (result[..., 3].view(np.uint16) == source[..., 3].view(np.uint16)).all()
    broken = ~np.isfinite(source).all(-1)
    kept = broken | (source[..., 3] == 0)
    assert (result[kept].view(np.uint16) == source[kept].view(np.uint16)).all()
    assert np.isfinite(result[~broken]).all()
    styled = result[~kept][:, :3] != source[~kept][:, :3]
    assert styled.any(-1).mean() > 0.9
    lamp = result[30:34, 42:48, :3].max(-1)
    assert lamp.min() > 8


def test_a_space_and_a_config_are_taken_from_the_command_line_and_the_environment(
    stylebridge: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plate.exr", np.clip(np.nan_to_num(plate(), posinf=0, neginf=0), 0, 1)[..., :3])
    words = ("render", tmp_path / "plate.exr", tmp_path / "out.exr", "--style", "great-wave", "--quiet")
    unknown = stylebridge(*words, "--colour", "acescgg")
    assert unknown.status == 2
    assert (
        "There is no colour space 'acescgg'" in unknown.err and "did you mean 'acescg'" in unknown.err.lower()
    )
    alpha = stylebridge(*words, "--alpha", "premultiplied")
    assert alpha.status == 2 and 'cannot have the alpha "premultiplied"' in alpha.err
    broken = tmp_path / "show" / "config.ocio"
    broken.parent.mkdir()
    broken.write_text("colorspaces: [")
    refused = stylebridge(*words, "--colour", "acescg", "--config", broken)
    assert refused.status == 2 and f"The OpenColorIO config {broken} is broken" in refused.err
    assert not (tmp_path / "out.exr").exists()
    monkeypatch.setenv("OCIO", str(broken))
    refused = stylebridge(*words, "--colour", "acescg")
    assert refused.status == 2 and f"The OpenColorIO config {broken} is broken" in refused.err


def test_a_shot_is_named_by_how_it_is_read(server: str, tmp_path: Path) -> None:
    path = write(tmp_path / "plate.exr", plate())
    config = tmp_path / "config.ocio"
    config.write_text(CONFIG)
    with Client.connect(server) as client:
        usual = client.open_shot(path)
        assert (usual.info["colour"], usual.info["alpha"]) == ("Linear Rec.709 (sRGB)", "premultiplied")
        same = client.open_shot(path, colour="lin_rec709", alpha="premultiplied")
        assert same.id == usual.id
        ids = {
            usual.id,
            client.open_shot(path, colour="acescg").id,
            client.open_shot(path, alpha="straight").id,
            client.open_shot(path, colour="linear", config="ocio://studio-config-latest").id,
            client.open_shot(path, colour="plate", config=config).id,
        }
        assert len(ids) == 5
        with pytest.raises(StylebridgeError, match=f"There is no colour space 'acescg' in {config}"):
            client.open_shot(path, colour="acescg", config=config)
        made = {"first": 1, "last": 1, "width": WIDTH, "height": HEIGHT, "channels": 4, "dtype": "float16"}
        pushed = client.open_shot(
            pushed=made, frames={1: plate()}, colour="plate", alpha="premultiplied", config=config
        )
        assert (pushed.info["colour"], pushed.info["alpha"]) == ("plate", "premultiplied")


CONFIG = """ocio_profile_version: 2
roles: {default: raw, scene_linear: plate, data: raw}
file_rules:
  - !<Rule> {name: Default, colorspace: default}
displays:
  none:
    - !<View> {name: plain, colorspace: raw}
colorspaces:
  - !<ColorSpace> {name: plate}
  - !<ColorSpace> {name: raw, isdata: true}
"""
