"""What says that the books of a data directory move, or have moved, to PostgreSQL.

`xinghe migrate` holds `<data>/moving.lock` locked for as long as it runs; the file says whether
requests have to wait, and for which move. The kernel lets go of it at whatever death, and then all
goes on as before. That they *have* moved stands in the SQLite file itself, by whose own lock no
transaction comes between: from then on none can be begun there.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from xinghe.storage.connection import Connection, Session, StorageError, StorageRefused

APPLICATION_ID = 0x786D6F76
"""Of an SQLite file whose books have moved: `xmov`."""
LOCK = "moving.lock"
LOOK = 0.1
"""Seconds for which what the file says is gone by."""
RETRY_SECONDS = 5.0
"""After which who was refused may ask again."""
TRIES, PAUSE = 20, 0.05
MOST = 4096


class StorageMoved(StorageRefused):
    """The books are being moved to PostgreSQL, or were: nothing was handed in here."""


class Moved(msgspec.Struct, frozen=True):
    """Where to, by which move, and when (microseconds since 1970)."""

    url: str
    move: str
    at: int


class Moving(msgspec.Struct, frozen=True):
    """What the file says: which move it is, and whether requests have to wait for it."""

    move: str = ""
    waits: bool = False


class Pause:
    """The service's side: whether it has to refuse what writes."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / LOCK
        self._looked = -LOOK
        self._on = False
        self.seen = False
        """Whether it was on at any time."""

    def on(self) -> bool:
        """Costs a microsecond; what it says may be `LOOK` seconds old."""
        at = time.monotonic()
        if at - self._looked >= LOOK:
            self._looked, self._on = at, _waits(self._file)
            self.seen = self.seen or self._on
        return self._on


def _waits(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor).waits
    finally:
        os.close(descriptor)
    return False  # whoever moved it has ended


class Mover:
    """The command's side, while it has the file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def last(self) -> str:
        """The move that was begun here last; empty: none was."""
        return _read(self._descriptor).move

    def say(self, moving: Moving) -> None:
        """Raises `OSError`."""
        data = msgspec.json.encode(moving)
        # In one write, and never shorter than before: who reads meanwhile reads one or the other.
        os.pwrite(self._descriptor, data.ljust(MOST), 0)
        os.fsync(self._descriptor)


@contextmanager
def moving(directory: Path) -> Iterator[Mover]:
    """Be the one who moves the books of a data directory. Raises `StorageError`."""
    file = directory / LOCK
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}") from error
    try:
        for _ in range(TRIES):  # a service that looks has it for a moment
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(PAUSE)
        else:
            raise StorageError(f"another `xinghe migrate` is at work on {directory}")
        yield Mover(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Moving:
    try:
        return msgspec.json.decode(os.pread(descriptor, MOST, 0).rstrip(), type=Moving)
    except msgspec.DecodeError:
        return Moving()


# In the SQLite file.


def moved(connection: Connection) -> Moved | None:
    """Where the books of an SQLite file are now; None where they are in it."""
    if connection.value("PRAGMA application_id") != APPLICATION_ID:
        return None
    row = connection.row("SELECT url, move, at FROM moved")
    assert row is not None
    return Moved(*row)


def mark(session: Session, to: Moved) -> None:
    """Within a transaction: have the file say that its books are elsewhere."""
    session.run("CREATE TABLE moved (url TEXT NOT NULL, move TEXT NOT NULL, at INTEGER NOT NULL)")
    session.run("INSERT INTO moved (url, move, at) VALUES ($1, $2, $3)", to.url, to.move, to.at)
    session.rows(f"PRAGMA application_id = {APPLICATION_ID}")


def unmark(session: Session) -> None:
    """Within a transaction: have the books be in the file again."""
    session.run("DROP TABLE moved")
    session.rows("PRAGMA application_id = 0")
