"""Backups in the operator's folder: which there are, one more, one read to its end."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from xinghe.admin.operation import Call
from xinghe.admin.shapes import Told, told, told_or_never
from xinghe.api.errors import ApiError, Errors
from xinghe.upkeep import BackupJob, BackupRefused, Saved

SOON = 5.0
"""Seconds for which an answer waits for the end of what it has begun."""


class Backup(msgspec.Struct, kw_only=True):
    """A file. `at` is the moment that it is of, null where `trouble` says why it is none; `program`
    the version that made it. `checked_at`: when this service last saw it whole, null for not since
    its start.
    """

    name: str
    object: Literal["backup"] = "backup"
    size: int
    at: Told | None
    program: str
    trouble: str | None
    checked_at: Told | None


class BackupTask(msgspec.Struct, kw_only=True):
    """A backup that is made, or read to its end; `trouble` says why it failed."""

    object: Literal["backup.task"] = "backup.task"
    kind: Literal["make", "check"]
    name: str
    actor: str
    state: Literal["running", "done", "failed"]
    started_at: Told
    ended_at: Told | None
    trouble: str | None


class BackupList(msgspec.Struct, kw_only=True):
    """The newest of the `total` that are in the `folder` (null: none is set), and what is done with
    one, or was done last. `trouble` says why the folder cannot be read; `restore` is the command.
    """

    object: Literal["list"] = "list"
    folder: str | None
    trouble: str | None
    restore: str
    total: int
    task: BackupTask | None
    data: list[Backup]


async def list_(call: Call[None]) -> BackupList:
    backups = call.services.backups
    found = await backups.listed()
    return BackupList(
        folder=None if backups.folder is None else str(backups.folder),
        trouble=found.trouble or None,
        restore=backups.restore,
        total=found.total,
        task=None if backups.task is None else _task(backups.task),
        data=[_backup(each) for each in found.files],
    )


async def make(call: Call[None]) -> BackupTask:
    try:
        call.services.backups.make(call.actor)
    except BackupRefused as error:
        raise ApiError(Errors.CONFLICT, str(error)) from error
    return await _soon(call)


async def check(call: Call[None]) -> BackupTask:
    name = call.path["backup"]
    try:
        call.services.backups.check(name, call.actor)
    except LookupError:
        raise ApiError(Errors.NO_SUCH_OBJECT, f"there is no backup {name[:80]!r}") from None
    except BackupRefused as error:
        raise ApiError(Errors.CONFLICT, str(error)) from error
    return await _soon(call)


async def _soon(call: Call[Any]) -> BackupTask:
    """As it stands in a moment. Raises `ApiError` where it has failed by then."""
    task = await call.services.backups.settled(SOON)
    assert task is not None
    if task.state == "failed":
        raise ApiError(Errors.CONFLICT, f"{task.name}: {task.error}")
    return _task(task)


def _backup(found: Saved) -> Backup:
    return Backup(
        name=found.name,
        size=found.size,
        at=told_or_never(found.at),
        program=found.program,
        trouble=found.trouble or None,
        checked_at=told_or_never(found.checked_at),
    )


def _task(found: BackupJob) -> BackupTask:
    return BackupTask(
        kind=found.kind,
        name=found.name,
        actor=found.actor,
        state=found.state,
        started_at=told(found.started_at),
        ended_at=told_or_never(found.ended_at),
        trouble=found.error or None,
    )
