"""The client against a peer that answers by a script, also wrongly. It runs wherever the bridge runs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from stylebridge import connection, memory
from stylebridge.client import Progress
from stylebridge.errors import Code, StylebridgeError
from stylebridge.passage import Passage
from stylebridge.protocol import PROTOCOL

from .peer import HELLO, SHOT, Answers, error, frame, result


def test_frames_and_progress(serve: Any) -> None:
    progress = {"op": "progress", "done": 1, "total": 2, "stage": "rendering", "fps": 2.5}
    stream = [({"op": "accepted"}, None), frame(0), (progress, None), frame(2), *result(networks=1)]
    client, peer = serve(open_shot=result(**SHOT), render=stream)
    shot = client.open_shot("plate.####.png")
    assert peer.asked[-1]["path"] == str(Path.cwd() / "plate.####.png")
    assert list(shot.frames) == [0, 1, 2, 3]
    seen: list[Progress] = []
    pictures = list(client.render(shot, {}, [0, 2], progress=seen.append))
    assert [(p.number, bytes(p.data)) for p in pictures] == [(0, b"\7"), (2, b"\7")]
    assert seen == [Progress(1, 2, "rendering", 2.5)]
    assert client.server["fingerprint"] == "f"


LOOK = {
    "schema": "look.1",
    "background": {"style": "ink", "strength": [[0, 0], [9, 1]]},
    "instance": [
        {"select": "dog", "style": "gold", "visibility": False, "edge_softness": 3.0},
        {"select": "cat", "strength": 0, "detail": 0.2, "matte_grow": 2.0},
    ],
    "prompt": [{"name": "dog", "frame": 0, "points": [[0.5, 0.5]]}],
}


def test_layers_are_asked_for_without_strength_and_several_come_for_a_frame(serve: Any) -> None:
    layers = [frame(0, extra={"layer": 0}, more=True), frame(0, b"\1", extra={"layer": 2})]
    answers = iter([[*layers, *result()], [frame(0), *result()]])
    client, peer = serve(open_shot=result(**SHOT), render=answers)
    shot = client.open_shot("plate.mp4")
    pictures = list(client.render(shot, LOOK, [0], output="layers", scale=2, samples="float16"))
    assert [(p.number, p.extra["layer"], bytes(p.data), p.more) for p in pictures] == [
        (0, 0, b"\7", True),
        (0, 2, b"\1", False),
    ]
    asked = next(named for named in peer.asked if named["op"] == "render")
    assert (asked["output"], asked["scale"], asked["samples"]) == ("layers", 2, "float16")
    assert asked["look"] == {
        "schema": "look.1",
        "background": {"style": "ink"},
        "instance": [
            {"select": "dog", "style": "gold", "edge_softness": 3.0},
            {"select": "cat", "strength": 0.0, "matte_grow": 2.0},
        ],
    }
    list(client.render(shot, LOOK, [0]))
    asked = [named for named in peer.asked if named["op"] == "render"][1]
    assert asked["look"] == LOOK and not {"output", "scale", "samples"} & asked.keys()


def test_no_layer_comes_twice_when_a_frame_is_begun_again(serve: Any) -> None:
    first = [frame(0, extra={"layer": 0}, more=True), frame(0, extra={"layer": 1})]
    second = [frame(1, extra={"layer": 0}, more=True), frame(1, extra={"layer": 1})]
    answers = iter([[*first, second[0], *error(Code.NEED, shot="id")], [*second, *result()]])
    client, peer = serve(open_shot=result(**SHOT), render=answers)
    shot = client.open_shot("plate.mp4")
    pictures = list(client.render(shot, LOOK, [0, 1], output="layers"))
    assert [(p.number, p.extra["layer"]) for p in pictures] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [named["frames"] for named in peer.asked if named["op"] == "render"] == [[0, 1], [1]]


@pytest.mark.parametrize("source", ["camera:0", "rtsp://camera.example/1"])
def test_what_is_no_path_stays_as_it_is(serve: Any, source: str) -> None:
    client, peer = serve(open_shot=result(**SHOT))
    client.open_shot(source)
    assert peer.asked[-1]["path"] == source


def test_an_error_is_raised_with_its_code_and_details(serve: Any) -> None:
    client, _ = serve(describe=error(Code.NOT_FOUND, line=3, message="x"))
    with pytest.raises(StylebridgeError, match="There is none") as caught:
        client.describe()
    assert (caught.value.code, caught.value.details) == (Code.NOT_FOUND, {"line": 3})


def test_a_shot_that_the_server_forgot_is_opened_again(serve: Any) -> None:
    answers = iter([[frame(0), *error(Code.NEED, shot="id")], [frame(1), *result()]])
    client, peer = serve(open_shot=result(**SHOT), render=answers)
    shot = client.open_shot("plate.mp4")
    assert [p.number for p in client.render(shot, {}, [0, 1])] == [0, 1]
    assert peer.ops() == ["open_shot", "render", "open_shot", "render"]
    assert [named["frames"] for named in peer.asked if named["op"] == "render"] == [[0, 1], [1]]


def test_a_server_may_forget_a_shot_any_number_of_times_while_frames_come(serve: Any) -> None:
    answers = iter([[frame(number), *error(Code.NEED, shot="id")] for number in range(9)] + [result()])
    client, _ = serve(open_shot=result(**SHOT), render=answers)
    shot = client.open_shot("plate.mp4")
    assert [p.number for p in client.render(shot, {}, range(9))] == list(range(9))


def test_a_connection_that_breaks_is_made_again(serve: Any) -> None:
    answers = iter([None, None, result(styles=[])])
    client, peer = serve(describe=answers)
    assert client.describe() == {"styles": []}
    assert peer.ops() == ["describe"] * 3


def test_a_connection_that_breaks_while_it_is_made_again(serve: Any) -> None:
    hellos = iter([result(**HELLO), None, None, result(**HELLO)])
    client, peer = serve(hello=hellos, describe=iter([None, result(styles=[])]))
    assert client.describe() == {"styles": []}
    assert [named["op"] for named in peer.asked].count("hello") == 4


def test_a_connection_that_breaks_again_and_again(serve: Any) -> None:
    client, peer = serve(describe=iter([None] * 9))
    with pytest.raises(StylebridgeError, match=r'went away 4 times during "describe"') as caught:
        client.describe()
    assert caught.value.code == Code.UNREACHABLE
    assert peer.ops() == ["describe"] * 4


def test_a_silent_server_is_given_up(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = serve()
    monkeypatch.setattr(connection, "SILENCE_LIMIT", 0.1)
    monkeypatch.setattr(connection, "_TICK", 0.02)
    with pytest.raises(StylebridgeError) as caught:
        client.describe()
    assert caught.value.code == Code.UNREACHABLE


@pytest.mark.parametrize(
    "answers",
    [
        [({"op": "result"}, None)],
        [({"op": "fly"}, None)],
        [({"op": "frame"}, b"x")],
        [frame(5)],
        [frame(0, height=70_000)],
        [frame(0, b"too long")],
        [frame(0, offset=3)],
        [({"op": "progress", "done": -1, "total": 0, "stage": "", "fps": 0}, None)],
        [({"op": "error", "code": "internal", "message": 3, "details": {}}, None)],
    ],
)
def test_a_server_that_answers_nonsense(serve: Any, answers: Answers) -> None:
    client, _ = serve(open_shot=result(**SHOT), render=answers)
    shot = client.open_shot("plate.mp4")
    with pytest.raises(StylebridgeError) as caught:
        list(client.render(shot, {}, [0, 1]))
    assert caught.value.code in (Code.BAD_REQUEST, Code.TOO_LARGE)


def test_a_result_that_lacks_what_it_must_hold(serve: Any) -> None:
    client, _ = serve(open_shot=result(shot="id"))
    with pytest.raises(StylebridgeError, match='lacks the field "info"'):
        client.open_shot("plate.mp4")


def test_a_server_of_another_protocol(serve: Any) -> None:
    with pytest.raises(StylebridgeError, match="update the older") as caught:
        serve(hello=[({"v": PROTOCOL + 1, "op": "result", "value": {}}, None)])
    assert caught.value.code == Code.VERSION


@pytest.mark.skipif(not memory.POSSIBLE, reason="this system shares no memory by files")
def test_memory_is_offered_again_to_a_server_whose_worker_was_started_anew(serve: Any) -> None:
    answers = iter([error(Code.NEED), error(Code.DENIED), error(Code.DENIED)])
    client, peer = serve(share=answers, put=result(hash="0" * 64))
    for _ in range(3):
        client.put(b"bytes")
    assert [named["op"] for named in peer.asked].count("share") == 2


def test_nobody_asks_a_server_before_it_was_greeted(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread comes while the connection is made again."""
    client, peer = serve(describe=iter([None, result(styles=[1]), result(styles=[2])]), status=result())
    others: list[threading.Thread] = []
    drop = Passage.drop

    def meanwhile(passage: Passage) -> None:
        drop(passage)
        if not others:
            others.append(threading.Thread(target=client.status))
            others[0].start()
            others[0].join(0.3)  # what it asks goes out now, or later

    monkeypatch.setattr(Passage, "drop", meanwhile)
    client.describe()
    others[0].join(20)
    ops = [named["op"] for named in peer.asked]
    again = len(ops) - 1 - ops[::-1].index("hello")
    assert "status" in ops[again:] and "status" not in ops[:again]


