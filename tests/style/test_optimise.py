"""Optimisation-based transfer with a random loss network: what each setting does, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models.loss_networks import LossNetwork
from stylebridge_server.style import Before, Method, chain_style, method, parse_method, terms
from stylebridge_server.style.optimise import Optimiser
from stylebridge_server.values import Rgb

JUDGE = LossNetwork.random("vgg16", thin=16)
QUICK = {
    "steps": 20,
    "levels": 1,
    "stop": 0.0,
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}


def picture(height: int, width: int, seed: int = 0) -> Rgb:
    noise = np.random.default_rng(seed).random((height, width, 3), np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def stripes(height: int = 48, width: int = 48) -> Rgb:
    rows = (np.arange(height) // 4 % 2).astype(np.float32)[:, None, None]
    return np.broadcast_to(rows * np.array([1.0, 0.6, 0.1], np.float32), (height, width, 3)).copy()


def made(**settings: object) -> Method:
    return Method(pictures=("a",), **{**QUICK, **settings})  # type: ignore[arg-type]


def optimiser(**settings: object) -> Optimiser:
    return Optimiser(made(**settings), [stripes()], JUDGE)


def style_distance(a: Rgb, b: Rgb) -> float:
    layers = ("relu1_1", "relu2_1")
    with torch.no_grad():
        one, two = (
            terms.summary(JUDGE.features(torch.from_numpy(x.transpose(2, 0, 1)[None]), layers), terms.GRAM)
            for x in (a, b)
        )
        return float(terms.weighted(one, two, layers, (1.0, 1.0)))


@pytest.mark.parametrize("way", [method.LBFGS, method.ADAM])
@pytest.mark.parametrize("kind", terms.STYLE_KINDS)
def test_result_has_the_style(way: str, kind: str) -> None:
    frame = picture(40, 56)
    result = optimiser(optimiser=way, style_kind=kind, rate=0.05).paint(frame, "f", None)
    assert result.shape == frame.shape and result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1
    assert style_distance(result, stripes()) < 0.5 * style_distance(frame, stripes())


def test_result_repeats_bit_for_bit_and_its_noise_is_the_frames_own() -> None:
    frame = picture(40, 40)
    begins = {"start": "noise", "temporal": 0.0, "steps": 2}
    first, again, other = (optimiser(**begins).paint(frame, name, None) for name in ("a", "a", "b"))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not np.array_equal(optimiser(**begins, seed=1).paint(frame, "a", None), first)


def test_content_holds_the_frame() -> None:
    frame = picture(40, 40)
    loose, tight = (optimiser(content=c).paint(frame, "f", None) for c in (0.01, 100.0))
    assert np.abs(tight - frame).mean() < np.abs(loose - frame).mean()


def test_frame_is_held_to_the_one_before_where_that_can_be_believed() -> None:
    frame = picture(48, 64)
    past = picture(48, 64, seed=3)
    flow = np.zeros((48, 64, 2), np.float32)
    flow[..., 0] = 5.0
    valid = np.ones((48, 64), np.float32)
    valid[:, 32:] = 0
    brought = np.roll(past, -5, 1)
    result = optimiser(temporal=1e4, style=1.0).paint(frame, "f", Before(past, flow, valid))
    held, free = (np.abs(result - brought)[8:-8, part].mean() for part in (slice(4, 24), slice(40, 56)))
    assert held < 0.03 and free > 3 * held
    assert np.abs(result - frame)[8:-8, 40:56].mean() < free  # what is not believed begins as the frame


def test_every_step_is_told_and_may_cancel() -> None:
    told: list[tuple[int, int]] = []

    def tick(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == 4:
            raise StylebridgeError(Code.CANCELLED, "Cancelled.")

    with pytest.raises(StylebridgeError):
        optimiser().paint(picture(40, 40), "f", None, tick)
    assert told == [(0, 20), (1, 20), (2, 20), (3, 20)]


def test_it_stops_where_going_on_is_not_worth_it() -> None:
    counts = []
    for stop in (0.0, 0.9):
        told: list[int] = []
        optimiser(stop=stop, steps=60).paint(picture(40, 40), "f", None, lambda done, _: told.append(done))  # noqa: B023
        counts.append(len(told))
    assert counts[1] < 0.6 * counts[0]


@pytest.mark.parametrize("only", ["content", "style"])
def test_reconstruction_shows_one_of_the_two(only: str) -> None:
    frame = picture(40, 40)
    result = optimiser(reconstruct=only, steps=60, content_layers=("relu1_1",)).paint(frame, "f", None)
    if only == "content":
        assert np.corrcoef(result.ravel(), frame.ravel())[0, 1] > 0.5
    else:
        assert style_distance(result, stripes()) < 0.05
        assert np.abs(result - frame).mean() > 0.1


def test_several_styles_weigh_in() -> None:
    plain = np.full((48, 48, 3), [0.1, 0.2, 0.9], np.float32)
    names = ("a", "b")

    def of(*weights: float) -> Optimiser:
        return Optimiser(Method(pictures=names, picture_weights=weights, **QUICK), [stripes(), plain], JUDGE)  # type: ignore[arg-type]

    frame = picture(40, 40)
    more, less = (style_distance(of(w, 1 - w).paint(frame, "f", None), stripes()) for w in (0.9, 0.1))
    assert more < less
    assert of(1.0, 3.0).id == of(1.0, 3.0).id != of(3.0, 1.0).id


def test_id_names_what_it_depends_on() -> None:
    assert optimiser().id == optimiser().id
    assert len({optimiser().id, optimiser(style=3.0).id, optimiser(seed=2).id}) == 3
    other = Optimiser(made(), [stripes()], LossNetwork.random("vgg16", seed=1, thin=16))
    assert other.id != optimiser().id


@pytest.mark.parametrize("size", [(1, 1), (5, 70), (33, 17)])
def test_small_and_odd_frames(size: tuple[int, int]) -> None:
    past = Before(picture(*size, seed=1), np.zeros((*size, 2), np.float32), np.ones(size, np.float32))
    for before in (None, past):
        result = optimiser(steps=2, levels=3).paint(np.full((*size, 3), 0.5, np.float32), "f", before)
        assert result.shape == (*size, 3) and np.isfinite(result).all()


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1, 3), 200, np.uint8),
        np.zeros((40, 50), np.uint8),
        np.full((40, 50, 3), 40_000, np.uint16),
        np.full((40, 50, 4), 0.5, np.float32),
        np.full((2, 4000, 3), 9, np.uint8),
    ],
)
def test_style_pictures_of_every_kind(image: np.ndarray) -> None:
    painted = chain_style(made(steps=2), [image], JUDGE).paint(picture(36, 36), "f", None, None)
    assert np.isfinite(painted).all()


@pytest.mark.parametrize("name", ["vgg19", "squeezenet"])
def test_works_with_whichever_loss_network_is_there(name: str) -> None:
    judge = LossNetwork.random(name, thin=16)
    style = chain_style(Method(pictures=("a",), steps=2), [stripes()], judge)
    flow, valid = np.zeros((40, 40, 2), np.float32), np.ones((40, 40), np.float32)
    frame = picture(40, 40)
    assert np.isfinite(style.paint(frame, "f", Before(frame, flow, valid), None)).all()


def test_large_frame_is_refused() -> None:
    with pytest.raises(StylebridgeError) as caught:
        optimiser().paint(np.zeros((2160, 3840, 3), np.float32), "f", None)
    assert caught.value.code == Code.TOO_LARGE


def test_settings_are_read() -> None:
    text = 'pictures = ["a.jpg", "b.jpg"]\npicture_weights = [1, 2]\nsteps = 50\noptimiser = "adam"\n'
    found = parse_method(text, "oils.toml")
    assert found.pictures == ("a.jpg", "b.jpg") and found.picture_weights == (1, 2) and found.steps == 50


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("pictures = [", "TOML"),
        ('pictures = ["a"]\nstlye = 1.0', "did you mean 'style'"),
        ('pictures = ["a"]\nsteps = "many"', "whole number"),
        ('pictures = ["a"]\nsteps = 0', "steps"),
        ('pictures = ["a"]\noptimiser = "sgd"', "lbfgs"),
        ('pictures = ["a"]\npicture_weights = [1, 2]', "picture_weights"),
        ('pictures = ["a"]\nstyle = -1', "style"),
        ("steps = 3", "pictures"),
        ('pictures = ["a"]\nrate = nan', "rate"),
    ],
)
def test_settings_that_make_no_sense_are_named(text: str, word: str) -> None:
    with pytest.raises(StylebridgeError, match=word) as caught:
        parse_method(text, "oils.toml")
    assert "oils.toml" in caught.value.message


def test_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(StylebridgeError, match="relu2_9"):
        optimiser(style_layers=("relu2_9",))
