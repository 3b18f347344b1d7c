"""What `--help` says of the effect's parameters."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from stylebridge import effect
from stylebridge_server import media
from stylebridge_server.cli.app import app
from stylebridge_server.cli.render import command


def test_help_names_presets_ranges_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("TERMINAL_WIDTH", "400")
    said = re.sub(r"\s+", " ", CliRunner().invoke(app, ["render", "--help"]).output)
    assert "presets: starry-night, " in said
    for parameter in effect.scoped(effect.LAYER, effect.SHOT).values():
        assert parameter.option in said
        if parameter.minimum is not None:
            assert f"({parameter.allowed}; default: {parameter.default})" in said


def test_the_codecs_of_the_help_are_those_that_there_are() -> None:
    assert tuple(media.CODECS) == command.CODECS
