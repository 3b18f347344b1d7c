"""The networks that cut out and follow: what they learn from, and a run from photographs to weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stylebridge_models import registry
from stylebridge_models.tracer import LOOK, TRACE, TracerNetwork
from stylebridge_server.train.tracing import cuttings, trainer
from stylebridge_server.train.tracing.clips import Clip, Material
from stylebridge_server.train.tracing.play import LookPlayer, TracePlayer


def photograph(seed: int) -> np.ndarray:
    """Bright discs on a dark ground, under grain: (200, 260, 3) uint8."""
    rng = np.random.default_rng(seed)
    picture = np.full((200, 260, 3), (60, 80, 70), np.float32)
    for x, y in ((50, 50), (130, 60), (210, 50), (60, 140), (140, 145), (215, 150)):
        cv2.circle(picture, (x + 4 * seed, y), 24, (200, 120, 90), -1, cv2.LINE_AA)
    return np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # Steps so small wait for other threads longer than they work.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("photographs")
    for seed in range(3):
        cv2.imwrite(str(out / f"{seed}.png"), photograph(seed)[..., ::-1])
    return out


@pytest.fixture(scope="module")
def material(folder: Path) -> Material:
    return trainer.material(folder / "things.npz", [folder], None)


def test_what_is_cut_out_ends_at_edges(material: Material) -> None:
    assert len(material.photographs) == 3 and material.regions
    for number, mask in material.regions:
        picture = material.photographs[number]
        assert mask.shape == picture.shape[:2] and min(mask.shape) == cuttings.SIDE
        thing = (picture[..., 0] > 130).astype(np.uint8)
        thing = cv2.medianBlur(thing, 5)
        rim = mask > cv2.erode(mask, np.ones((3, 3), np.uint8))
        near = cv2.dilate(thing, np.ones((9, 9))) > cv2.erode(thing, np.ones((9, 9)))
        assert near[rim].mean() > 0.6


def test_a_clip_is_a_function_of_its_seed_and_covers_share_the_picture(material: Material) -> None:
    moved = 0
    for seed in range(6):
        one, other = Clip(seed, material), Clip(seed, material)
        (rgb, covers), (same, _) = one.frame(3), other.frame(3)
        np.testing.assert_array_equal(rgb, same)
        assert rgb.shape == (*one.size, 3) and len(covers) == one.things
        assert np.sum(covers, axis=0).max() <= 1.001
        moved += any(np.abs(a - b).max() > 0.5 for a, b in zip(covers, one.frame(8)[1], strict=True))
    assert moved >= 3


@pytest.mark.parametrize(("kind", "planes"), [(LookPlayer, LOOK), (TracePlayer, TRACE)])
def test_players_show_evidence_and_truth_and_hear_what_is_made_of_it(
    kind: type[LookPlayer] | type[TracePlayer], planes: int, material: Material
) -> None:
    one, other = kind(material, 5), kind(material, 5)
    for _ in range(4):
        evidence, truth = one.show()
        assert evidence.shape == (planes, *truth.shape) and evidence.dtype == np.float32
        assert np.isfinite(evidence).all() and truth.min() >= 0 and truth.max() <= 1
        np.testing.assert_array_equal(evidence, other.show()[0])
        for player in (one, other):
            player.hear(np.where(truth > 0.5, np.float32(6), np.float32(-6)))


def test_the_loss_wants_the_truth_and_does_not_ask_beyond_the_picture() -> None:
    truth = torch.zeros(1, 16, 16)
    truth[:, 4:12, 4:12] = 1
    within = torch.ones_like(truth)
    right, wrong = 24 * truth - 12, 12 - 24 * truth
    assert float(trainer.loss(right, truth, within)) < 0.01 < 1 < float(trainer.loss(wrong, truth, within))
    within[:, :, :4] = 0
    spilt = right.clone()
    spilt[:, :, :4] = 12
    torch.testing.assert_close(trainer.loss(spilt, truth, within), trainer.loss(right, truth, within))


@pytest.mark.parametrize("part", ["look", "trace"])
def test_a_run_goes_on_where_it_stood_and_ends_in_weights(
    part: str, material: Material, folder: Path, tmp_path: Path
) -> None:
    first = trainer.Recipe(part, steps=2, players=1, again=1)
    trainer.train(first, material, tmp_path / part, lambda done, means: None)
    begun = trainer.Trainer(first, material, tmp_path / part)
    assert begun.done == 2
    (tmp_path / "things.npz").write_bytes((folder / "things.npz").read_bytes())
    words = [part, "--photographs", str(folder), "--out", str(tmp_path)]
    trainer.main([*words, "--steps", "2"])
    name = f"embedded-{part}"
    kept = registry.load(name, tmp_path / "weights")
    network = TracerNetwork(trainer.PARTS[part])
    network.load_state_dict(kept)
    for key, value in begun.averaged.items():
        torch.testing.assert_close(kept[key], value.half().float(), rtol=0, atol=0)
    trainer.train(
        trainer.Recipe(part, steps=3, players=1, again=1), material, tmp_path / part, lambda done, means: None
    )
    assert trainer.Trainer(first, material, tmp_path / part).done == 3


def test_without_photographs_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        trainer.main(["look", "--photographs", str(tmp_path / "empty"), "--out", str(tmp_path / "run")])
    assert "no photographs" in capsys.readouterr().err
    assert not (tmp_path / "run/things.npz").exists()
