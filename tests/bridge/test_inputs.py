"""What a client gives to a server that does not see its disk, asked for by a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stylebridge import inputs
from stylebridge.client import Progress
from stylebridge.connection import UPLOAD_NEAR
from stylebridge.errors import Code, StylebridgeError
from stylebridge.files import glimpse, hash_of, same
from stylebridge.inputs import files_of_look, mattes_of
from stylebridge.pixels import PART_BYTES, Layout, Picture
from stylebridge.protocol import UPLOAD_WINDOW

from .peer import SHOT, Answers, error, result

BLIND = result(files=[None] * 20)  # a server that sees none of the paths


def taken(named: dict[str, Any]) -> Answers:
    """Takes each part at once; the name of the whole is told with the last."""
    size = min(PART_BYTES, named["size"] - named["offset"])
    credit: Answers = [({"op": "credit", "bytes": size}, None)]
    return credit + (
        result(hash=named.get("hash", "0" * 64)) if named["offset"] + size == named["size"] else []
    )


def need(**details: Any) -> Answers:
    return error(Code.NEED, **details)


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    path = tmp_path / "plate.mp4"
    path.write_bytes(bytes(range(256)) * 20_000)
    return path


def test_a_file_that_the_server_sees_too_is_not_sent(serve: Any, plate: Path) -> None:
    client, peer = serve(open_shot=result(**SHOT), probe=result(files=[glimpse(plate)] * 2))
    client.open_shot(plate)
    assert peer.asked[-1] == {**peer.asked[-1], "op": "open_shot", "path": str(plate)}
    assert "files" not in peer.asked[-1]
    client.open_shot(plate)
    assert peer.ops() == ["probe", "open_shot", "open_shot"], "it is probed once"


@pytest.mark.parametrize("theirs", [None, {}, {"size": 1}, {"size": "x", "sample": 3, "modified": None}, 7])
def test_a_file_that_the_server_does_not_see_is_named_by_its_hash(
    serve: Any, plate: Path, theirs: Any
) -> None:
    client, peer = serve(open_shot=result(**SHOT), probe=result(files=[theirs] * 2))
    client.open_shot(plate)
    assert peer.asked[-1]["files"] == {str(plate): {"hash": hash_of(plate), "size": 5_120_000}}
    assert peer.ops() == ["probe", "open_shot"], "it is sent only when it is needed"


def test_what_is_needed_is_put_in_parts_and_asked_again(serve: Any, plate: Path) -> None:
    name = hash_of(plate)
    answers = iter([need(files=[name]), result(**SHOT)])
    client, peer = serve(open_shot=answers, probe=BLIND, put=taken)
    seen: list[Progress] = []
    client.open_shot(plate, progress=seen.append)
    puts = [named for named in peer.asked if named["op"] == "put"]
    assert [named["offset"] for named in puts] == [0, PART_BYTES, 2 * PART_BYTES]
    assert {(named["hash"], named["size"], named["id"]) for named in puts} == {
        (name, 5_120_000, puts[0]["id"])
    }
    assert peer.ops()[-1] == "open_shot"
    assert (seen[-1].done, seen[-1].total, seen[-1].stage) == (5, 5, "sending")


@pytest.mark.parametrize(
    "details", [{"files": ["f" * 64]}, {"files": 3}, {"frames": [1]}, {"shot": "other"}, {"files": [{}]}, {}]
)
def test_a_need_that_cannot_be_met_is_an_error_at_once(
    serve: Any, plate: Path, details: dict[str, Any]
) -> None:
    client, peer = serve(open_shot=need(**details), probe=BLIND)
    with pytest.raises(StylebridgeError) as lacking:
        client.open_shot(plate)
    assert lacking.value.code == Code.NEED
    assert peer.ops() == ["probe", "open_shot"]


def test_a_need_that_repeats_for_ever_ends(serve: Any, plate: Path) -> None:
    client, peer = serve(open_shot=need(files=[hash_of(plate)]), probe=BLIND, put=taken)
    with pytest.raises(StylebridgeError) as lacking:
        client.open_shot(plate)
    assert lacking.value.code == Code.NEED
    assert peer.ops().count("open_shot") == 5


@pytest.mark.parametrize("window", [UPLOAD_NEAR, UPLOAD_WINDOW], ids=["here", "elsewhere"])
def test_an_upload_waits_for_credit(serve: Any, monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setattr("stylebridge.connection.UPLOAD_NEAR", window)
    held: list[int] = []

    def reluctant(named: dict[str, Any]) -> Answers:
        """Gives credit for nothing until the window is full, and then for all of it."""
        held.append(1)
        if sum(held) * PART_BYTES < window and named["offset"] + PART_BYTES < named["size"]:
            return []
        size = sum(held) * PART_BYTES
        most.append(size)
        held.clear()
        done = named["offset"] + PART_BYTES >= named["size"]
        return [({"op": "credit", "bytes": size}, None), *(result(hash="a" * 64) if done else [])]

    most: list[int] = []
    client, _ = serve(put=reluctant)
    assert client.put(bytes(10 * PART_BYTES)) == "a" * 64
    assert most[:-1] == [window] * len(most[:-1]) and sum(most) == 10 * PART_BYTES


def test_a_blob_that_the_server_has_already_is_not_sent_whole(serve: Any) -> None:
    client, peer = serve(put=lambda named: result(hash="a" * 64) if named["offset"] == 0 else [])
    assert client.put(bytes(100 * PART_BYTES)) == "a" * 64
    assert peer.ops().count("put") <= UPLOAD_WINDOW // PART_BYTES


def test_an_upload_that_a_worker_took_along_is_sent_again(serve: Any) -> None:
    answers = iter([need(again=True), result(hash="b" * 64)])
    client, peer = serve(put=answers)
    assert client.put(b"abc") == "b" * 64
    assert [named["offset"] for named in peer.asked if named["op"] == "put"] == [0, 0]
    client, peer = serve(put=need(again=True))
    with pytest.raises(StylebridgeError):
        client.put(b"abc")


def test_what_cannot_be_put(serve: Any, tmp_path: Path) -> None:
    client, _ = serve()
    (tmp_path / "empty").write_bytes(b"")
    for nothing in (b"", tmp_path / "empty"):
        with pytest.raises(StylebridgeError, match="is empty") as refused:
            client.put(nothing)
        assert refused.value.code == Code.BAD_VALUE
    with pytest.raises(StylebridgeError) as refused:
        client.put(tmp_path / "nowhere")
    assert refused.value.code == Code.NOT_FOUND


def test_pushed_frames_are_named_by_the_server_and_given_again(serve: Any) -> None:
    names = [digit * 64 for digit in "abc"]
    puts, renders = (
        iter([result(hash=name) for name in [*names, names[1]]]),
        iter([need(frames=[6]), result()]),
    )
    client, peer = serve(open_shot=result(**SHOT), put=puts, render=renders)
    made = {"first": 5, "last": 7, "width": 2, "height": 1, "channels": 2, "dtype": "uint8"}
    asked: list[int] = []

    def give(number: int) -> Picture:
        asked.append(number)
        return Picture(number, Layout("uint8", 1, 2, 2), bytes([number] * 4))

    shot = client.open_shot(pushed=made, frames=give)
    declared = {**made, "colour": "srgb", "alpha": "straight", "frames": names}
    assert peer.asked[-1]["pushed"] == declared and asked == [5, 6, 7]
    assert list(client.render(shot, {}, [])) == []
    assert asked == [5, 6, 7, 6]
    assert [named.get("hash") for named in peer.asked if named["op"] == "put"] == [None, None, None, names[1]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give one"),
        ({"path": "a.mp4", "live": {}}, "give one"),
        ({"pushed": {"first": 1, "last": 2}}, "give one"),
        ({"pushed": {"first": 1, "last": 2**40}, "frames": {}}, "no such range"),
        ({"pushed": {"first": 1, "last": 2}, "frames": {}}, "Frame 1 of the pushed shot 1 to 2 is not there"),
    ],
)
def test_shots_that_cannot_be_opened(serve: Any, given: dict[str, Any], words: str) -> None:
    client, peer = serve()
    with pytest.raises(StylebridgeError, match=words):
        client.open_shot(**given)
    assert peer.ops() == []


def test_a_long_list_is_put_as_a_blob(serve: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(inputs, "LISTED", 2)
    for number in range(3):
        (tmp_path / f"plate.{number}.png").write_bytes(b"x" * (number + 1))
    client, peer = serve(open_shot=result(**SHOT), probe=BLIND, put=taken)
    client.open_shot(tmp_path / "plate.#.png")
    assert peer.asked[-1]["files"] == "0" * 64, "the hash that the server said"
    assert peer.ops() == ["probe", "put", "open_shot"]


def test_the_pictures_of_a_look() -> None:
    look = {
        "background": {"style": "a.png"},
        "instance": [{"style": [[1, "b/c"], [2, "starry-night"], [3, "a.png"]]}, {"style": 7}, 3, {}],
    }
    assert files_of_look(look) == ["a.png", "b/c"]
    assert files_of_look({"background": 3, "instance": "x"}) == []
    assert mattes_of([{"name": "a", "matte": "m.png"}, {"name": "b"}]) == ["m.png"]


def test_glimpses(plate: Path, tmp_path: Path) -> None:
    ours = glimpse(plate)
    assert same(ours, dict(ours)) and same(ours, {**ours, "modified": ours["modified"] + 1.9})
    assert not same(ours, {**ours, "modified": ours["modified"] + 3})
    changed = bytearray(plate.read_bytes())
    changed[-1] ^= 1
    plate.write_bytes(changed)
    assert not same(ours, {**glimpse(plate), "modified": ours["modified"]})
    with pytest.raises(OSError):
        glimpse(tmp_path)
