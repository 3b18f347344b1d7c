"""What the worker's handlers let a client have read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import Message
from stylebridge_server import media
from stylebridge_server.shot.analysis import AnalysisStore
from stylebridge_server.shot.store import Store
from stylebridge_server.worker.baton import Baton
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.jobs import Jobs
from stylebridge_server.worker.jobs import _jobs as jobs_of_environment
from stylebridge_server.worker.ledger import Ledger, Pen
from stylebridge_server.worker.sharing import Sharing


def stranger(folder: Path, root: Path) -> Context:
    """The context of a client of another user, who was given one folder."""
    fields = {"user": "u", "session": "s", "owner": False, "interactive": False, "attempt": 1, "fields": {}}
    run, pen, store = Message("run", 1, fields), Pen(Ledger(folder).path), Store(folder / "store", 1 << 20)
    return Context(run, lambda *_: None, Baton(), pen, (root,), store, Sharing(lambda *_: None))


def test_a_link_does_not_lead_a_stranger_out_of_the_folder_given(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    picture = np.zeros((4, 4, 3), np.uint8)
    media.save_image(tmp_path / "secret.png", picture)
    media.save_image(root / "mine.png", picture)
    media.save_image(root / "plate.0001.png", picture)
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    jobs = Jobs("cpu", 1 << 20, 1 << 20, AnalysisStore(tmp_path / "analyses", 1 << 30))
    context = stranger(tmp_path, root.resolve())
    assert jobs.open_shot(context, {"path": str(root / "mine.png")})["info"]["width"] == 4
    assert jobs.open_shot(context, {"path": str(root / "plate.####.png")})["info"]["first"] == 1
    (root / "linked.0001.png").symlink_to(root / "mine.png")
    (root / "linked.0002.png").symlink_to(tmp_path / "secret.png")
    (root / "minus.0000.png").symlink_to(root / "mine.png")
    (root / "minus.-001.png").symlink_to(tmp_path / "secret.png")  # as C writes -1 in four digits
    outside = (
        root / "minus.####.png",
        tmp_path / "secret.png",
        root / "link.png",
        root / ".." / "secret.png",
        root / "linked.####.png",
    )
    for path in outside:
        with pytest.raises(StylebridgeError) as denied:
            jobs.open_shot(context, {"path": str(path)})
        assert denied.value.code == Code.DENIED


def test_whatever_names_a_file_is_held_to_the_folders_given(tmp_path: Path) -> None:
    """Style pictures, settings and mattes too; and the refusal does not tell whether the file is there."""
    root = tmp_path / "root"
    root.mkdir()
    media.save_image(tmp_path / "there.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "there.toml").write_text('pictures = ["there.png"]')
    media.save_image(root / "plate.png", np.zeros((4, 4, 3), np.uint8))
    (root / "link.png").symlink_to(tmp_path / "there.png")
    (root / "out.toml").write_text('pictures = ["../there.png"]')
    jobs = Jobs("cpu", 1 << 20, 1 << 20, AnalysisStore(tmp_path / "analyses", 1 << 30))
    context = stranger(tmp_path, root.resolve())
    shot = context.run(jobs.open_shot, {"path": str(root / "plate.png")})["shot"]
    analysis = context.run(jobs.analyse, {"shot": shot, "segmenter": "none"})["analysis"]

    def styled(word: str) -> None:
        look = {"schema": "look.1", "background": {"style": word}}
        context.run(jobs.render, {"shot": shot, "analysis": analysis, "look": look, "frames": [0]})

    def pointed(path: str) -> None:
        prompts = [{"name": "it", "frame": 0, "matte": path}]
        context.run(jobs.analyse, {"shot": shot, "prompts": prompts, "segmenter": "auto"})

    refusals = set()
    for folder, names in ((tmp_path, ("there", "absent")), (root, ("link", "../there"))):
        for name in names:
            path = str(folder / name)
            for ask in (styled, pointed, lambda one: styled(f"optimise:{one}")):
                with pytest.raises(StylebridgeError) as denied:
                    ask(f"{path}.png")
                assert denied.value.code == Code.DENIED, (ask, path)
                refusals.add(denied.value.message.replace(f"{path}.png", ""))
    for settings in (tmp_path / "there.toml", tmp_path / "absent.toml", root / "out.toml"):
        with pytest.raises(StylebridgeError) as denied:
            styled(f"optimise:{settings}")
        assert denied.value.code == Code.DENIED
    assert len(refusals) == 1
    asked = {"paths": [str(tmp_path / "there.png"), str(tmp_path / "absent.png"), str(root / "link.png")]}
    assert jobs.handlers()["probe"](context, asked) == {"files": [None, None, None]}


@pytest.mark.parametrize("said", ["abc", "-1", "1.5", "1e9"])
def test_a_setting_that_is_no_number_is_named(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_RESULTS_MB", said)
    with pytest.raises(
        StylebridgeError, match=f"STYLEBRIDGE_RESULTS_MB is '{said}': set it to a whole number"
    ):
        jobs_of_environment()


def test_a_device_that_is_not_here_is_named(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is such a device here")
    with pytest.raises(StylebridgeError, match="device cuda:0 cannot be used"):
        Jobs("cuda:0", 1 << 20, 1 << 20, AnalysisStore(tmp_path / "analyses", 1 << 30))