def test_closing_ends_the_waiting_of_other_threads(serve: Any) -> None:
    client, peer = serve()
    codes: list[str] = []

    def wait() -> None:
        try:
            client.describe()
        except StylebridgeError as error:
            codes.append(error.code)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while "describe" not in peer.ops():
        time.sleep(0.01)
    client.close()
    waiting.join(10)
    assert codes == [Code.CANCELLED]


def test_cancelling_from_another_thread(serve: Any) -> None:
    client, peer = serve(open_shot=result(**SHOT), analyse=[({"op": "accepted"}, None)])
    shot = client.open_shot("plate.mp4")
    stream = client.render(shot, {}, [0])
    stream.close()
    assert "render" not in peer.ops(), "nothing is asked before the first frame is"

    def cancel() -> None:
        while "analyse" not in peer.ops():
            time.sleep(0.01)
        client.cancel()

    threading.Thread(target=cancel).start()
    with pytest.raises(StylebridgeError) as caught:
        client.analyse(shot, progress=None)
    assert caught.value.code == Code.CANCELLED
    end = time.monotonic() + 5
    while peer.asked[-1]["op"] != "cancel" and time.monotonic() < end:
        time.sleep(0.01)
    [asked] = [named for named in peer.asked if named["op"] == "analyse"]
    assert peer.asked[-1]["of"] == asked["id"]
