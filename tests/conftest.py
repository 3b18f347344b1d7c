"""Fixtures shared by all rooms' tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("stylebridge", deadline=None)
settings.load_profile("stylebridge")

# Those run inside Blender (`make test-blender`).
collect_ignore = ["blender"]

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def without_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever runs the tests may have networks installed; the tests have those that they install themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLEBRIDGE_MODELS", str(tmp_path_factory.mktemp("no-models")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party clips, photographs and weights; skips where it is absent."""
    folder = Path(os.environ.get("STYLEBRIDGE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data" / "MANIFEST.md").is_file():
        pytest.skip("third-party test data is not here (set STYLEBRIDGE_SHARED to its folder)")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY
