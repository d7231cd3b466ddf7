"""Whether a service runs on a data directory: it holds the lock of that."""

from __future__ import annotations

import fcntl
import os


def locked(lock: str) -> bool:
    """Whether somebody holds the lock on a file."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
