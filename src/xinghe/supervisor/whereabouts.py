"""Where the service of a data directory is reached: it says so in the file that it has locked."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

LOCK = "serve.lock"
MOST = 64 * 1024


class Whereabouts(msgspec.Struct, frozen=True):
    """`pid` is that of its root. The URLs are those of this machine; empty while it starts."""

    pid: int = 0
    url: str = ""
    metrics_url: str = ""


def tell(descriptor: int, where: Whereabouts) -> None:
    """Write it into the file that `lock_data` has locked."""
    data = msgspec.json.encode(where)
    os.pwrite(descriptor, data, 0)
    os.truncate(descriptor, len(data))


def find(data: Path) -> Whereabouts | None:
    """The service that runs on a data directory; `None` where none does."""
    try:
        descriptor = os.open(data / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(os.pread(descriptor, MOST, 0))
    finally:
        os.close(descriptor)
    return None


def _told(data: bytes) -> Whereabouts:
    try:
        return msgspec.json.decode(data, type=Whereabouts)
    except msgspec.DecodeError:
        return Whereabouts()
