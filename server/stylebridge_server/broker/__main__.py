"""`python -m stylebridge_server.broker`: a server without the command line's packages."""

from __future__ import annotations

import argparse
import sys

from stylebridge.errors import StylebridgeError

from .serve import Options, serve


def main() -> int:
    """Runs a server; exit status 2 with one sentence where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m stylebridge_server.broker", description=__doc__)
    parser.add_argument("--bind", default=Options.bind, help="where to listen")
    parser.add_argument(
        "--stay", action="store_true", help="be the user's one server, found by their clients"
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when standard input closes")
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", help="stop when unused for so long")
    parser.add_argument("--announce", action="store_true", help="print the address as one line of JSON")
    parser.add_argument("--root", action="append", default=[], help="folder that other users may have read")
    parser.add_argument("--jobs", default=Options.jobs, help="module that does the work")
    given = vars(parser.parse_args())
    try:
        serve(Options(roots=tuple(given.pop("root")), **given))
    except StylebridgeError as error:
        print(error.message, file=sys.stderr)
        return 2
    return 0


sys.exit(main())
