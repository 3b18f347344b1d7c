"""`stylebridge render --layers`: files from which anybody rebuilds the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - as its own documentation has it
import pytest
from end_to_end_tools import Command, picture

from stylebridge import stamp
from stylebridge_server import media
from stylebridge_server.media import cryptomatte
from stylebridge_server.media.exr_file import read_headers
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.media.matte import Wanted, read_matte

SIZE = (96, 160)
RAMP = "[[10, 0.0], [12, 1.0]]"
NAMES = ["Tänzer im Licht", "le ballon", "n" * 200]


def soft(x: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.clip((34 - np.hypot(columns - x, rows - 48)) / 20 + 0.5, 0, 1).astype(np.float32)


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A plate of 8 bits, one of premultiplied half floats, and three soft mattes that overlap."""
    alpha = np.clip(np.linspace(-0.2, 1.5, SIZE[1], dtype=np.float32), 0, 1)[None].repeat(SIZE[0], 0)
    for number in (10, 11, 12):
        frame = picture(number - 10)
        media.save_image(tmp_path / f"plate.{number}.png", frame)
        linear = (6 * (frame / np.float32(255)) ** 3) * alpha[..., None]
        channels = {name: linear[..., place].astype(np.float16) for place, name in enumerate("RGB")}
        extra = {"A": alpha.astype(np.float16), "depth.Z": alpha}
        write_exr(tmp_path / f"linear.{number}.exr", [NewPart({**channels, **extra}, header={"take": "7b"})])
    for place, x in enumerate((60, 80, 100)):
        media.save_image(tmp_path / f"matte{place}.png", np.rint(soft(x) * 255).astype(np.uint8))
    return tmp_path


def write_look(folder: Path, strengths: list[str]) -> None:
    styles = ["great-wave", "wheat-field", "great-wave", "wheat-field"]
    text = f'schema = "look.1"\n[background]\nstyle = "{styles[3]}"\nstrength = {strengths[3]}\n'
    for place, name in enumerate(NAMES):
        text += f'[[matte]]\nname = "{name}"\npath = "matte{place}.png"\n'
        text += f'[[instance]]\nselect = "{name}"\nstyle = "{styles[place]}"\nstrength = {strengths[place]}\n'
        text += "edge_softness = 30.0\n"
    (folder / "look.toml").write_text(text, encoding="utf-8")


def channels_of(path: Path) -> dict[str, np.ndarray]:
    """All channels of a file by name, read by OpenImageIO alone."""
    file = oiio.ImageInput.open(str(path))
    pixels = file.read_image(0, 0, 0, file.spec().nchannels, oiio.FLOAT)
    return {
        name: pixels[..., place].astype(np.float64) for place, name in enumerate(file.spec().channelnames)
    }


@pytest.mark.parametrize("plate", ["plate.##.png", "linear.##.exr"])
def test_the_picture_is_rebuilt_from_the_file_by_the_formula(
    stylebridge: Command, shot: Path, plate: str
) -> None:
    write_look(shot, ["1.0"] * 4)
    ran = stylebridge("render", plate, "layers.##.exr", "--look", "look.toml", "--layers", "--quiet")
    assert ran.status == 0, ran.err
    assert "Tanzer_im_Licht (Tänzer im Licht)" in ran.out
    files = {number: channels_of(shot / f"layers.{number}.exr") for number in (10, 11, 12)}
    [part] = read_headers(shot / "layers.11.exr").parts
    told = json.loads(part.attributes["stylebridge:layers"].text)
    assert [(one["id"], one["name"]) for one in told] == [
        (0, "background"),
        *zip((1, 2, 3), NAMES, strict=True),
    ]
    assert all(one["layer"].isascii() and " " not in one["layer"] for one in told)
    assert stamp.Record.parse(part.attributes[stamp.REQUEST].text) is not None
    ending = Path(plate).suffix
    dtype = np.uint8 if ending == ".png" else np.float16
    for place, strengths in enumerate((["0.0"] * 4, ["0.5"] * 4, ["1.0"] * 4, [RAMP, "1.0", "0.5", RAMP])):
        write_look(shot, strengths)
        ran = stylebridge("render", plate, f"flat{place}.##{ending}", "--look", "look.toml", "--quiet")
        assert ran.status == 0, ran.err
        for number, found in files.items():
            source = channels_of(shot / plate.replace("##", str(number)))
            flat = channels_of(shot / f"flat{place}.{number}{ending}")
            for colour in "RGB":
                i = found[colour]
                assert np.allclose(i, source[colour], atol=0 if dtype is np.float16 else 2**-12)
                out, most = i.copy(), np.abs(i)
                for one in told:
                    # The background is the first in the file and the last in the look.
                    s = strengths[one["id"] - 1]
                    at = (number - 10) / 2 if s == RAMP else float(s)
                    layer, m = found[f"{one['layer']}.{colour}"], found[f"{one['layer']}.A"]
                    out += at * (layer - m * i)
                    most = np.maximum(most, np.divide(layer, m, out=np.zeros_like(m), where=m > 0.01))
                rounding = 0.5 / 255 if dtype is np.uint8 else 3 * 2**-25
                assert np.all(np.abs(out - flat[colour]) <= most * 2**-9 + rounding + 1e-7)
    if ending == ".exr":
        assert part.attributes["take"].text == "7b" and "depth.Z" not in files[10]
        assert np.array_equal(files[10]["A"], source["A"])


