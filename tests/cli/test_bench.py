"""`stylebridge bench`: that it measures what it says, not how fast this machine is."""

from __future__ import annotations

import os
import tempfile

import pytest

from stylebridge.errors import StylebridgeError
from stylebridge.passage import MESSAGES, SHARED
from stylebridge.pixels import Layout, Picture
from stylebridge_server.cli import bench
from stylebridge_server.cli.bench import bridge
from stylebridge_server.cli.bench.baselines import message_echo, shared_echo

SMALL = Layout("float16", 40, 30, 4)


def test_the_bridge_is_measured() -> None:
    rows = bridge.measure(rounds=2, requests=20, frame_of=SMALL, large=Layout("uint8", 2000, 2000, 1))
    named = {row.name: row for row in rows}
    assert all(row.ms > 0 for row in rows)
    assert named[f"frame through {SHARED}"].limit == pytest.approx(
        2.5 * named["echo with three copies"].ms + named["hash"].ms
    )
    assert named[f"frame in {MESSAGES}"].limit == pytest.approx(
        1.5 * named["echo of one encrypted message"].ms + named["hash"].ms
    )
    assert sum(row.verdict != "" for row in rows) == 4
    text = bridge.table(rows)
    assert all(f"| {row.name} | {row.ms:.2f} |" in text for row in rows)
    assert [one["name"] for one in bridge.data(rows)] == [row.name for row in rows]


@pytest.mark.parametrize("way", [SHARED, MESSAGES])
def test_every_byte_comes_back_inverted(way: str) -> None:
    frame = Picture(0, SMALL, os.urandom(SMALL.nbytes))
    with (
        tempfile.TemporaryDirectory() as home,
        bridge._server(home) as url,
        bridge._client(url, way) as client,
    ):
        back = bridge._through(client, frame)
        assert client.server["pixels"] == way
    assert bytes(back.data) == bytes(255 - value for value in frame.data)


def test_baselines_bring_the_frame_back() -> None:
    frame = os.urandom(100_000)
    with shared_echo(frame) as copies, message_echo(frame) as message:
        assert copies() == frame and message() == frame


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(StylebridgeError, match='no benchmark "kitchen"'):
        bench.run("kitchen", False)
