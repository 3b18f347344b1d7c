"""The messages between broker and worker: the envelopes and checks of `stylebridge.protocol`, other tables.

`id` is the broker's number of a job; 0 speaks of the worker itself.
"""

from __future__ import annotations

import errno

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import EVENTS, REQUESTS, Field, Table

_COUNT = Field("int", least=0)

#: From the broker. The pixels of a pushed frame come before its `run`, in parts. A blob has no `run`: it is
#: answered when its last `put` came. `ended` says that nothing of a session is wanted any more.
TO_WORKER: Table = {
    "part": REQUESTS["put_frame"],
    "put": REQUESTS["put"],
    "ended": {"session": Field("text", most=50)},
    "run": {
        "request": Field("text", most=50),
        "fields": Field("map"),
        "user": Field("text", most=200),
        "session": Field("text", most=50),
        "attempt": _COUNT,
        "interactive": Field("flag"),
        "owner": Field("flag"),
    },
    "cancel": {},
    "credit": {"attempt": _COUNT, "bytes": _COUNT},
    "status": {},
    "beat": {},
}

#: From the worker. All but the last three speak of a job.
FROM_WORKER: Table = {
    **{op: EVENTS[op] for op in ("progress", "credit", "frame", "result", "error")},
    "ready": {"fingerprint": Field("text", most=200)},
    "failed": {"code": Field("text", most=50), "message": Field("text", most=20_000)},
    "status": {"value": Field("map")},
}


def failure(error: Exception, owner: bool = True) -> StylebridgeError:
    """What the client is told of an exception: its own words, or a sentence for those that nobody foresaw.

    Args:
        owner: whether it is the server's own user; others are not told what may name files.
    """
    if isinstance(error, StylebridgeError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return StylebridgeError(
            Code.MISSING_EXTRA,
            f'The server lacks the package "{error.name}": run '
            '`pip install "stylebridge[server]"` for the Python that it runs in.',
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StylebridgeError(
            Code.NOT_WRITABLE,
            f"The server's disk is full ({error.strerror}): free space there, then ask again.",
        )
    return StylebridgeError(
        Code.INTERNAL,
        f"The server failed at this request ({type(error).__name__}{f': {error}' if owner else ''}); its log "
        "says where. Please report it.",
    )