def test_the_mattes_are_a_cryptomatte(stylebridge: Command, shot: Path) -> None:
    write_look(shot, ["0.0"] * 4)
    ran = stylebridge("render", "plate.##.png", "layers.##.exr", "--look", "look.toml", "--layers", "--quiet")
    assert ran.status == 0, ran.err
    path = shot / "layers.12.exr"
    [part] = read_headers(path).parts
    [found] = cryptomatte.of_part(part)
    assert found.manifest == {name: cryptomatte.name_hash(name) for name in NAMES}
    channels = channels_of(path)
    told = {one["name"]: one["layer"] for one in json.loads(part.attributes["stylebridge:layers"].text)}
    for name in NAMES:
        picked = read_matte([path], Wanted(thing=name))(path)
        assert picked is not None and picked.plane.any()
        assert np.abs(picked.plane - channels[f"{told[name]}.A"]).max() <= 1 / 255


def test_a_picture_for_each_layer(stylebridge: Command, shot: Path) -> None:
    write_look(shot, ["0.0"] * 4)
    ran = stylebridge(
        "render",
        "plate.##.png",
        "{layer}/{layer}.##.png",
        "--look",
        "look.toml",
        "--layers",
        "--scale",
        "2",
        "--quiet",
    )
    assert ran.status == 0, ran.err
    layer = media.load_image(shot / "le_ballon" / "le_ballon.11.png").pixels
    assert layer.shape == (48, 80, 4) and layer.dtype == np.uint16
    ran = stylebridge(
        "render", "plate.##.png", "small.##.exr", "--look", "look.toml", "--layers", "--scale", "2", "--quiet"
    )
    assert ran.status == 0, ran.err
    both = channels_of(shot / "small.11.exr")
    alpha = layer[..., 3] / 65535
    assert np.abs(alpha - both["le_ballon.A"]).max() < 2**-11
    assert np.abs(layer[..., 0] / 65535 * alpha - both["le_ballon.R"]).max() < 2**-10


def test_what_layers_cannot_be_written_to_is_refused(stylebridge: Command, shot: Path) -> None:
    write_look(shot, ["1.0"] * 4)
    (shot / "off.toml").write_text('schema = "look.1"\n[background]\nstrength = 0\n')
    for source, target, look, words in (
        ("plate.##.png", "out.mp4", "look.toml", "write OUT.####.exr"),
        ("plate.##.png", "out.exr", "look.toml", "out.exr is one picture, but 3 frames"),
        ("plate.##.png", "{layer}.png", "look.toml", "add ####"),
        ("linear.##.exr", "{layer}.##.png", "look.toml", "cannot hold floating point layers"),
        ("plate.##.png", "out.##.exr", "off.toml", "styles nothing"),
        ("plate.##.png", "nowhere/out.##.exr", "look.toml", "does not exist"),
    ):
        ran = stylebridge("render", source, target, "--look", look, "--layers", "--quiet")
        assert ran.status == 2 and words in ran.err, (target, ran.err)
    assert not list(shot.glob("out*"))
    ran = stylebridge("render", "plate.10.png", "one.exr", "--look", "look.toml", "--layers", "--quiet")
    assert ran.status == 0 and (shot / "one.exr").is_file(), ran.err


def test_a_proxy_is_written(stylebridge: Command, shot: Path) -> None:
    ran = stylebridge(
        "render", "plate.##.png", "p.##.png", "--style", "great-wave", "--scale", "4", "--quiet"
    )
    assert ran.status == 0, ran.err
    assert media.load_image(shot / "p.10.png").pixels.shape == (24, 40, 3)
    ran = stylebridge(
        "render", "linear.##.exr", "p.##.exr", "--style", "great-wave", "--scale", "2", "--quiet"
    )
    assert ran.status == 0, ran.err
    assert channels_of(shot / "p.10.exr")["A"].shape == (48, 80)


def test_layers_that_are_there_are_kept_and_others_are_not_touched(stylebridge: Command, shot: Path) -> None:
    write_look(shot, ["1.0"] * 4)
    ask = ("--look", "look.toml", "--layers", "--quiet")
    for target in ("layers.##.exr", "{layer}.##.png"):
        ran = stylebridge("render", "plate.##.png", target, *ask, "--frames", "10-11")
        assert ran.status == 0, ran.err
        files = {path: path.stat().st_mtime_ns for path in shot.glob("*.1[01].*") if "plate" not in path.name}
        write_look(shot, ["0.25", "0.0", RAMP, "0.0"])  # no layer depends on that
        ran = stylebridge("render", "plate.##.png", target, *ask)
        assert ran.status == 0 and "1 frame in" in ran.out and "2 frames there already and kept" in ran.out
        assert all(path.stat().st_mtime_ns == before for path, before in files.items())
        ran = stylebridge("render", "plate.##.png", target, *ask, "--check")
        assert ran.status == 0, ran.out
        text = (
            (shot / "look.toml")
            .read_text(encoding="utf-8")
            .replace("edge_softness = 30", "edge_softness = 31")
        )
        (shot / "look.toml").write_text(text, encoding="utf-8")
        ran = stylebridge("render", "plate.##.png", target, *ask, "--check")
        assert ran.status == 4 and "stale: 10-12" in ran.out
        ran = stylebridge("render", "plate.##.png", target, *ask)
        assert ran.status == 2 and "--overwrite" in ran.err
        assert all(path.stat().st_mtime_ns == before for path, before in files.items())
        write_look(shot, ["1.0"] * 4)
    ran = stylebridge("render", "plate.##.png", "layers.##.exr", *ask, "--next-version", "--frames", "10")
    assert ran.status == 0 and (shot / "layers_v001.10.exr").is_file(), ran.err
