"""A client and a server that work as they should."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from stylebridge.client import Client, Progress
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Layout, Picture

from .conftest import until
from .toy_jobs import picture


@pytest.fixture(scope="module")
def client(home: object) -> Iterator[Client]:
    """One server for all tests here: none of them harms it."""
    with Client.connect(timeout=30) as client:
        yield client


def rendered(client: Client) -> int:
    """How many frames the toy has made since its server began."""
    count: int = client.status()["workers"][0]["counters"]["rendered"]
    return count


def test_round_trip(client: Client) -> None:
    assert client.server["fingerprint"] == "toy-1"
    assert client.describe()["parameters"] == []
    shot = client.open_shot("/plates/plate.mp4")
    assert list(shot.frames) == list(range(10))

    seen: list[Progress] = []
    prompts = [{"name": "dog", "frame": 3, "points": [[0.4, 0.5]], "box": [0, 0, 0.5, 1]}]
    analysis = client.analyse(shot, prompts, progress=seen.append)
    assert analysis.cuts == [3] and analysis.instances[0]["name"] == "thing:1"
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert (seen[-1].done, seen[-1].total, seen[-1].stage) == (50, 50, "counting")

    frames = list(client.render(shot, {}, [7, 2, 5], analysis=analysis))
    assert [f.number for f in frames] == [7, 2, 5]
    for frame in frames:
        assert bytes(frame.data) == bytes(picture(frame.number, Layout("uint8", 4, 6, 3)).data)
        assert np.asarray(frame).shape == (4, 6, 3)

    [matte] = client.mattes(shot, analysis, 3, [8])
    assert (matte.number, matte.layout, bytes(matte.data)) == (8, Layout("uint8", 2, 2, 1), b"\3" * 4)
    client.close_shot(shot)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_pushed_frame_comes_back_bit_for_bit(client: Client, dtype: str) -> None:
    bits = np.random.default_rng(1).integers(0, 256, 700 * 500 * 4 * np.dtype(dtype).itemsize, np.uint8)
    pixels = bits.view(dtype).reshape(700, 500, 4)
    made = {"width": 500, "height": 700, "channels": 4, "dtype": dtype}
    live = client.open_shot(live=made)
    client.put_frame(live, Picture.of(4, pixels))
    pushed = client.open_shot(pushed={"first": 5, "last": 5, **made}, frames={5: pixels})
    for frame in client.render(pushed, {}, [4, 5]):
        assert np.array_equal(np.asarray(frame).view(np.uint8), pixels.view(np.uint8))
        assert frame.dtype == dtype


def test_refusals_are_sentences(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    with pytest.raises(StylebridgeError, match="Frame 3 is not there") as caught:
        list(client.render(shot, {"refuse_at": 3}, range(6)))
    assert caught.value.code == Code.NOT_FOUND and caught.value.details == {"frame": 3}
    with pytest.raises(StylebridgeError, match=r"ZeroDivisionError: a defect") as caught:
        client.analyse(shot, [{"name": "unforeseen", "frame": 0}])
    assert caught.value.code == Code.INTERNAL
    with pytest.raises(StylebridgeError, match=r'field "box".*not a list of numbers') as caught:
        client.analyse(shot, [{"name": "dog", "frame": 0, "box": ["a"]}])
    assert caught.value.code == Code.BAD_REQUEST
    with pytest.raises(StylebridgeError, match="only numbers, text"):
        list(client.render(shot, {"strength": object()}, [0]))
    assert client.status()["running"] == 0


def test_cancel_acts_soon_and_the_server_goes_on(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    before = rendered(client)
    stream = client.render(shot, {"seconds": 0.02}, range(1000))
    next(stream)
    stream.close()
    next(client.render(shot, {}, [1]))
    assert rendered(client) - before < 100

    threading.Timer(0.1, client.cancel).start()
    with pytest.raises(StylebridgeError) as caught:
        list(client.render(shot, {"seconds": 0.02}, range(1000)))
    assert caught.value.code == Code.CANCELLED
    assert rendered(client) - before < 100


def test_one_frame_goes_before_a_batch(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    before = rendered(client)
    batch = client.render(shot, {"seconds": 0.05}, range(60))
    next(batch)
    [scrubbed] = client.render(shot, {}, [40])
    assert rendered(client) - before < 60, "the batch goes on"
    assert scrubbed.number == 40
    assert [f.number for f in batch] == list(range(1, 60))


def test_credit_bounds_what_is_made_ahead(client: Client) -> None:
    """A client that takes one frame of 3 MB at a time is sent a window of 6 MiB ahead, and no more."""
    shot = client.open_shot("/plates/plate.mp4")
    stream = client.render(shot, {"size": [1000, 1000]}, range(30), window=6 << 20)
    before = rendered(client)
    next(stream)
    until(lambda: rendered(client) - before >= 2)
    for _ in range(20):
        client.describe()  # which is computed between two frames, were there any
    assert 2 <= rendered(client) - before <= 4
    assert [f.number for f in stream] == list(range(1, 30))


def test_two_stalled_streams_do_not_block_each_other(client: Client) -> None:
    shot = client.open_shot("/plates/plate.mp4")
    streams = [client.render(shot, {"size": [1000, 1000]}, range(6), window=2 << 20) for _ in range(3)]
    for together in zip(*streams, strict=True):
        assert len({frame.number for frame in together}) == 1


def test_looks_are_read_and_written_without_the_worker(client: Client) -> None:
    text = '# ours\nschema = "look.1"\n\n[background]\nstyle = "wheat-field"  # warm\n'
    look = client.parse_look(text)
    assert look["background"]["style"] == "wheat-field"
    assert client.format_look(look, text) == text
    with pytest.raises(StylebridgeError, match="line 2") as caught:
        client.parse_look('schema = "look.1"\nschema = 3')
    assert caught.value.code == Code.BAD_LOOK
    for odd in ({}, {"schema": 3}, {"background": []}, {"instance": [{"select": {}}]}, {"prompt": 4}):
        with pytest.raises(StylebridgeError) as caught:
            client.format_look(odd)
        assert caught.value.code != Code.INTERNAL, odd


def test_leaving_a_loop_by_ctrl_c_cancels(client: Client) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    shot = client.open_shot("/plates/plate.mp4")
    with pytest.raises(KeyboardInterrupt):
        client.analyse(shot, progress=interrupt)
    until(lambda: client.status()["running"] == 0, 2)


def test_status(client: Client) -> None:
    status = client.status()
    assert status["workers"][0]["state"] == "ready" and status["workers"][0]["restarts"] == 0
    assert status["pid"] == client.server["pid"] and status["clients"] == 1


def test_sizes_of_caches_are_given_to_a_server_that_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_RESULTS_MB", "99")
    with Client.connect(timeout=30, results_mb=7) as client:
        assert client.status()["workers"][0]["counters"]["caches_mb"] == {"RESULTS": "7", "WORK": None}
