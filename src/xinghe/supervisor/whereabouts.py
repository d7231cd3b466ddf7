"""Where the service of a data directory is reached: it says so in the file that it has locked."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from xinghe.supervisor.child import ServeError

LOCK = "serve.lock"
MOST = 64 * 1024
LOCK_TRIES, LOCK_PAUSE = 5, 0.05


class Whereabouts(msgspec.Struct, frozen=True):
    """`pid` is that of its root. The URLs are those of this machine; empty while it starts."""

    pid: int = 0
    url: str = ""
    metrics_url: str = ""


def lock_data(data: Path) -> int:
    """Take the data directory for this service: SQLite carries one gateway. Raises `ServeError`."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(LOCK_TRIES):  # a command that looks who has it has it for a moment
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE)
        else:
            os.truncate(descriptor, 0)
            return descriptor
    os.close(descriptor)
    raise ServeError(
        f"another `xinghe serve` uses {data}; several gateways on one data directory need "
        "PostgreSQL and Valkey, so choose another directory with --data"
    )


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


def environment(data: Path, where: Whereabouts) -> dict[str, str] | None:
    """The variables that the service of a data directory was started with.

    `None` where the system does not tell: it is not Linux, or the service is another user's, or in
    another container.
    """
    process = Path("/proc") / str(where.pid)
    try:
        if not _holds(process, data / LOCK):  # then another one has its number here
            return None
        said = (process / "environ").read_bytes()
    except OSError:
        return None
    pairs = (os.fsdecode(each).partition("=") for each in said.split(b"\0"))
    return {name: value for name, _, value in pairs}


def _holds(process: Path, file: Path) -> bool:
    """Whether a process has a file open. Raises `OSError`."""
    wanted = file.stat()
    for each in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            if os.path.samestat(each.stat(), wanted):
                return True
    return False


def _told(data: bytes) -> Whereabouts:
    try:
        return msgspec.json.decode(data, type=Whereabouts)
    except msgspec.DecodeError:
        return Whereabouts()
