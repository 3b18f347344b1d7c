"""Locks on files, which end with the process that holds them, however it ends."""

from __future__ import annotations

import os
import sys


def lock(handle: int, shared: bool = False) -> bool:
    """Takes the lock of an open file, without waiting; whether it could. Closing the file lets go of it.

    Args:
        handle: the open file's number.
        shared: others who ask so may have it too. Windows knows no such lock: there it is taken alone.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
