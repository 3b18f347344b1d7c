"""`python -m stylebridge_server.worker`, as the broker starts it."""

from .process import main

main()
