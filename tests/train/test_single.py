"""A network for one style: trained on tiny data with a random loss network, killed, resumed, spread, exported."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import johnson
from stylebridge_models.loss_networks import LossNetwork
from stylebridge_server import train
from stylebridge_server.style import terms
from stylebridge_server.train import textures
from stylebridge_server.train.single import SingleMaterials, SingleTrainer
from stylebridge_server.train.sources import FrameFolder, Pairs, Pictures

RECIPE = train.SingleRecipe(
    name="tiny",
    steps=5,
    style_pictures=("a.png",),
    pictures=("scenes",),
    frames=("frames",),
    widths=(4, 6, 8),
    blocks=1,
    style_layers=("relu1_2", "relu2_2"),
    content_layers=("relu2_1",),
    style_side=48,
    batch=1,
    pairs=1,
    crop=32,
    readers=1,
    mixed_precision=False,
    noise=1.0,
    temporal=1.0,
    warm_up=2,
    checkpoint_every=3,
    sheet_every=100,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("single")
    rng = np.random.default_rng(5)
    picture = textures.texture(rng, 64)
    for kind in ("scenes", "frames"):
        (folder / kind).mkdir()
        for i in range(3):
            cv2.imwrite(str(folder / kind / f"{i:04d}.png"), np.roll(picture, 2 * i, 1))
    cv2.imwrite(str(folder / "a.png"), textures.texture(rng, 64))
    return folder


@pytest.fixture(scope="module")
def materials(folder: Path) -> SingleMaterials:
    return SingleMaterials(
        styles=[textures.texture(np.random.default_rng(6), 64)],
        loss_network=LossNetwork.random("vgg16"),
        stills=Pictures([folder / "scenes"]),
        pairs=Pairs([FrameFolder(folder / "frames")]),
        shown=[textures.texture(np.random.default_rng(7), 64)],
    )


def curve(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open(newline="") as file:
        return [[row[name] for name in ("loss", "noise", "temporal")] for row in csv.DictReader(file)]


def test_killed_and_resumed_run_follows_the_same_curve(materials: SingleMaterials, tmp_path: Path) -> None:
    whole = train.train_single(RECIPE, materials, tmp_path / "whole")
    part = SingleTrainer(RECIPE, materials, tmp_path / "parts")
    for _ in range(4):  # dies after a step that no checkpoint holds
        part.advance()
        if part.step == 3:
            part.save()
    part.ahead.close()
    resumed = train.train_single(RECIPE, materials, tmp_path / "parts")
    assert len(curve(tmp_path / "whole")) == RECIPE.steps
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert (tmp_path / "whole" / "curve.png").is_file() and (
        tmp_path / "whole" / "sheet-000005.jpg"
    ).is_file()


@pytest.mark.parametrize(
    ("network", "kind", "normalisation"),
    [
        ("vgg19", terms.GRAM, johnson.FILTER_RESPONSE),
        ("squeezenet", terms.MOMENTS, johnson.INSTANCE),
    ],
)
def test_every_choice_takes_the_loss_down(
    materials: SingleMaterials, tmp_path: Path, network: str, kind: str, normalisation: str
) -> None:
    layers = ("relu1", "fire2") if network == "squeezenet" else ("relu1_1", "relu2_1")
    recipe = replace(
        RECIPE,
        loss_network=network,
        style_kind=kind,
        normalisation=normalisation,
        style_layers=layers,
        content_layers=layers[1:],
        rate=3e-3,
        readers=0,
    )
    trainer = SingleTrainer(recipe, replace(materials, loss_network=LossNetwork.random(network)), tmp_path)
    before = trainer.losses_of(0)["style"].item()
    for _ in range(12):
        trainer.advance()
    assert trainer.losses_of(0)["style"].item() < 0.95 * before


def test_temporal_loss_asks_for_outputs_that_move_with_the_picture(
    materials: SingleMaterials, tmp_path: Path
) -> None:
    trainer = SingleTrainer(replace(RECIPE, batch=0, readers=0), materials, tmp_path)
    loss = trainer.losses_of(0)["temporal"]
    loss.backward()
    slopes = [p.grad for p in trainer.network.parameters() if p.grad is not None]
    assert slopes and any(float(slope.abs().sum()) > 0 for slope in slopes)


def test_noise_is_fresh_in_every_step_and_the_same_when_repeated(
    materials: SingleMaterials, tmp_path: Path
) -> None:
    trainer = SingleTrainer(replace(RECIPE, readers=0, noise_share=0.3), materials, tmp_path)
    first, again, second = (trainer._batch(step).noise for step in (0, 0, 1))
    assert first is not None and again is not None and second is not None
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert 0.1 < float((first[0].abs().sum(0) > 0).float().mean()) < 0.5


def test_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    materials: SingleMaterials, tmp_path: Path
) -> None:
    trainer = SingleTrainer(replace(RECIPE, readers=0), materials, tmp_path)
    trainer.advance()
    trainer.save()
    good = trainer.checkpoint.read_bytes()
    with torch.no_grad():
        trainer.network.deconv3.conv2d.weight.fill_(float("nan"))
    with pytest.raises(StylebridgeError, match="last good checkpoint"):
        trainer.advance()
    assert trainer.checkpoint.read_bytes() == good


def test_checkpoint_of_another_network_is_refused(materials: SingleMaterials, tmp_path: Path) -> None:
    trainer = SingleTrainer(replace(RECIPE, readers=0), materials, tmp_path)
    trainer.advance()
    trainer.save()
    with pytest.raises(StylebridgeError) as caught:
        SingleTrainer(replace(RECIPE, blocks=2), materials, tmp_path)
    assert caught.value.code == Code.NOT_READABLE and "res2" in caught.value.message


def test_layer_that_the_loss_network_lacks_is_named(materials: SingleMaterials, tmp_path: Path) -> None:
    with pytest.raises(StylebridgeError, match="did you mean 'relu3_3'"):
        SingleTrainer(replace(RECIPE, style_layers=("relu3_9",)), materials, tmp_path)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"normalisation": "batch"}, "normalisation"),
        ({"style_kind": "grams"}, "did you mean 'gram'"),
        ({"loss_network": "vgg17"}, "vgg1"),
        ({"style_weights": (1.0, 2.0)}, "style_weights"),
        ({"style_pictures": ()}, "style_pictures"),
        ({"pairs": 0}, "temporal"),
        ({"frames": ()}, "pairs"),
        ({"crop": 33}, "crop"),
        ({"batch": 0, "pairs": 0, "temporal": 0.0}, "batch"),
        ({"widths": (4, 6)}, "widths"),
        ({"taught": 1.0}, "teacher"),
    ],
)
def test_values_that_do_not_fit_are_named(change: dict[str, object], word: str) -> None:
    with pytest.raises(StylebridgeError, match=word) as caught:
        replace(RECIPE, **change).check()  # type: ignore[arg-type]
    assert caught.value.code == Code.BAD_VALUE


def test_unknown_recipe_key_is_named_with_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    with pytest.raises(StylebridgeError, match=r"'style_picture'.*did you mean 'style_pictures'"):
        train.checked_recipe({"name": "x", "steps": 1, "style_picture": "a"}, train.SingleRecipe, path)
    with pytest.raises(StylebridgeError, match="steps"):
        train.checked_recipe({"name": "x"}, train.SingleRecipe, path)


def weights(path: Path) -> Path:
    """A file of a real loss network's first layers, random."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for index, (inputs, outputs) in {0: (3, 64), 2: (64, 64), 5: (64, 128)}.items():
        state[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * 0.05
        state[f"features.{index}.bias"] = torch.zeros(outputs)
    safetensors.torch.save_file(state, path)
    return path


def command(folder: Path, out: Path, *more: str) -> list[str]:
    settings = {
        "name": '"tiny"', "steps": "2", "frames": f'["{folder / "frames"}"]', "widths": "[4, 4, 4]", "blocks": "1",
        "loss_network": '"vgg16"', "style_layers": '["relu1_1"]', "content_layers": '["relu1_2"]', "crop": "32",
        "batch": "1", "pairs": "1", "temporal": "1.0", "sheet_every": "2", "mixed_precision": "true",
    }  # fmt: skip
    words = [f"--set={key}={value}" for key, value in settings.items()]
    return [
        "train", "--recipe", "johnson", "--scenes", str(folder / "scenes"), "--styles", str(folder / "a.png"),
        "--vgg", str(folder / "vgg16.safetensors"), "--out", str(out), *words, *more,
    ]  # fmt: skip


def test_command_makes_a_file_that_can_be_imported(folder: Path, tmp_path: Path, repository: Path) -> None:
    """Two processes that torchrun made share the run."""
    weights(folder / "vgg16.safetensors")
    paths = os.pathsep.join(str(repository / part) for part in ("bridge", "server", "models"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *("-m", "stylebridge", *command(folder, tmp_path / "out")),
        ],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("makes it a style") == 1
    assert len(curve(tmp_path / "out")) == 2
    path = tmp_path / "out" / "weights" / "tiny.safetensors"
    state, card = safetensors.torch.load_file(path), json.loads(path.with_suffix(".json").read_text())
    assert johnson.shapes(**johnson.build(state)) == {name: tuple(v.shape) for name, v in state.items()}
    assert card["kind"] == "johnson" and card["styles"] == ["a.png"]
    assert str(tmp_path) not in path.with_suffix(".json").read_text()


def test_workers_of_one_machine_agree_with_one_another(folder: Path, tmp_path: Path) -> None:
    from stylebridge_server.cli.app import app

    weights(folder / "vgg16.safetensors")
    with pytest.raises(SystemExit) as end:
        app(command(folder, tmp_path / "out", "--workers", "2"))
    assert not end.value.code
    state = safetensors.torch.load_file(tmp_path / "out" / "weights" / "tiny.safetensors")
    assert all(torch.isfinite(value).all() for value in state.values())


@pytest.mark.parametrize(
    ("name", "mode", "size"),
    [
        ("grey.png", "L", (9, 7)),
        ("deep.png", "I;16", (9, 7)),
        ("print.jpg", "CMYK", (9, 7)),
        ("moving.gif", "P", (9, 7)),
        ("dot.png", "RGB", (1, 1)),
        ("strip.png", "RGB", (900, 2)),
    ],
)
def test_style_pictures_of_every_kind(name: str, mode: str, size: tuple[int, int], tmp_path: Path) -> None:
    from PIL import Image

    from stylebridge_server.train.single_launch import style_picture

    picture = Image.new(mode, size)
    more = {"save_all": True, "append_images": [Image.new(mode, size, 3)]} if name.endswith("gif") else {}
    picture.save(tmp_path / name, **more)
    found = style_picture(tmp_path / name)
    assert found.dtype == np.uint8 and found.shape[2] == 3
    assert max(found.shape[:2]) <= 4 * min(found.shape[:2])
