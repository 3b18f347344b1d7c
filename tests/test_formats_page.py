"""The page of formats says what the table of codecs says."""

from __future__ import annotations

import runpy
from pathlib import Path

from stylebridge_server.media import CODECS


def test_the_page_is_up_to_date(repository: Path) -> None:
    page = runpy.run_path(str(repository / "docs" / "formats.py"))["formats_page"]()
    written = (repository / "docs" / "formats.md").read_text(encoding="utf-8")
    assert written == page, "run `python docs/formats.py`"
    for codec in CODECS.values():
        assert f"| `{codec.name}` |" in page
