"""What a network finds every few frames becomes instances that keep their ids: with a network that knows the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from segment.scenes import BLUE, RED, Mattes, Scene, flow, overlap

from stylebridge.errors import StylebridgeError
from stylebridge_models.installed import Card
from stylebridge_server.segment.detections import Detection, Finder, pointed_at, settled
from stylebridge_server.segment.network import Network
from stylebridge_server.values import Instance, Prompt, Rgb8

CARD = Card("mine", "maskrcnn", "0123456789abcdef", "weights.safetensors", "0" * 64, 10, "MIT", {})


class Knowing:
    """Finds the discs of a scene, or what a test makes of them; counts its looks."""

    def __init__(self, scene: Scene, labels: Sequence[str], semantic: bool = False, every: int = 6) -> None:
        self.scene, self.labels, self.semantic, self.every = scene, labels, semantic, every
        self.looks: list[int] = []
        self.blind: dict[int, set[int]] = {}  # frame -> discs that are not seen
        self.score = 0.8
        self._numbers = {scene.read(t).tobytes(): t for t in range(scene.count)}

    def find(self, rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        number = self._numbers[rgb.tobytes()]
        self.looks.append(number)
        out = []
        for disc, label in enumerate(self.labels):
            mask = self.scene.mattes[number][disc].astype(np.float32)
            if mask.any() and disc not in self.blind.get(number, set()):
                out.append(Detection(mask, label, self.score))
        if self.semantic and len({one.label for one in out}) == 1 and self._touch(out):
            joined = np.maximum.reduce([one.mask for one in out])
            return [Detection(joined, out[0].label, self.score)]
        return out

    @staticmethod
    def _touch(found: list[Detection]) -> bool:
        grown = [np.pad(one.mask, 1)[:-2, 1:-1] + np.pad(one.mask, 1)[2:, 1:-1] + one.mask for one in found]
        return len(found) == 2 and bool(((grown[0] > 0) & (grown[1] > 0)).any())


def run(
    scene: Scene, finder: Finder, prompts: Sequence[Prompt] = (), scenes: list[tuple[int, int]] | None = None
) -> tuple[Mattes, list[Instance]]:
    store = Mattes(scene.size)
    segmenter = Network("maskrcnn", CARD, lambda: finder, 0)
    found = segmenter.track(
        scene, scenes or [(0, scene.count - 1)], list(prompts), flow, store, lambda *step: None
    )
    return store, found


def means(scene: Scene, store: Mattes, instance: int) -> list[float]:
    """Mean overlap with each disc over the frames on which it is seen."""
    out = []
    for disc in range(len(scene.mattes[0])):
        there = [t for t in range(scene.count) if scene.mattes[t][disc].any()]
        out.append(float(np.mean([overlap(store.get(instance, t), scene.mattes[t][disc]) for t in there])))
    return out


def crossing(count: int = 25) -> Scene:
    discs = [(18.0, RED, lambda t: (40 + 4.0 * t, 50.0)), (18.0, BLUE, lambda t: (160 - 4.0 * t, 75.0))]
    return Scene(count, discs)


def test_instances_are_numbered_within_their_label_and_keep_their_ids() -> None:
    scene = crossing()
    finder = Knowing(scene, ["cat", "cat"])
    store, found = run(scene, finder)
    assert [(one.id, one.name, one.label) for one in found] == [(1, "cat:1", "cat"), (2, "cat:2", "cat")]
    assert [(one.first, one.last) for one in found] == [(0, 24), (0, 24)]
    first, second = (means(scene, store, i) for i in (1, 2))
    assert max(first) > 0.9 and max(second) > 0.9 and first.index(max(first)) != second.index(max(second))


def test_the_network_looks_at_every_nth_frame_and_the_last() -> None:
    scene = crossing(20)
    finder = Knowing(scene, ["cat", "dog"])
    run(scene, finder)
    assert finder.looks == [0, 6, 12, 18, 19]
    finder.looks.clear()
    run(scene, finder, scenes=[(0, 7), (8, 19)])
    assert finder.looks == [0, 6, 7, 8, 14, 19]


def test_a_look_that_misses_does_not_end_a_track() -> None:
    scene = Scene(25, [(18.0, RED, lambda t: (40 + 4.0 * t, 50.0))])
    finder = Knowing(scene, ["cat"])
    finder.blind = {12: {0}}
    store, found = run(scene, finder)
    assert [one.name for one in found] == ["cat:1"] and means(scene, store, 1)[0] > 0.9


def test_what_is_found_no_more_is_let_go() -> None:
    scene = Scene(37, [(18.0, RED, lambda t: (60 + 2.0 * t, 50.0))])
    finder = Knowing(scene, ["cat"])
    finder.blind = {t: {0} for t in range(13, 37)}
    _, found = run(scene, finder)
    assert [(one.first, one.last) for one in found] == [(0, 17)]


def test_what_is_found_once_only_is_an_error_unless_it_is_sure() -> None:
    scene = Scene(25, [(18.0, RED, lambda t: (60 + 2.0 * t, 50.0))])
    finder = Knowing(scene, ["cat"])
    finder.blind = {t: {0} for t in range(25) if t != 12}
    assert run(scene, finder)[1] == []
    finder.score = 0.95
    assert [one.name for one in run(scene, finder)[1]] == ["cat:1"]


def test_what_leaves_and_comes_back_keeps_its_id_and_what_enters_gets_one() -> None:
    def there_and_back(t: int) -> tuple[float, float]:
        return (150 + 6.0 * t if t < 24 else 150 + 6.0 * (48 - t)), 60

    discs = [(18.0, RED, there_and_back), (18.0, BLUE, lambda t: (-20 + 6.0 * (t - 16), 30.0))]
    scene = Scene(49, discs)
    store, found = run(scene, Knowing(scene, ["cat", "cat"]))
    assert [one.name for one in found] == ["cat:1", "cat:2"]
    assert found[0].last == 48 and found[0].first == 0 and found[1].first > 12
    away = [t for t in range(49) if not scene.mattes[t][0].any()]
    assert len(away) > 12 and not any(store.get(1, t).any() for t in away)
    assert overlap(store.get(1, 46), scene.mattes[46][0]) > 0.85


def test_another_that_comes_in_where_one_left_is_another() -> None:
    discs = [
        (18.0, RED, lambda t: (150 + 6.0 * t, 60.0)),
        (18.0, BLUE, lambda t: (214 - 6.0 * (t - 11), 60.0)),
    ]
    scene = Scene(25, discs)
    store, found = run(scene, Knowing(scene, ["cat", "cat"]))
    assert [one.name for one in found] == ["cat:1", "cat:2"]
    assert max(found[0].last - 9, 0) <= 5 and overlap(store.get(2, 22), scene.mattes[22][1]) > 0.85


def test_two_of_a_class_that_touch_stay_two() -> None:
    """A network of classes sees one piece where they touch; what is followed tells them apart."""
    discs = [(18.0, RED, lambda t: (60 + 1.5 * t, 60.0)), (18.0, BLUE, lambda t: (140 - 1.5 * t, 60.0))]
    scene = Scene(25, discs)
    finder = Knowing(scene, ["cat", "cat"], semantic=True)
    store, found = run(scene, finder)
    assert len(finder.find(scene.read(24), scene.size)) == 1
    assert [one.name for one in found] == ["cat:1", "cat:2"]
    for instance in (1, 2):
        assert max(means(scene, store, instance)) > 0.85


def test_the_label_is_what_was_said_most() -> None:
    scene = Scene(19, [(18.0, RED, lambda t: (60 + 2.0 * t, 50.0))])
    finder = Knowing(scene, ["cat"])
    whole = finder.find

    def doubtful(rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        found = whole(rgb, size)
        label = "dog" if finder.looks[-1] == 6 else "cat"
        return [Detection(one.mask, label, one.score) for one in found]

    finder.find = doubtful  # type: ignore[method-assign]
    _, found = run(scene, finder)
    assert [one.name for one in found] == ["cat:1"]


def test_a_prompt_takes_the_find_that_it_points_at() -> None:
    scene = crossing(8)
    store, found = run(scene, Knowing(scene, ["cat", "dog"]), [Prompt("mine", 3, box=scene.box(3, 1))])
    assert [(one.name, one.label) for one in found] == [("mine", "dog")]
    assert means(scene, store, 1)[1] > 0.9
    blind = Knowing(scene, ["cat", "dog"])
    blind.blind = {3: {0, 1}}
    store, found = run(scene, blind, [Prompt("mine", 3, box=scene.box(3, 1))])
    assert found[0].label is None and means(scene, store, 1)[1] > 0.9


def test_points_mean_the_smallest_find_that_holds_them() -> None:
    large, small = np.zeros((2, 40, 60), np.float32)
    large[5:35, 5:55], small[10:20, 10:20] = 1, 1
    found = [Detection(large, "bus", 0.9), Detection(small, "wheel", 0.8)]
    assert pointed_at(found, [Prompt("p", 0, points=((0.25, 0.4),))]) is found[1]
    assert pointed_at(found, [Prompt("p", 0, points=((0.25, 0.4), (0.8, 0.5)))]) is found[0]
    assert pointed_at(found, [Prompt("p", 0, points=((0.25, 0.4),), not_points=((0.2, 0.3),))]) is None
    assert pointed_at(found, [Prompt("p", 0, box=(0.1, 0.1, 0.9, 0.9))]) is found[0]
    assert pointed_at(found, [Prompt("p", 0, box=(0.6, 0.6, 0.9, 0.9))]) is None
    assert pointed_at([], [Prompt("p", 0, points=((0.5, 0.5),))]) is None


def test_coarse_masks_are_brought_to_the_edge_and_share_no_pixel() -> None:
    scene = Scene(1, [(24, RED, lambda t: (70, 60)), (20, BLUE, lambda t: (120, 60))])
    coarse = []
    for disc in (0, 1):
        truth = scene.mattes[0][disc].astype(np.float32)
        blocks = truth.reshape(20, 6, 25, 8).mean((1, 3)) > 0.4
        coarse.append(np.kron(blocks, np.ones((6, 8))).astype(np.float32))
    found = [Detection(mask, "ball", 0.9) for mask in coarse]
    out = settled(found, scene.read(0))
    for disc in (0, 1):
        before = overlap((coarse[disc] * 255).astype(np.uint8), scene.mattes[0][disc])
        after = overlap((out[disc].mask * 255).astype(np.uint8), scene.mattes[0][disc])
        assert after > max(before, 0.93)
    assert not (out[0].mask * out[1].mask).any()
    speck = np.zeros(scene.size, np.float32)
    speck[5:8, 5:8] = 1
    assert settled([Detection(speck, "ball", 0.9)], scene.read(0)) == []


def test_prompts_are_checked_and_the_network_is_named() -> None:
    scene = crossing(3)
    with pytest.raises(StylebridgeError, match="outside the shot's frames"):
        run(scene, Knowing(scene, ["cat", "dog"]), [Prompt("p", 9, points=((0.5, 0.5),))])
    segmenter = Network("maskrcnn", CARD, lambda: Knowing(scene, []), 5)
    assert segmenter.name == "maskrcnn" and segmenter.memory == 5
    assert segmenter.checksum.startswith(f"maskrcnn-{Network.METHOD}-mine-0123456789abcdef-tracer-")
