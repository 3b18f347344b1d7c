"""The systemd user unit of a server, filled in for this installation."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from stylebridge.keys import home

#: What a service should not be able to do. Left out on purpose: MemoryDenyWriteExecute and PrivateDevices (CUDA and
#: compiled kernels need both), ProtectHome and ProtectSystem=strict (plates and results lie anywhere).
UNIT = """\
[Unit]
Description=Stylebridge, neural style transfer for this user's editors
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{environment}
# A refusal (status 2: an address in use, a folder that others can read) does not get better by trying again.
Restart=on-failure
RestartPreventExitStatus=2
RestartSec=2
WatchdogSec=60
# The server lets what runs end for 10 s, then stops its worker; a worker that ran out of memory is replaced by it.
KillMode=mixed
TimeoutStopSec=30
OOMPolicy=continue
MemoryHigh=75%
MemoryMax=85%
LimitNOFILE=16384
LimitCORE=0
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""

#: Settings that are carried over where they are set now.
SETTINGS = (
    "STYLEBRIDGE_HOME",
    "STYLEBRIDGE_ANALYSES",
    "STYLEBRIDGE_ANALYSES_MB",
    "STYLEBRIDGE_CACHE",
    "STYLEBRIDGE_CACHE_MB",
    "STYLEBRIDGE_DEVICE",
    "STYLEBRIDGE_MEMORY_MB",
    "STYLEBRIDGE_MODELS",
    "STYLEBRIDGE_RESULTS_MB",
    "STYLEBRIDGE_STORE",
    "STYLEBRIDGE_STORE_MB",
    "STYLEBRIDGE_THREADS",
    "STYLEBRIDGE_WORK_MB",
)


def unit(arguments: list[str]) -> str:
    """The text of stylebridge.service.

    Args:
        arguments: of `stylebridge serve`.
    """
    words = [sys.executable, "-m", "stylebridge", "serve", *arguments]
    settings = {name: os.environ[name] for name in SETTINGS if os.environ.get(name)}
    settings.setdefault("STYLEBRIDGE_HOME", str(home()))
    if "PYTHONPATH" in os.environ:  # a checkout
        parts = os.environ["PYTHONPATH"].split(os.pathsep)
        settings["PYTHONPATH"] = os.pathsep.join(str(Path(part).absolute()) for part in parts if part)
    lines = [f"Environment={_quoted(f'{name}={value}', command=False)}" for name, value in settings.items()]
    return UNIT.format(
        command=" ".join(_quoted(word, command=True) for word in words), environment="\n".join(lines)
    )


def _quoted(word: str, command: bool) -> str:
    """A word as systemd reads it, where "%" means something, and in commands "$" too."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if command:
        text = text.replace("$", "$$")
    return text if shlex.quote(word) == word else f'"{text}"'
