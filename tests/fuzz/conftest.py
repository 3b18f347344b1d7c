"""A real server with a client that it lets in, but that is not its owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end_tools import write_movie
from fault_tools import Server, left_behind, settings

from stylebridge.keys import KeyPair, client_key


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only folder that other users' clients may have read."""
    folder = tmp_path_factory.mktemp("root")
    write_movie(folder / "plate.mp4", 4, 48, 32, sound=False)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Server]:
    """One server for all tests of a module: none of them may harm it. This process is its owner."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STYLEBRIDGE_PYTHON", raising=False)
        for name, value in settings(home).items():
            patch.setenv(name, value)
        client_key()
        with Server(home, "--root", str(root)) as server:
            yield server
            assert server.process.poll() is None, server.log.read_text()[-2000:]
    assert left_behind(home) == []


@pytest.fixture(scope="module")
def stranger(server: Server) -> KeyPair:
    """The key of somebody whom the owner lets in."""
    key = KeyPair.make()
    folder = server.home / "settings" / "allowed"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "stranger.public").write_text(key.public.hex() + "\n")
    return key
