"""What the words for styles mean: presets, installed networks and their versions, pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import Message
from stylebridge_models import installed, johnson, kinds, microast
from stylebridge_server import media, style
from stylebridge_server.shot.store import Store
from stylebridge_server.worker.baton import Baton
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.ledger import Ledger, Pen
from stylebridge_server.worker.sharing import Sharing
from stylebridge_server.worker.styles import Styles


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Of a client of another user, who was given the folder `root`."""
    (tmp_path / "root").mkdir()
    fields = {"user": "u", "session": "s", "owner": False, "interactive": False, "attempt": 1, "fields": {}}
    root = (tmp_path / "root").resolve()
    run, pen = Message("run", 1, fields), Pen(Ledger(tmp_path).path)
    store = Store(tmp_path / "store", 1 << 20)
    return Context(run, lambda *_: None, Baton(), pen, (root,), store, Sharing(lambda *_: None))


@pytest.fixture(scope="module")
def engine() -> style.Engine:
    return style.load()


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path / "models"))


def install(name: str, kind: str, value: float = 0.1) -> installed.Card:
    shapes = johnson.shapes() if kind == kinds.JOHNSON else microast.shapes()
    tensors = {key: torch.full(shape, value) for key, shape in shapes.items()}
    settings = {"epsilon": 1e-5} if kind == kinds.JOHNSON else {}
    return installed.install(name, kind, tensors, ("file", "0"), "MIT", settings)


def test_words(context: Context, engine: style.Engine, tmp_path: Path) -> None:
    styles = Styles(engine, "cpu")
    media.save_image(tmp_path / "root" / "it.png", np.zeros((16, 16, 3), np.uint8))
    picture = str(tmp_path / "root" / "it.png")
    assert isinstance(styles.find(context.file, {}, "starry-night"), style.CodeStyle)
    assert isinstance(styles.find(context.file, {}, picture), style.CodeStyle)
    candy, micro = install("candy", kinds.JOHNSON), install("micro", kinds.MICROAST)
    one = styles.find(context.file, {}, "candy")
    assert isinstance(one, style.FrameStyle) and one.version == candy.version
    after = styles.find(context.file, {}, f"micro:{picture}")
    assert isinstance(after, style.FrameStyle) and after.model == "micro" and after.version == micro.version
    assert styles.find(context.file, {}, f"micro:{picture}") is after


def test_a_look_keeps_the_version_that_it_was_made_with(context: Context, engine: style.Engine) -> None:
    styles = Styles(engine, "cpu")
    old, new = install("candy", kinds.JOHNSON, 0.1), install("candy", kinds.JOHNSON, 0.2)
    kept = styles.find(context.file, {"candy": old.version}, "candy")
    now = styles.find(context.file, {}, "candy")
    assert isinstance(kept, style.FrameStyle) and kept.version == old.version
    assert isinstance(now, style.FrameStyle) and now.version == new.version and now.id != kept.id
    with pytest.raises(StylebridgeError, match="not installed in version") as caught:
        styles.find(context.file, {"candy": "0" * 16}, "candy")
    assert caught.value.code == Code.NOT_FOUND


def test_what_is_refused(context: Context, engine: style.Engine, tmp_path: Path) -> None:
    styles = Styles(engine, "cpu")
    install("candy", kinds.JOHNSON)
    install("micro", kinds.MICROAST)
    media.save_image(tmp_path / "secret.png", np.zeros((16, 16, 3), np.uint8))
    for word, code in (
        ("candi", Code.UNKNOWN_STYLE),
        ("candi:it.png", Code.UNKNOWN_STYLE),
        ("starry-night:it.png", Code.BAD_VALUE),
        ("candy:it.png", Code.BAD_VALUE),
        ("micro", Code.BAD_VALUE),
        (f"micro:{tmp_path / 'root' / 'gone.png'}", Code.NOT_FOUND),
        (f"micro:{tmp_path / 'secret.png'}", Code.DENIED),
    ):
        with pytest.raises(StylebridgeError) as caught:
            styles.find(context.file, {}, word)
        assert caught.value.code == code, word


def test_describe(engine: style.Engine) -> None:
    styles = Styles(engine, "cpu")
    candy, micro = install("candy", kinds.JOHNSON), install("micro", kinds.MICROAST)
    installed.install("judge", "squeezenet", {"w": torch.zeros(1)}, ("f", "0"), "BSD-2-Clause")
    told = styles.describe()
    names = [one["name"] for one in told["styles"]]
    assert "candy" in names and "starry-night" in names and "micro" not in names and "judge" not in names
    assert told["networks"] == ["micro", "optimise"]
    assert told["models"] == {
        "style": engine.checksum,
        "candy": candy.version,
        "micro": micro.version,
    }
