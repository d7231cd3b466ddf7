"""Whose a hold is: a process owns those that name its boot id, while it holds its file locked.

`<data>/owners/<boot id>.lock` is held with flock(2), and is the process's journal. The kernel lets
go of it at whatever death, and keeps it while a laptop sleeps: on one data directory no clock
tells who is dead. Processes of other directories on the same database are told by `processes`.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xinghe.ledger import journal
from xinghe.ledger.journal import Journal

FOLDER = "owners"


class Owner:
    """This process as the owner of holds. Made and released on threads: it waits for the disk."""

    def __init__(self, data: Path, places: int = journal.PLACES) -> None:
        """Raises `OSError`."""
        self.boot_id = secrets.token_hex(8)
        self._file = _path(data, self.boot_id)
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        self._descriptor = _locked(self._file, places)
        self.journal = Journal(self._descriptor, places)

    def release(self) -> None:
        """Let go; a second call does nothing.

        What is not in the database by then stays in the file, for whoever comes next.
        """
        if self._descriptor < 0:
            return
        self.journal.close()
        if self.journal.idle:
            self._file.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1


def _locked(file: Path, places: int) -> int:
    draft = file.with_suffix(".draft")
    while True:
        # Python opens files close-on-exec: no child keeps the lock alive.
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            journal.prepare(descriptor, places)
            # It gets its name when it is locked, so that no reaper sees it unlocked; one that
            # cleared the draft away meanwhile makes this fail, and it is made again.
            draft.rename(file)
            _sync(file.parent)
        except FileNotFoundError:
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        else:
            return descriptor


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def with_file(data: Path) -> set[str]:
    """The boot ids of all processes of a data directory, alive or dead."""
    return {file.stem for file in (data / FOLDER).glob("*.lock")}


@contextmanager
def claimed(data: Path, boot_id: str) -> Iterator[int | None]:
    """The open file of a dead process; within, nobody else gets it. None where it is alive.

    None also where another reaper was faster. Who has settled all calls `remove`.
    """
    try:
        descriptor = os.open(_path(data, boot_id), os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield descriptor
    finally:
        os.close(descriptor)


def remove(data: Path, boot_id: str) -> None:
    """Remove the file of a dead process, of which nothing is left."""
    _path(data, boot_id).unlink(missing_ok=True)


def clear_drafts(data: Path) -> None:
    """Remove what processes left that died before their file had its name."""
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


def _path(data: Path, boot_id: str) -> Path:
    return data / FOLDER / f"{boot_id}.lock"
