"""Databases that may not be written are read all the same: mounts, backups, files of others."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from tests.accounts.commands import Commands
from xinghe.accounts import Members
from xinghe.storage import Database, StorageError

NOBODY = 65534


@pytest.fixture
def commands() -> Iterator[Commands]:
    """On a folder that others may look into, with an account `kept`."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        commands = Commands(data)
        commands.done("member", "create", "kept")
        Path(folder).chmod(0o755)
        yield commands
        data.chmod(0o755)


@contextmanager
def unwritable(data: Path, *, folder: bool = True, files: bool = True) -> Iterator[None]:
    """What is named may only be read, by a user who is not root."""
    for path in data.iterdir():
        path.chmod(0o444 if files else 0o666)
    data.chmod(0o555 if folder else 0o777)
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


def copied_while_open(data: Path) -> Path:
    """What a backup of files takes: the last account stands in the WAL alone."""
    copy = data.parent / "copy"

    async def write() -> None:
        async with await Database.open(data) as database:
            await Members(database).create("late")
            shutil.copytree(data, copy)

    asyncio.run(write())
    return copy


@pytest.mark.parametrize(("folder", "files"), [(True, True), (True, False), (False, True)])
def test_the_books_are_proved(commands: Commands, folder: bool, files: bool) -> None:
    with unwritable(commands.data, folder=folder, files=files):
        assert commands.run("ledger", "check").stderr == "the books agree\n"
        assert [each["name"] for each in commands.json("member", "list")] == ["kept"]
        assert commands.json("ledger", "entries")[0]["note"] == "initial grant"


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(("folder", "files"), [(True, True), (False, True)])
def test_what_stands_in_the_wal_is_read(
    commands: Commands, index: bool, folder: bool, files: bool
) -> None:
    copy = copied_while_open(commands.data)
    if not index:
        (copy / "xinghe.db-shm").unlink()
    before = set(os.listdir(copy))
    there = Commands(copy)
    with unwritable(copy, folder=folder, files=files):
        assert there.run("ledger", "check").stderr == "the books agree\n"
        names = {each["name"] for each in there.json("member", "list")}
    assert names == {"kept", "late"}
    if folder:
        assert set(os.listdir(copy)) == before
    copy.chmod(0o755)


def test_what_is_off_is_found(commands: Commands) -> None:
    connection = apsw.Connection(str(commands.data / "xinghe.db"))
    connection.execute("UPDATE wallets SET available = available + 1")
    connection.close()
    with unwritable(commands.data):
        result = commands.run("ledger", "check")
    assert result.exit_code == 1
    assert "member kept: the balance is the sum of the entries" in result.stdout


def test_nothing_can_be_written(commands: Commands) -> None:
    with unwritable(commands.data):
        assert "readonly database" in commands.refused("member", "grant", "kept", "5", code=1)
        assert "xinghe.db" in commands.refused("member", "create", "more", code=1)


async def test_a_service_does_not_start_on_it(commands: Commands) -> None:
    with unwritable(commands.data), pytest.raises(StorageError, match=r"xinghe\.db"):
        await Database.open(commands.data)


def test_older_tables_cannot_be_migrated(commands: Commands) -> None:
    connection = apsw.Connection(str(commands.data / "xinghe.db"))
    connection.pragma("user_version", 1)
    connection.close()
    with unwritable(commands.data):
        refusal = commands.refused("ledger", "check", code=1)
    assert "version 1" in refusal
    assert "a copy that may be written" in refusal
