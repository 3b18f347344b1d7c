"""Training on tiny synthetic pictures with a random loss network: resumable, careful with NaN, really steadying."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import registry
from stylebridge_server import train
from stylebridge_server.train import losses, pictures, textures, trainer
from stylebridge_server.train.losses import Vgg
from stylebridge_server.train.trainer import Trainer

RECIPE = train.Recipe(
    name="tiny",
    steps=5,
    scene_side=96,
    scene_smallest=64,
    scene_largest=80,
    styles=6,
    pairs=3,
    uses=2,
    batch=2,
    crop=48,
    rim=4,
    shift=4,
    losses_crop=32,
    perceptual=0.1,
    style=0.1,
    warm_up=2,
    checkpoint_every=3,
    sheet_every=100,
)


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory) -> train.Materials:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(5)
    for kind in ("scenes", "styles"):
        (folder / kind).mkdir()
        for i in range(3):
            cv2.imwrite(str(folder / kind / f"{i}.png"), textures.texture(rng, 128))
    scenes = train.Scenes([folder / "scenes"], (), RECIPE.scene_side)
    styles = train.Styles(folder / "styles", (), scenes, RECIPE.styles, RECIPE.seed, side=96)
    return train.Materials(scenes, styles, vgg=Vgg.random())


def curve(folder: Path) -> list[str]:
    with (folder / "log.csv").open(newline="") as file:
        return [row["loss"] for row in csv.DictReader(file)]


def test_killed_and_resumed_run_follows_the_same_curve(materials: train.Materials, tmp_path: Path) -> None:
    whole = train.train(RECIPE, materials, tmp_path / "whole", amp=False)
    part = train.Trainer(RECIPE, materials, tmp_path / "parts", amp=False)
    for _ in range(4):  # dies after a step that no checkpoint holds
        part.advance()
        if part.step == 3:
            part.save()
    (tmp_path / "parts" / "checkpoint.part").write_bytes(b"half a checkpoint")
    resumed = train.train(RECIPE, materials, tmp_path / "parts", amp=False)
    assert len(curve(tmp_path / "whole")) == RECIPE.steps
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    materials: train.Materials, tmp_path: Path
) -> None:
    trainer = train.Trainer(RECIPE, materials, tmp_path, amp=False)
    trainer.advance()
    trainer.save()
    good = trainer.checkpoint.read_bytes()
    with torch.no_grad():
        trainer.network.decoder.out.weight.fill_(float("nan"))
    with pytest.raises(StylebridgeError) as caught:
        trainer.advance()
    assert caught.value.code == Code.INTERNAL and "checkpoint" in caught.value.message
    assert trainer.checkpoint.read_bytes() == good


def test_training_takes_the_loss_down(materials: train.Materials, tmp_path: Path) -> None:
    recipe = replace(RECIPE, perceptual=0.0, style=0.0, steady=0.0, rate=3e-4)
    trainer = train.Trainer(recipe, materials, tmp_path, amp=False)

    def loss() -> float:
        with torch.no_grad():
            return float(trainer.losses_of(0)["picture"])

    before = loss()
    for _ in range(12):
        trainer.advance()
    assert loss() < 0.9 * before


def test_run_begins_with_the_weights_of_a_smaller_network(materials: train.Materials, tmp_path: Path) -> None:
    from stylebridge_models.network import StyleNetwork

    torch.manual_seed(7)
    earlier = StyleNetwork().state_dict()
    less = earlier | {"decoder.film.bias": earlier["decoder.film.bias"][:10]}
    begun = train.Trainer(RECIPE, materials, tmp_path / "a", amp=False, start=less).network.state_dict()
    assert torch.equal(begun["decoder.out.weight"], earlier["decoder.out.weight"])
    assert torch.equal(begun["decoder.film.bias"][:10], earlier["decoder.film.bias"][:10])
    assert float(begun["decoder.film.bias"][10:].abs().max()) == 0
    with pytest.raises(StylebridgeError, match=r"film\.weight is missing"):
        del less["decoder.film.weight"]
        train.Trainer(RECIPE, materials, tmp_path / "b", amp=False, start=less)


def test_run_beside_an_earlier_network_aims_at_what_that_paints(
    materials: train.Materials, tmp_path: Path
) -> None:
    """Without disturbance and sharpening the aim is met from the start; a run without such a network is refused."""
    from stylebridge_models.network import StyleNetwork

    torch.manual_seed(2)
    start = StyleNetwork().state_dict()
    for name in ("weight", "bias"):  # paints colours alone, which are in range
        start[f"decoder.out.{name}"] = torch.zeros_like(start[f"decoder.out.{name}"])
    calm = replace(RECIPE, reference=True, spread=0.5, noise=0.0, exposure=0.0, steps=3, calibrate_every=100)
    alone = train.Materials(materials.scenes, materials.styles)
    run = Trainer(calm, alone, tmp_path / "calm", amp=False, start=start)
    parts = run.losses_of(0)
    assert parts["picture"].item() == pytest.approx(0, abs=1e-5)
    sharper = Trainer(replace(calm, sharpened=1.0), alone, tmp_path / "sharper", amp=False, start=start)
    assert sharper.losses_of(0)["picture"].item() > 1e-4
    assert math.isfinite(sharper.advance()["loss"])
    with pytest.raises(StylebridgeError) as caught:
        Trainer(calm, alone, tmp_path / "nothing", amp=False)
    assert "--start" in caught.value.message


def test_left_out_block_takes_its_steering_with_it() -> None:
    """What the code does to the layers that stay is what it did."""
    from stylebridge_models import network
    from stylebridge_server.train.starts import begin_from

    torch.manual_seed(3)
    deep = network.StyleNetwork()
    more = dict(deep.state_dict())
    blocks, total = network.DECODER_BLOCKS, sum(deep.decoder.widths)
    for name, value in deep.state_dict().items():  # one block more, in the middle
        if name.startswith(f"decoder.blocks.{blocks - 1}."):
            more[name.replace(f"blocks.{blocks - 1}.", f"blocks.{blocks}.")] = value
            more[name] = torch.full_like(value, 9.0)
    for name in ("decoder.film.weight", "decoder.film.bias"):
        gains, offsets, shares = deep.state_dict()[name].split([total, total, 2 * blocks * 64])
        at = 64 * (1 + 2 * (blocks - 1))
        new = torch.full((128, *gains.shape[1:]), 9.0)
        parts = [torch.cat([rows[:at], new, rows[at:]]) for rows in (gains, offsets)]
        more[name] = torch.cat([*parts, torch.cat([shares[: at - 64], new, shares[at - 64 :]])])
    again = network.StyleNetwork()
    begin_from(again, more)
    assert all(torch.equal(value, deep.state_dict()[name]) for name, value in again.state_dict().items())


def test_steadiness_is_nought_where_views_agree_and_grows_with_what_noise_does() -> None:
    generator = torch.Generator().manual_seed(1)
    scene = torch.rand(2, 3, 64, 64, generator=generator)
    shifts = [torch.tensor([[0, 3], [5, 0]]), torch.tensor([[4, 1], [2, 6]])]
    views = [
        torch.stack([scene[i, :, y : y + 48, x : x + 48] for i, (x, y) in enumerate(shift.tolist())])
        for shift in shifts
    ]
    ignoring = float(losses.steadiness(*views, *shifts, ring=4))
    disturbed = views[1] + 0.1 * torch.randn(views[1].shape, generator=generator)
    assert ignoring == pytest.approx(0, abs=1e-6)
    assert float(losses.steadiness(views[0], disturbed, *shifts, ring=4)) > 0.05


def test_rate_warms_up_holds_and_falls() -> None:
    recipe = replace(RECIPE, steps=100, warm_up=10, decay=0.5, rate=1.0, last_rate=0.1)
    assert recipe.rate_at(0) == pytest.approx(0.1)
    assert recipe.rate_at(10) == recipe.rate_at(49) == 1.0
    assert recipe.rate_at(99) == pytest.approx(0.1, abs=0.01)


def test_export_writes_what_the_registry_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylebridge_models.network import StyleNetwork
    from stylebridge_server.train import exports as module

    monkeypatch.setattr(module, "PAINTINGS", (("dots", "dots", "Dots", "nobody, 2000"),))
    monkeypatch.setattr("stylebridge_models.fitting._STEPS", 2)
    (tmp_path / "styles").mkdir()
    cv2.imwrite(str(tmp_path / "styles" / "dots.png"), textures.texture(np.random.default_rng(0), 64))
    torch.manual_seed(0)
    network = StyleNetwork()
    train.export(network, tmp_path / "styles", tmp_path / "weights")
    state = registry.load(module.WEIGHTS, tmp_path / "weights")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    presets = registry.load_json(module.PRESETS, tmp_path / "weights")
    assert {name: len(row["code"]) for name, row in presets.items()} == {"dots": 137, "ink": 137}
    with pytest.raises(StylebridgeError):
        train.export(network, tmp_path / "weights", tmp_path / "other")


def test_recipe_that_ships_is_valid_and_overrides_apply(repository: Path) -> None:
    folder = repository / "server/stylebridge_server/train/recipes"
    for name in ("embedded", "embedded-gpu", "embedded-steady"):
        assert train.load_recipe(folder / f"{name}.toml").name == name
    path = folder / "embedded.toml"
    assert train.load_recipe(path, {"steps": 7}).steps == 7


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a = [", Code.NOT_READABLE),
        ("name = 'x'\nsteps = 1\nspeed = 2", Code.BAD_VALUE),
        ("steps = 'many'", Code.BAD_VALUE),
    ],
)
def test_bad_recipes_are_refused(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(StylebridgeError) as caught:
        train.load_recipe(path)
    assert caught.value.code == code


def test_charts_are_told_from_photographs() -> None:
    chart = np.full((100, 100, 3), 255, np.uint8)
    chart[20:60, 30:70] = (200, 30, 30)
    rng = np.random.default_rng(0)
    photo = np.clip(rng.normal(128, 20, (100, 100, 3)), 0, 255).astype(np.uint8)
    assert not pictures.is_photograph(chart) and pictures.is_photograph(photo)


def test_variants_of_styles_are_functions_of_their_number(materials: train.Materials) -> None:
    for number in range(RECIPE.styles):
        a, b = materials.styles.variant(number), materials.styles.variant(number)
        assert np.array_equal(a, b) and a.shape == (96, 96, 3)


def test_run_from_folders_with_two_workers(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    for kind in ("scenes", "styles"):
        (tmp_path / kind).mkdir()
        cv2.imwrite(str(tmp_path / kind / "a.png"), textures.texture(rng, 96))
    folders = train.Folders([tmp_path / "scenes"], tmp_path / "styles")
    recipe = replace(RECIPE, steps=2, perceptual=0.0, style=0.0, sheet_every=2)
    seen: list[int] = []
    network = train.run(
        recipe, folders, tmp_path / "out", amp=False, progress=lambda done, *_: seen.append(done), workers=2
    )
    assert seen == [1, 2] and len(curve(tmp_path / "out")) == 2
    assert all(torch.isfinite(p).all() for p in network.parameters())
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    made = {"checkpoint.pt", "curve.png", "log.csv", "sheet-000002.jpg", "styles"}
    assert set(left) - {"tensorboard"} == made


def test_exported_curve_is_the_mean_of_the_log(tmp_path: Path) -> None:
    columns = list(trainer.FIELDS)
    rows = [["0", "1.5", "0.1", "4"], ["1", "2.6", "0.1", "2"], ["2", "3.7", "0.1", "7"]]
    rest = ["1"] * (len(columns) - 5) + [""]  # the last loss is not weighed in this run
    lines = [",".join(row) for row in [columns, *(row + rest for row in rows)]]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    train.export_log(tmp_path / "log.csv", tmp_path / "curve.csv", every=2)
    lines = (tmp_path / "curve.csv").read_text().splitlines()
    ones = ",1" * (len(columns) - 5) + ","
    assert lines[1:] == [f"2,3,0.1,3{ones}", f"3,4,0.1,7{ones}"]


def test_calibrated_network_does_not_blow_up_noise_in_a_flat_scene() -> None:
    from stylebridge_models.network import StyleNetwork

    torch.manual_seed(0)
    network = StyleNetwork().eval()
    rng = np.random.default_rng(0)
    flat = torch.full((1, 3, 64, 64), 0.5)
    noise = 0.02 * torch.from_numpy(rng.standard_normal((1, 3, 64, 64), dtype=np.float32))

    @torch.inference_mode()
    def answer() -> float:
        statistics, code = network.statistics(flat), network.style(torch.rand(1, 3, 64, 64))
        clean, noisy = (network.decoder(network.content(x), statistics, code) for x in (flat, flat + noise))
        return float((clean - noisy).std())

    before = answer()
    train.calibrate(network, [textures.texture(rng, 128) for _ in range(3)])
    assert answer() < 0.5 * before
