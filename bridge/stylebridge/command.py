"""The `stylebridge` command. It belongs to the server; the thin side alone says so."""

from __future__ import annotations

import importlib
import importlib.util
import sys


def main() -> int:
    """Runs the command line where the server is installed; exit status 2 and one sentence where it is not."""
    if importlib.util.find_spec("stylebridge_server") and importlib.util.find_spec("stylebridge_server.cli"):
        cli = importlib.import_module("stylebridge_server.cli")
        return int(cli.main() or 0)
    print(
        "Only the thin side of Stylebridge is installed, which has no command line: "
        'run `pip install "stylebridge[server]"` (Python 3.10 or later).',
        file=sys.stderr,
    )
    return 2
