"""What clients are told of exceptions."""

from __future__ import annotations

import errno

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import decode
from stylebridge_server.shot.store import lacking
from stylebridge_server.worker.messages import FROM_WORKER, failure, refusal


def test_a_defect_names_files_to_the_owner_alone() -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/home/anna/secret.mov")
    assert "secret.mov" in failure(error).message
    told = failure(error, owner=False)
    assert told.code == Code.INTERNAL and "secret" not in told.message and "PermissionError" in told.message


def test_a_full_disk_and_what_was_foreseen() -> None:
    full = failure(OSError(errno.ENOSPC, "No space left on device"))
    assert full.code == Code.NOT_WRITABLE and "free space there" in full.message
    known = StylebridgeError(Code.NOT_FOUND, "Nothing there.")
    assert failure(known) is known
    assert failure(ModuleNotFoundError("no", name="thing")).code == Code.MISSING_EXTRA


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StylebridgeError(Code.UNKNOWN_INSTANCE, "It has " + "thing:1, " * 10_000), Code.UNKNOWN_INSTANCE),
        (lacking([f"{number:064x}" for number in range(100_000)]), Code.NEED),
        (StylebridgeError(Code.NEED, "There is none.", files=["0" * 64] * 100_000), Code.TOO_LARGE),
        (StylebridgeError(Code.NOT_FOUND, "There is no \udce9.png."), Code.BAD_VALUE),
    ],
)
def test_every_error_reaches_the_client(error: StylebridgeError, code: str) -> None:
    """However long it is, and whatever the system calls a file."""
    message = decode(refusal(7, error), FROM_WORKER)
    assert (message.op, message.id, message.fields["code"]) == ("error", 7, code)
