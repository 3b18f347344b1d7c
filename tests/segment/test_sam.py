"""Segment Anything beside its own predictor, with a small network of its own parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from stylebridge_models.installed import Card
from stylebridge_server.segment import sam
from stylebridge_server.values import Prompt

SIDE = 64


@pytest.fixture(scope="module")
def network() -> Sam:
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=SIDE, embed_dim=24, depth=1, num_heads=2, out_chans=16, use_rel_pos=True, window_size=0
    )
    decoder = MaskDecoder(
        transformer_dim=16,
        transformer=TwoWayTransformer(depth=1, embedding_dim=16, num_heads=2, mlp_dim=16),
        iou_head_hidden_dim=16,
    )
    points = PromptEncoder(
        embed_dim=16, image_embedding_size=(4, 4), input_image_size=(SIDE, SIDE), mask_in_chans=4
    )
    return Sam(encoder, points, decoder).eval().requires_grad_(False)


def picture() -> np.ndarray:
    rgb = np.random.default_rng(4).integers(0, 100, (48, 64, 3), np.uint8)
    rgb[10:30, 20:44] += 120
    return rgb


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"box": (0.25, 0.125, 0.75, 0.75)}, {"box": np.array([16, 6, 48, 36])}),
        (
            {"points": ((0.5, 0.5),)},
            {"point_coords": np.array([[32.0, 24]]), "point_labels": np.array([1])},
        ),
        (
            {"points": ((0.5, 0.5),), "not_points": ((0.125, 0.25),), "box": (0.25, 0.125, 0.75, 0.75)},
            {
                "point_coords": np.array([[32.0, 24], [8, 12]]),
                "point_labels": np.array([1, 0]),
                "box": np.array([16, 6, 48, 36]),
            },
        ),
    ],
)
def test_prompts_give_what_the_predictor_gives(network: Sam, given: dict, asked: dict) -> None:  # type: ignore[type-arg]
    label = sam.Pointer(network).label(0, picture(), [Prompt("thing", 0, **given)], (48, 64))
    predictor = SamPredictor(network)
    predictor.set_image(picture())
    found, scores, _ = predictor.predict(**asked, multimask_output=given.keys() == {"points"})
    assert np.array_equal(label > 0, found[scores.argmax()])


def test_a_matte_with_points_is_a_first_guess(network: Sam) -> None:
    matte = np.zeros((24, 32), np.uint8)
    matte[5:15, 10:22] = 255
    prompts = [Prompt("thing", 0, matte=matte), Prompt("thing", 0, points=((0.5, 0.5),))]
    label = sam.Pointer(network).label(0, picture(), prompts, (48, 64))
    guess = np.full((1, 16, 16), -8, np.float32)
    predictor = SamPredictor(network)
    predictor.set_image(picture())
    import cv2

    small = cv2.resize(matte, (16, 12), interpolation=cv2.INTER_AREA).astype(np.float32)
    guess[0, :12] = (2 * small / 255 - 1) * 8
    found, _, _ = predictor.predict(
        point_coords=np.array([[32.0, 24]]),
        point_labels=np.array([1]),
        mask_input=guess,
        multimask_output=False,
    )
    assert np.array_equal(label > 0, found[0])


def test_a_frame_is_looked_at_once(network: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer, looks = sam.Pointer(network), []
    whole = pointer._predictor.set_image
    monkeypatch.setattr(pointer._predictor, "set_image", lambda rgb: (looks.append(1), whole(rgb)))
    for number in (3, 3, 4):
        pointer.label(number, picture(), [Prompt("thing", number, points=((0.5, 0.5),))], (48, 64))
    assert len(looks) == 2


def test_everything_is_what_the_generator_finds(network: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sam, "_SURE", -10.0)
    monkeypatch.setattr(sam, "_LEAST", 0.0)
    monkeypatch.setattr(sam, "_LARGEST", 1.0)
    finder = sam.Everything(network)
    own = SamAutomaticMaskGenerator(network, points_per_side=16, pred_iou_thresh=-10.0)
    for generator in (finder._generator, own):
        generator.stability_score_thresh = 0.0
    found, expected = finder.find(picture(), (48, 64)), own.generate(picture())
    assert expected and len(found) == len(expected)
    expected.sort(key=lambda one: -one["predicted_iou"])
    assert all(
        np.array_equal(a.mask > 0, b["segmentation"]) and a.label == "thing"
        for a, b in zip(found, expected, strict=True)
    )


def test_the_network_is_opened_when_it_is_needed() -> None:
    card = Card("sam", "sam", "0" * 16, "weights.safetensors", "0" * 64, 10, "Apache-2.0", {})

    def never() -> Sam:
        raise AssertionError("opened")

    made = sam.Sam(card, never, 7)
    assert made.checksum.startswith("sam-2-sam-0000000000000000-tracer-") and made.memory == 7
    assert made.track(None, [], [], None, None, lambda *step: None) == []  # type: ignore[arg-type]
