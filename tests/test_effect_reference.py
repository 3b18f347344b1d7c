"""The reference page says what the effect's table says."""

from __future__ import annotations

import runpy
from pathlib import Path

from stylebridge import effect


def test_the_page_is_up_to_date(repository: Path) -> None:
    page = runpy.run_path(str(repository / "docs" / "effect_reference.py"))["reference_page"]()
    written = (repository / "docs" / "effect-reference.md").read_text(encoding="utf-8")
    assert written == page, "run `python docs/effect_reference.py`"
    for parameter in effect.PARAMETERS:
        assert f"| `{parameter.name}` |" in page and parameter.hint in page
