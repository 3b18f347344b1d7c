"""The work of a server whose worker takes its time to load."""

from __future__ import annotations

import time

time.sleep(600)
