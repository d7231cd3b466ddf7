"""Which process a hold belongs to, told by a file lock and not by a clock.

`<data>/owners/<boot id>.lock` is held with flock(2) while the process lives. The kernel lets go
of it at whatever death, and keeps it while a laptop sleeps.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = "owners"


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


@contextmanager
def estate(data: Path, boot_id: str) -> Iterator[bool]:
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


def boot_ids(data: Path) -> list[str]:
    """Whose lock files there are, dead or alive."""
    return [file.stem for file in (data / FOLDER).glob("*.lock")]


def clear_drafts(data: Path) -> None:
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
