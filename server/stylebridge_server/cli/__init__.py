"""The `stylebridge` command."""

from __future__ import annotations


def main() -> int:
    """Run the command line; returns the exit status: 0 done, 2 refused, 3 done in part, 4 stale, 130
    interrupted."""
    from stylebridge_server.cli.app import run

    return run()
