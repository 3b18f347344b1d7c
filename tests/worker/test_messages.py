"""What clients are told of exceptions."""

from __future__ import annotations

import errno

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.worker.messages import failure


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
