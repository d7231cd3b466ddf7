"""Settling what dead processes left open, in batches.

Which process a hold belongs to is told by a file lock and not by a clock: `<data>/owners/<boot
id>.lock` is held with flock(2) while the process lives. The kernel lets go of it at whatever death,
and keeps it while a laptop sleeps.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
import structlog

from xinghe.ledger import holds
from xinghe.storage import (
    Allowance,
    Connection,
    Database,
    StorageUnavailable,
    in_batches,
    now,
)

FOLDER = "owners"
PAGE = 200

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class OwnerLock:
    """This process's claim on the holds that name its boot id."""

    def __init__(self, data: Path) -> None:
        self.boot_id = secrets.token_hex(8)
        self._folder = data / FOLDER
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises `OSError`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        draft = self._folder / f"{self.boot_id}.draft"
        while self._descriptor is None:
            # Python opens files close-on-exec: no child keeps the lock alive.
            descriptor = os.open(draft, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # It gets its name when it is locked, so that no reaper sees it unlocked; one
                # that cleared the draft away meanwhile makes this fail, and it is made again.
                draft.rename(_path(self._folder, self.boot_id))
            except FileNotFoundError:
                os.close(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            else:
                self._descriptor = descriptor

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor is not None:
            _path(self._folder, self.boot_id).unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


class Reaping(msgspec.Struct, frozen=True):
    """How many holds of a dead process were resolved, and behind which it goes on."""

    resolved: int = 0
    after: str = ""


async def reap(database: Database, own_boot_id: str) -> int:
    """Resolve the open holds of every process that is dead; returns how many.

    Raises `StorageError` or `OSError`; what was resolved by then stays resolved.
    """
    # Owners first, their lock files after: a process has its file before it has a hold, so one
    # that started in between is never taken for dead.
    named = await database.read(holds.owners)
    data = database.directory
    reaped = 0
    locked = {file.stem for file in (data / FOLDER).glob("*.lock")}
    for boot_id in sorted({*named, *locked} - {own_boot_id}):
        with _claimed(data, boot_id) as dead:
            if not dead:
                continue
            step = partial(settle_process, boot_id=boot_id)
            count = (await in_batches(database, step, Reaping())).resolved
        if count:
            log.warning("holds_reaped", owner=boot_id, count=count)
        reaped += count
    _clear_drafts(data)
    return reaped


def settle_process(
    connection: Connection, allowance: Allowance, reaping: Reaping, *, boot_id: str
) -> tuple[Reaping, bool]:
    """Resolve what a dead process has open; returns how far that has come, and whether it is all.

    A stream's client saw what came out, so the prompt and the last checkpoint are owed, once it
    had started; the client of a non-stream answer got nothing and owes nothing. A hold that
    cannot be resolved is logged and stays open, for the next round; it keeps no other from being
    resolved.
    """
    at = now()
    resolved, after = reaping.resolved, reaping.after
    page = holds.open_holds(connection, boot_id, after=after, limit=PAGE)
    connection.lock({hold.account_id for hold in page})
    for hold in page:
        if not allowance.take():
            return Reaping(resolved, after), False
        resolved += _settle(connection, hold, at)
        after = hold.id
    return Reaping(resolved, after), len(page) < PAGE


def _settle(connection: Connection, hold: holds.OpenHold, at: int) -> bool:
    try:
        with connection.savepoint():
            if hold.stream and hold.started:
                holds.capture(connection, hold.id, hold.usage, at=at, note="interrupted")
            else:
                holds.release(connection, hold.id, at=at)
    except StorageUnavailable:
        raise  # it says nothing of this hold, and the whole transaction is tried again
    except Exception:
        log.exception("hold_not_reaped", hold_id=hold.id)
        return False
    return True


@contextmanager
def _claimed(data: Path, boot_id: str) -> Iterator[bool]:
    """Whether the process of a boot id is dead; within, nobody else is told the same.

    The dead process's lock file is removed on the way out, unless by an exception.
    """
    file = _path(data / FOLDER, boot_id)
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
        file.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _clear_drafts(data: Path) -> None:
    """Remove what processes left that died between two steps of `OwnerLock.acquire`."""
    for draft in (data / FOLDER).glob("*.draft"):
        with suppress(FileNotFoundError):
            descriptor = os.open(draft, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.unlink()
            except BlockingIOError:
                pass
            finally:
                os.close(descriptor)


def _path(folder: Path, boot_id: str) -> Path:
    return folder / f"{boot_id}.lock"
