"""What the worker's handlers let a client have read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import Message
from stylebridge_server import media
from stylebridge_server.shot.store import Store
from stylebridge_server.worker.baton import Baton
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.jobs import Jobs
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
    jobs = Jobs("cpu", 1 << 20, 1 << 20, tmp_path / "analyses")
    context = stranger(tmp_path, root.resolve())
    assert jobs.open_shot(context, {"path": str(root / "mine.png")})["info"]["width"] == 4
    assert jobs.open_shot(context, {"path": str(root / "plate.####.png")})["info"]["first"] == 1
    (root / "linked.0001.png").symlink_to(root / "mine.png")
    (root / "linked.0002.png").symlink_to(tmp_path / "secret.png")
    outside = (
        tmp_path / "secret.png",
        root / "link.png",
        root / ".." / "secret.png",
        root / "linked.####.png",
    )
    for path in outside:
        with pytest.raises(StylebridgeError) as denied:
            jobs.open_shot(context, {"path": str(path)})
        assert denied.value.code == Code.DENIED
