"""What goes wrong meanwhile: no crash, no lost work, a clear sentence."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

LIMIT = 280.0


@pytest.fixture
def beside(sb: SimpleNamespace) -> Iterator[None]:
    """Jobs run beside the test, as they do with a window."""
    sb.engine_lanes.blocking = False
    yield
    sb.engine_lanes.blocking = True


@pytest.fixture
def shot(scene: Any, sb: SimpleNamespace, server: Any, movie: Path, beside: None) -> Any:
    """A strip of 96 frames with a style."""
    strip = sb.compat.strips(scene.sequence_editor).new_movie("shot", str(movie), 2, 1)
    settings = sb.strips.begin(strip)
    settings.layers[0].style, settings.output = "great-wave", "flat"
    return strip


def until(sb: SimpleNamespace, condition: Callable[[], bool]) -> None:
    """Lives as Blender does, until something is so."""
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it never came"
        sb.engine_pump.drain()
        time.sleep(0.005)


def ended(sb: SimpleNamespace, job: Any) -> Any:
    until(sb, job.ended.is_set)
    return job


def test_cancel_acts_at_once_and_keeps_what_is_finished(shot: Any, scene: Any, sb: SimpleNamespace) -> None:
    job = sb.ops_render_ops.start(scene, shot)
    until(sb, lambda: job.stage == "frame" and job.done > 1)
    began = time.monotonic()
    job.cancel()
    ended(sb, job)
    assert time.monotonic() - began < 1.0
    assert job.state == "cancelled"
    assert list(Path(bpy.path.abspath("//stylebridge")).rglob("*.png"))
    assert not sb.strips.made_of(shot.stylebridge.uid)
    until(sb, lambda: not sb.engine_lanes.running())


def test_a_killed_server_is_waited_for(shot: Any, scene: Any, sb: SimpleNamespace, server: Any) -> None:
    shot.frame_offset_end = 87
    job = sb.ops_render_ops.start(scene, shot)
    until(sb, lambda: job.stage == "frame" and job.done > 1)
    server_process = sb.bridge_launch.find_server().pid
    os.kill(server_process, signal.SIGKILL)
    until(sb, lambda: job.state == "waiting")
    assert "server is gone" in job.message
    assert sb.engine_server.state.name == "stopped"
    bpy.ops.stylebridge.start_server()
    ended(sb, job)
    assert job.state == "done", job.message
    ((_, strip),) = sb.strips.made_of(shot.stylebridge.uid)
    assert len(strip.elements) == 9


def test_cancel_while_waiting_for_the_server(shot: Any, scene: Any, sb: SimpleNamespace, server: Any) -> None:
    job = sb.ops_render_ops.start(scene, shot)
    until(sb, lambda: job.stage == "frame")
    os.kill(sb.bridge_launch.find_server().pid, signal.SIGKILL)
    until(sb, lambda: job.state == "waiting")
    job.cancel()
    assert ended(sb, job).state == "cancelled"


@pytest.mark.parametrize("what", ["deleted", "moved", "renamed", "other scene", "saved as", "undone"])
def test_the_strip_is_not_what_it_was(
    what: str, shot: Any, scene: Any, sb: SimpleNamespace, tmp_path: Path
) -> None:
    shot.frame_offset_end = 92
    uid = shot.stylebridge.uid
    job = sb.ops_render_ops.start(scene, shot)
    until(sb, lambda: job.order is not None)
    if what == "deleted":
        sb.compat.strips(scene.sequence_editor).remove(shot)
    elif what == "moved":
        shot.frame_start += 100
        shot.channel = 5
    elif what == "renamed":
        shot.name = "something else"
    elif what == "other scene":
        bpy.data.scenes.new("another")
        if bpy.context.window:
            bpy.context.window.scene = bpy.data.scenes["another"]
    elif what == "saved as":
        (tmp_path / "elsewhere").mkdir()
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "elsewhere" / "other.blend"))
        scene = bpy.context.scene
    elif what == "undone":
        shot.stylebridge.uid = ""
    ended(sb, job)
    if what == "deleted":
        assert job.state == "failed"
        assert "no longer in this file" in job.message and str(tmp_path) in job.message
        assert len(list(Path(bpy.path.abspath("//stylebridge")).rglob("*.png"))) == 4
        return
    assert job.state == "done", job.message
    ((_, made),) = sb.strips.made_of(uid)
    assert made.frame_final_start == (101 if what == "moved" else 1)
    assert made.channel == (6 if what == "moved" else 3)
    assert Path(bpy.path.abspath(made.directory)).is_dir()


def test_missing_media(shot: Any, scene: Any, sb: SimpleNamespace) -> None:
    shot.filepath = "//nowhere.mp4"
    job = ended(sb, sb.ops_render_ops.start(scene, shot))
    assert job.state == "failed"
    assert "nowhere.mp4" in job.message


def test_a_folder_that_cannot_be_written(shot: Any, scene: Any, sb: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    scene.stylebridge.folder = str(tmp_path / "file" / "below")
    shot.frame_offset_end = 94
    job = ended(sb, sb.ops_render_ops.start(scene, shot))
    assert job.state == "failed"
    assert "cannot be written" in job.message


def test_a_server_that_is_not_installed(
    scene: Any, sb: SimpleNamespace, beside: None, monkeypatch: Any
) -> None:
    server = sb.engine_server
    server.stop_server()
    monkeypatch.setenv("STYLEBRIDGE_PYTHON", os.environ["STYLEBRIDGE_TEST_NOTHING"])
    with pytest.raises(sb.bridge_errors.StylebridgeError):
        server.start_server()
    assert server.state.name == "failed"
    assert "has no Stylebridge server" in server.state.message
    assert any("No module named" in line for line in server.state.log)
