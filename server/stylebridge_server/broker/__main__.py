"""`python -m stylebridge_server.broker`: a server without the command line's packages."""

from __future__ import annotations

import argparse
import sys

from stylebridge.errors import StylebridgeError

from ..worker import logs
from .serve import Options, serve
from .watch import Patience


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
    parser.add_argument("--device", action="append", default=[], help="what computes; may be repeated")
    parser.add_argument("--log", choices=logs.FORMS, default=Options.log, help="how log lines look")
    parser.add_argument(
        "--log-file",
        default=Options.log_file,
        help="a file for the log, kept small, in place of standard error",
    )
    parser.add_argument("--metrics", type=int, metavar="PORT", help="show counters for Prometheus there")
    parser.add_argument(
        "--grace", type=float, default=Options.grace, help="seconds that requests have to end when it stops"
    )
    parser.add_argument("--results-mb", type=int, metavar="MIB", help="memory for finished tiles")
    parser.add_argument("--work-mb", type=int, metavar="MIB", help="memory for what tiles are made from")
    parser.add_argument(
        "--patience",
        nargs=2,
        type=float,
        metavar=("BEATS", "STEPS"),
        help="seconds of silence of the process, and of its present job, after which a worker counts as hung",
    )
    given = vars(parser.parse_args())
    patience = Patience(*given.pop("patience") or ())
    try:
        serve(
            Options(
                roots=tuple(given.pop("root")), device=tuple(given.pop("device")), patience=patience, **given
            )
        )
    except StylebridgeError as error:
        print(error.message, file=sys.stderr)
        return 2
    return 0


sys.exit(main())
