"""The messages between broker and worker: the envelopes and checks of `stylebridge.protocol`, other tables.

`id` is the broker's number of a job; 0 speaks of the worker itself.

Bytes that lie in shared memory are named by `place` where the client owns it, and by `lent` where the broker does.
"""

from __future__ import annotations

import errno
from typing import Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Bytes
from stylebridge.protocol import EVENTS, PLACE, REQUESTS, Field, Table, encode

_COUNT = Field("int", least=0)
_SESSION = Field("text", most=50)  # empty for the broker's own memory

#: From the broker. The pixels of a pushed frame come before its `run`, in parts. A blob has no `run`: it is
#: answered when its last `put` came. `ended` says that nothing of a session is wanted any more.
TO_WORKER: Table = {
    "part": {**REQUESTS["put_frame"], "lent": PLACE, "session": _SESSION},
    "put": {**REQUESTS["put"], "lent": PLACE, "session": _SESSION},
    "ended": {"session": _SESSION},
    "run": {
        "request": Field("text", most=50),
        "fields": Field("map"),
        "user": Field("text", most=200),
        "session": _SESSION,
        "attempt": _COUNT,
        "interactive": Field("flag"),
        "owner": Field("flag"),
    },
    "cancel": {},
    "credit": {"attempt": _COUNT, "bytes": _COUNT},
    "share": {**REQUESTS["share"], "session": _SESSION},
    "unshare": {"session": _SESSION},
    "free": {**REQUESTS["free"], "session": _SESSION},
    "status": {},
    "beat": {},
}

#: From the worker. `progress`, `credit`, `frame`, `result` and `error` speak of a job.
FROM_WORKER: Table = {
    **{op: EVENTS[op] for op in ("progress", "credit", "result", "error")},
    "frame": {**EVENTS["frame"], "lent": PLACE},
    "shared": {"session": _SESSION, "nonce": Field("text", most=200)},
    "unshared": {"session": _SESSION, "code": Field("text", most=50), "message": Field("text", most=20_000)},
    "free": {**EVENTS["free"], "session": _SESSION},
    "ready": {"fingerprint": Field("text", most=200)},
    "failed": {"code": Field("text", most=50), "message": Field("text", most=20_000)},
    "status": {"value": Field("map")},
}


def told(error: StylebridgeError) -> dict[str, Any]:
    """The fields of the event `error`; a sentence that is too long for it is cut."""
    most = int(EVENTS["error"]["message"].most or 0)
    message = error.message if len(error.message) <= most else f"{error.message[: most - 1]}…"
    return {"code": error.code, "message": message, "details": error.details}


def refusal(job: int, error: StylebridgeError) -> list[Bytes]:
    """The event `error` of a job: every request is answered, also one whose error no message can hold."""
    try:
        return encode("error", job, told(error))
    except StylebridgeError as unsaid:
        return encode("error", job, told(unsaid))


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
