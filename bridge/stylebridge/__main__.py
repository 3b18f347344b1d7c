"""`python -m stylebridge`: the same as the `stylebridge` command."""

from stylebridge.command import main

raise SystemExit(main())
