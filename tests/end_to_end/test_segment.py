"""`stylebridge segment`: instances listed, drawn, exported in every form, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from end_to_end_tools import Command, picture

from stylebridge.client import Client
from stylebridge_server import media
from stylebridge_server.media.matte import Wanted, read_matte

LOOK = """
schema = "look.1"
[[matte]]
name = "ball"
path = "roto.####.png"
[[matte]]
name = "hat"
path = "hat.png"
"""


@pytest.fixture
def plate(tmp_path: Path) -> str:
    hat = np.zeros((96, 160, 1), np.uint8)
    hat[5:15, 100:130] = 255
    media.save_image(tmp_path / "hat.png", hat)
    for number in range(1001, 1004):
        media.save_image(tmp_path / f"plate.{number}.png", picture(number - 1001))
        rows, columns = np.mgrid[:96, :160]
        ball = np.hypot(columns - 40 - 5 * (number - 1001), rows - 50) < 20
        media.save_image(tmp_path / f"roto.{number}.png", (ball * 200).astype(np.uint8)[..., None])
    (tmp_path / "look.toml").write_text(LOOK, "utf-8")
    return str(tmp_path / "plate.####.png")


def roto(folder: Path, number: int) -> np.ndarray:
    return media.load_image(folder / f"roto.{number}.png").pixels[..., 0]


def test_the_list_and_the_sheet(stylebridge: Command, plate: str, tmp_path: Path) -> None:
    ran = stylebridge("segment", plate, "--look", "look.toml", "--quiet")
    assert ran.status == 0, ran.err
    title, ball, hat, by, sheet = ran.out.strip().splitlines()
    assert title.split() == ["id", "name", "label", "frames", "size"]
    assert ball.split()[:6] == ["1", "ball", "-", "1001", "to", "1003"] and ball.endswith("%")
    assert hat.split()[1] == "hat" and by == "Found by host." and "contact sheet" in sheet
    (drawn,) = tmp_path.glob("*.instances.png")
    assert media.load_image(drawn).pixels.shape[0] > 200
    ran = stylebridge("segment", plate, "--look", "look.toml", "--quiet", "--json")
    told = json.loads(ran.out)
    assert told["segmenter"] == "host" and [one["name"] for one in told["instances"]] == ["ball", "hat"]


@pytest.mark.parametrize("form", ["png", "exr", "coco"])
def test_mattes_go_out_and_come_back(
    stylebridge: Command, server: str, plate: str, tmp_path: Path, form: str
) -> None:
    ran = stylebridge("segment", plate, "--look", "look.toml", "--out", "out", "--export", form, "--quiet")
    assert ran.status == 0, ran.err
    out = tmp_path / "out"
    given = {
        "png": {"name": "ball", "path": str(out / "ball.####.png")},
        "exr": {"name": "ball", "path": str(out / "plate.mattes.####.exr"), "channel": "ball.A"},
        "coco": {"name": "ball", "path": str(out / "plate.coco.json")},
    }[form]
    assert len(list(out.iterdir())) == {"png": 7, "exr": 4, "coco": 2}[form]
    if form == "exr":
        one = out / "plate.mattes.1001.exr"
        part = read_matte([one], Wanted("hat.A"))(one)
        assert part is not None and part.plane.sum() == 300
    with Client.connect(server) as client:
        shot = client.open_shot(plate)
        back = client.analyse(shot, mattes=[given])
        for found, number in zip(
            client.mattes(shot, back, 1, range(1001, 1004)), range(1001, 1004), strict=True
        ):
            matte, truth = np.asarray(found)[..., 0], roto(tmp_path, number)
            # Half floats hold 8 bits; run lengths are hard.
            assert np.array_equal(matte, (truth >= 128) * 255 if form == "coco" else truth)


def test_what_is_refused(stylebridge: Command, plate: str, tmp_path: Path) -> None:
    for arguments, says in [
        (("--export", "coco"), "name one with --out"),
        (("--export", "cocoa", "--out", "out"), "did you mean 'coco'?"),
        (("--segmenter", "mascrcnn"), "did you mean 'maskrcnn'?"),
        (("--segmenter", "yolact"), "No network of the kind 'yolact' is installed"),
    ]:
        ran = stylebridge("segment", plate, *arguments, "--quiet")
        assert ran.status != 0 and says in ran.err, ran
    masks = {"images": [], "annotations": [], "categories": []}
    (tmp_path / "masks.json").write_text(json.dumps(masks), "utf-8")
    look = 'schema = "look.1"\n[[matte]]\nname = "ball"\npath = "masks.json"\n'
    (tmp_path / "look.toml").write_text(look, "utf-8")
    ran = stylebridge("segment", plate, "--look", "look.toml", "--quiet")
    assert ran.status != 0 and "masks.json has no 'ball'; it has no masks at all" in ran.err


def test_nothing_found_is_said(stylebridge: Command, plate: str) -> None:
    ran = stylebridge("segment", plate, "--segmenter", "none", "--quiet")
    assert ran.status == 0
    assert "No instance was found (by none); the background is the whole picture and can be styled" in ran.out


def test_a_network_that_is_imported_is_what_auto_means(
    stylebridge: Command, home: Path, shared: Path, tmp_path: Path
) -> None:
    photograph = cv2.imread(str(shared / "data/photos/coco_permissive/images/000000000073.jpg"))
    small = cv2.resize(photograph, (220, 250), interpolation=cv2.INTER_AREA)
    media.save_image(tmp_path / "still.png", np.ascontiguousarray(small[..., ::-1]))
    weights = shared / "data/weights/espnetv2/espnetv2_s_2.0_pascal_384x384.pth"
    try:
        ran = stylebridge("models", "import", str(weights), "--name", "finder", "--licence", "MIT")
        assert ran.status == 0 and "stylebridge segment CLIP --segmenter finder" in ran.out, ran.err
        ran = stylebridge("segment", "still.png", "--quiet", "--json")
        told = json.loads(ran.out)
        assert told["segmenter"] == "espnetv2"
        assert "motorbike:1" in [one["name"] for one in told["instances"]]
        again = json.loads(
            stylebridge("segment", "still.png", "--segmenter", "finder", "--quiet", "--json").out
        )
        assert again["analysis"] == told["analysis"]
    finally:
        shutil.rmtree(home / "models" / "finder")
