"""The real command beside a service: a backup that can be restored, and nothing half made."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import time
from pathlib import Path

import pytest

from xinghe.accounts.audit import record
from xinghe.doctor.run import RUNNING
from xinghe.settings import Settings
from xinghe.settings.backups import Backups as Place
from xinghe.storage import Database, verify_backup
from xinghe.upkeep import BackupJob, Backups
from xinghe.upkeep.backups import LONGEST
from xinghe.upkeep.command import run

LIMIT = 64 * 1024
"""Bytes of a file that may be written where the disk is said to be full."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "backups"
    folder.mkdir()
    return Settings(data=str(tmp_path), backups=Place(str(folder)))


async def made(settings: Settings, *, full: bool = False) -> tuple[BackupJob, list[str]]:
    """What came of it, and which files are there then."""
    async with await Database.open(settings.data_dir) as database:
        backups = Backups(settings, database)
        # What cannot be made smaller.
        large = secrets.token_hex(2 * LIMIT)
        await database.write(lambda c: record(c, "test", "test", "test", large))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if full:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
        try:
            backups.make("app-test")
            task = await backups.settled(60.0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert task is not None
        assert backups.folder is not None
        return task, [each.name for each in backups.folder.iterdir()]


def test_a_backup_is_whole(settings: Settings) -> None:
    task, files = asyncio.run(made(settings))
    assert (task.state, task.error, files) == ("done", "", [task.name])
    assert verify_backup(Path(settings.backups.folder) / task.name).rows["members"] == 0


def test_a_full_disk_leaves_nothing(settings: Settings) -> None:
    task, files = asyncio.run(made(settings, full=True))
    assert (task.state, files) == ("failed", [])
    assert "cannot be written: File too large" in task.error


def test_a_service_that_ends_leaves_nothing(settings: Settings) -> None:
    async def broken_off() -> tuple[BackupJob, list[str]]:
        async with await Database.open(settings.data_dir) as database:
            backups = Backups(settings, database)
            task = backups.make("app-test")
            await backups.settled(0.2)
            await backups.aclose()
            assert backups.folder is not None
            return task, [each.name for each in backups.folder.iterdir()]

    task, files = asyncio.run(broken_off())
    assert (task.state, task.error, files) == ("failed", "the service ended", [])


def test_what_a_killed_service_left_goes_with_the_next_backup(settings: Settings) -> None:
    folder = Path(settings.backups.folder)
    old, young, other = (
        folder / name for name in (".a.backup.7.draft", ".b.backup.8.draft", ".notes.txt.9.draft")
    )
    for each in (old, young, other):
        each.write_bytes(b"half")
    long_ago = time.time() - LONGEST - 60
    for each in (old, other):
        os.utime(each, (long_ago, long_ago))
    assert asyncio.run(made(settings))[0].state == "done"
    assert [each.exists() for each in (old, young, other)] == [False, True, True]


def test_what_is_damaged_is_told(settings: Settings) -> None:
    async def checked() -> BackupJob | None:
        async with await Database.open(settings.data_dir) as database:
            backups = Backups(settings, database)
            made = backups.make("app-test")
            await backups.settled(60.0)
            file = Path(settings.backups.folder) / made.name
            file.write_bytes(file.read_bytes()[:-30])
            backups.check(made.name, "app-test")
            return await backups.settled(60.0)

    task = asyncio.run(checked())
    assert task is not None
    assert task.state == "failed"
    assert "cut off: its end is missing" in task.error


def test_a_command_has_ended_when_its_time_is_over(settings: Settings) -> None:
    async def late() -> None:
        with pytest.raises(TimeoutError):
            await run("doctor", "--json", within=0.1, environment={})

    asyncio.run(late())


def test_the_doctor_of_a_running_service(settings: Settings) -> None:
    arguments = ("doctor", "--running", "--json", "--data", str(settings.data_dir))
    ended = asyncio.run(run(*arguments, within=60.0, environment={}))
    found = {each["name"] for each in json.loads(ended.out)["checks"]}
    assert len(found) == len(RUNNING)
    assert not found & {"port", "service", "threads", "venv"}
