"""Backups in the folder that the operator has set: what is there, one more, one looked through."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import re
import shlex
import time
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from xinghe.accounts.audit import record
from xinghe.settings import Settings
from xinghe.storage import BackupError, Database, StorageError, backup_header, now
from xinghe.upkeep.command import Run, run

SUFFIX = ".backup"
MOST = 100
"""Files that are told of, the newest."""
LOOKED_AT = 10_000
"""Entries of the folder."""
LONGEST = 6 * 3600.0
"""Seconds for one task."""
SETTING = "backups.folder"
SUBJECT = "backups"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.backup")
"""Of the files that are taken for backups."""
DRAFTS = f".*{SUFFIX}.*.draft"
"""Of the files that become backups."""

log = structlog.get_logger(__name__)


class BackupRefused(Exception):
    """Nothing was begun; the message says why, and what mends it."""


class Saved(msgspec.Struct, frozen=True):
    """A file; times in microseconds UTC. `at` is the moment that it is of, none where `trouble`
    says why it is no backup. `checked_at`: when this service last saw it whole.
    """

    name: str
    size: int
    at: int | None
    program: str
    trouble: str
    checked_at: int | None


class BackupJob(msgspec.Struct):
    """What is done with a file, or was done last; `error` says why it failed."""

    kind: Literal["make", "check"]
    name: str
    actor: str
    started_at: int
    state: Literal["running", "done", "failed"] = "running"
    ended_at: int | None = None
    error: str = ""


class Listed(msgspec.Struct, frozen=True):
    """The newest first; `total` are all that are there; `trouble`: why none can be seen."""

    files: list[Saved]
    total: int
    trouble: str


class Backups:
    """One task at a time; the command does it, in a process of its own."""

    def __init__(self, settings: Settings, database: Database, run: Run = run) -> None:
        self._settings = settings
        self._database = database
        self._run = run
        self._working: asyncio.Task[None] | None = None
        self._checked: dict[tuple[str, int, int], int] = {}
        """When a file, of a size and a time of writing, was last seen whole."""
        self.task: BackupJob | None = None

    @property
    def folder(self) -> Path | None:
        folder = self._settings.backups.folder
        return Path(folder).expanduser() if folder else None

    @property
    def restore(self) -> str:
        """The command that fills a database from a file, once the service is stopped."""
        return f"xinghe restore FILE --replace --data {shlex.quote(str(self._settings.data_dir))}"

    async def listed(self) -> Listed:
        if self.folder is None:
            return Listed([], 0, "")
        return await asyncio.to_thread(self._listed, self.folder)

    def newest(self) -> int | None:
        """The moment that the newest backup in the folder is of, 0 where none is there.

        None where no folder is set. Waits for the disk; raises `OSError`.
        """
        if self.folder is None:
            return None
        for _, name in _found(self.folder):
            with contextlib.suppress(BackupError):
                return backup_header(self.folder / name).at
        return 0

    def make(self, actor: str) -> BackupJob:
        """Begin a backup. Raises `BackupRefused`."""
        at = datetime.datetime.now(datetime.UTC)
        return self._begin("make", f"xinghe-{at:%Y%m%dT%H%M%SZ}{SUFFIX}", actor)

    def check(self, name: str, actor: str) -> BackupJob:
        """Begin to read one to its end. Raises `BackupRefused`, and `LookupError` for none."""
        if self.folder is None or not NAME.fullmatch(name):
            raise LookupError(name)
        file = self.folder / name
        if file.is_symlink() or not file.is_file():
            raise LookupError(name)
        return self._begin("check", name, actor)

    async def settled(self, within: float) -> BackupJob | None:
        """The task, when it has ended or so many seconds have passed."""
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=within)
        return self.task

    async def aclose(self) -> None:
        """Break off what runs: it leaves nothing behind."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait({self._working})

    def _begin(self, kind: Literal["make", "check"], name: str, actor: str) -> BackupJob:
        folder = self.folder
        if folder is None:
            raise BackupRefused(f"no folder is set: name one in {SETTING} (xinghe.toml)")
        if self._working is not None and not self._working.done():
            raise BackupRefused("another task is at work: one at a time")
        if not folder.is_dir():
            raise BackupRefused(f"{folder} ({SETTING}) is not there, or no folder: make it")
        wanted = os.R_OK | os.X_OK | (os.W_OK if kind == "make" else 0)
        if not os.access(folder, wanted):
            raise BackupRefused(f"the service's user may not write into {folder} ({SETTING})")
        if kind == "make" and (folder / name).exists():
            raise BackupRefused("one was made this second: wait a moment")
        self.task = task = BackupJob(kind, name, actor, now())
        self._working = asyncio.create_task(self._do(task, folder / name))
        return task

    async def _do(self, task: BackupJob, file: Path) -> None:
        outcome = "the service ended"
        try:
            if task.kind == "make":
                await asyncio.to_thread(_clear_old, file.parent)
            outcome = await self._outcome(task, file)
            if not outcome:
                size = await asyncio.to_thread(self._seen_whole, file)
                if task.kind == "make":
                    await self._audit(task, size)
        finally:
            task.error = outcome
            task.ended_at = now()
            task.state = "failed" if outcome else "done"
            _clear(file)
        if outcome:
            log.error("backup_failed", kind=task.kind, file=task.name, error=outcome)

    def _seen_whole(self, file: Path) -> int:
        """Its size; 0 if somebody has taken it away already."""
        try:
            found = file.stat()
        except OSError:
            return 0
        while len(self._checked) >= MOST:
            del self._checked[next(iter(self._checked))]
        self._checked[file.name, found.st_size, found.st_mtime_ns] = now()
        return found.st_size

    async def _audit(self, task: BackupJob, size: int) -> None:
        after = {"file": task.name, "size": size}
        try:
            await self._database.write(
                lambda c: record(c, task.actor, "backup.make", SUBJECT, after=after)
            )
        except StorageError as error:
            log.error("backup_not_in_the_audit_log", file=task.name, error=str(error))

    async def _outcome(self, task: BackupJob, file: Path) -> str:
        """Why it failed; empty if it did not."""
        settings, url = self._settings, self._settings.database.url
        arguments = ["backup", str(file), "--data", str(settings.data_dir)]
        arguments += ["--check"] if task.kind == "check" else []
        try:
            ended = await self._run(
                *arguments,
                within=LONGEST,
                environment={"XINGHE_DATABASE__URL": url} if url else {},
            )
        except TimeoutError:
            return f"it has not ended within {LONGEST / 3600:.0f} hours"
        except OSError as error:
            return f"it cannot be started: {error.strerror or error}"
        return "" if ended.status == 0 else _why(ended.err or ended.out)

    def _listed(self, folder: Path) -> Listed:
        try:
            found = _found(folder)
        except OSError as error:
            return Listed([], 0, f"{folder}: {error.strerror or error}")
        return Listed([self._saved(folder / name, at) for at, name in found[:MOST]], len(found), "")

    def _saved(self, file: Path, found: os.stat_result) -> Saved:
        at, program, trouble = None, "", ""
        try:
            header = backup_header(file)
            at, program = header.at, header.program
        except BackupError as error:
            trouble = str(error)
        checked = self._checked.get((file.name, found.st_size, found.st_mtime_ns))
        return Saved(file.name, found.st_size, at, program, trouble, checked)


def _found(folder: Path) -> list[tuple[os.stat_result, str]]:
    """What is named as backups are, the newest first. Raises `OSError`."""
    found = []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == LOOKED_AT:
                break
            if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                found.append((entry.stat(follow_symlinks=False), entry.name))
    return sorted(found, key=lambda each: (-each[0].st_mtime_ns, each[1]))


def _clear(file: Path) -> None:
    """What a command has left that was killed; one that ends otherwise leaves nothing."""
    for draft in file.parent.glob(f".{file.name}.*.draft"):
        with contextlib.suppress(OSError):
            draft.unlink()


def _clear_old(folder: Path) -> None:
    """What is left of commands that died with their service, before the disk is needed.

    Nobody writes a file that has stood still for longer than a task may take.
    """
    oldest = time.time() - LONGEST
    with contextlib.suppress(OSError):
        for draft in folder.glob(DRAFTS):
            if draft.lstat().st_mtime < oldest:
                draft.unlink()


def _why(said: str) -> str:
    """What the command said last, without what it says of itself."""
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ")[:500] if lines else "it gave no reason"
