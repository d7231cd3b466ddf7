"""`xinghe backup` and `xinghe restore`."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.accounts.commands import Commands
from tests.kit.command import XINGHE, environment
from tests.kit.postgres import Cluster
from tests.ledger.many import fill
from xinghe.storage.sqlite import SQLiteBackend
from xinghe.supervisor.supervisor import lock_data


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    made = Commands(tmp_path / "data")
    made.done("member", "create", "星河")
    made.done("token", "create", "--member", "星河")
    return made


@pytest.fixture
def other(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "other")


@pytest.fixture
def file(tmp_path: Path, commands: Commands) -> str:
    file = tmp_path / "xinghe.backup"
    said = commands.done("backup", str(file))
    assert re.match(rf"saved to {re.escape(str(file))} \(\d\.\d kB\): wallets 1, members 1, ", said)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return str(file)


def test_there_and_back(file: str, commands: Commands, other: Commands) -> None:
    result = other.run("restore", file)
    assert (result.exit_code, result.stderr) == (0, "the books agree\n")
    assert result.stdout.startswith(f"restored from {file}: wallets 1, members 1, ")
    for asked in ("member", "list"), ("token", "list", "--member", "星河"), ("ledger", "entries"):
        assert other.json(*asked) == commands.json(*asked)
        assert other.json(*asked)


def test_into_postgresql_and_back(
    file: str, commands: Commands, tmp_path: Path, postgres: Cluster
) -> None:
    other = Commands(tmp_path / "other", postgres.empty())
    assert other.run("restore", file).stderr == "the books agree\n"
    assert other.json("ledger", "entries") == commands.json("ledger", "entries")
    other.done("member", "grant", "星河", "5")
    other.done("backup", file)
    commands.done("restore", file, "--replace")
    assert other.json("member", "list") == commands.json("member", "list")
    assert other.json("ledger", "entries") == commands.json("ledger", "entries")


def test_what_is_there_already(file: str, commands: Commands, other: Commands) -> None:
    other.done("member", "create", "b")
    assert "not empty; --replace deletes" in other.refused("restore", file, code=1)
    assert [each["name"] for each in other.json("member", "list")] == ["b"]
    other.done("restore", file, "--replace")
    assert other.json("member", "list") == commands.json("member", "list")


def test_a_service_that_runs(file: str, commands: Commands) -> None:
    lock = lock_data(commands.data)
    with open(lock, "rb"):
        said = commands.refused("restore", file, "--replace", code=1)
        assert said == f"Error: a service uses {commands.data}: stop it first\n"
    commands.done("restore", file, "--replace")


def test_a_file_that_is_cut_makes_no_database(file: str, other: Commands) -> None:
    whole = Path(file).read_bytes()
    Path(file).write_bytes(whole[:-9])
    assert f"{file} is cut off" in other.refused("restore", file, code=1)
    assert not other.data.exists()


def test_a_file_that_is_not_there(other: Commands) -> None:
    assert "none cannot be read: No such file" in other.refused("restore", "none", code=1)


def test_a_directory_that_cannot_be_made(file: str) -> None:
    below = Commands(Path(file) / "data")
    assert "Not a directory" in below.refused("restore", file, code=1)


def test_a_directory_without_a_database(tmp_path: Path, other: Commands) -> None:
    assert "there is no Xinghe database" in other.refused("backup", str(tmp_path / "b"), code=1)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(commands: Commands) -> None:
    assert "cannot be written: Not a directory" in commands.refused(
        "backup", str(commands.data / "xinghe.db" / "b"), code=1
    )


def test_books_that_did_not_agree(tmp_path: Path, commands: Commands, other: Commands) -> None:
    """They come back as they are, and are told of."""
    connection = apsw.Connection(str(commands.data / "xinghe.db"))
    connection.execute("UPDATE wallets SET available = available + 1")
    connection.close()
    commands.done("backup", str(tmp_path / "b"))
    result = other.run("restore", str(tmp_path / "b"))
    assert result.exit_code == 1
    assert "member 星河: the balance is the sum of the entries" in result.stdout
    assert other.json("member", "list") == commands.json("member", "list")


def _interrupt(command: list[str], under_way: Callable[[], bool]) -> None:
    """Ctrl-C, when it is at work."""
    process = subprocess.Popen(
        [*XINGHE, *command], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while not under_way():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert b"Aborted!" in said
    assert b"Traceback" not in said


def test_interrupted(tmp_path: Path) -> None:
    """Nothing is left of either, and the database is as it was."""
    with closing(SQLiteBackend.prepared(tmp_path / "data", create=True).session()) as session:
        fill(session, 1)
        session.run(  # what takes a while, and is made in none
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
            "INSERT INTO kept_answers (member_id, operation, key, asked, model, status, headers, "
            "body, size, at) SELECT 1, 'o', randomblob(32), randomblob(32), 'm', 200, x'', "
            "randomblob(150000), 150000, 7 FROM n"
        )
    draft, file = re.compile(r"\.b\.\d+\.draft"), tmp_path / "b"
    _interrupt(
        ["backup", str(file), "--data", str(tmp_path / "data")],
        lambda: any(map(draft.fullmatch, (each.name for each in tmp_path.iterdir()))),
    )
    assert [each.name for each in tmp_path.iterdir()] == ["data"]
    Commands(tmp_path / "data").done("backup", str(file))
    journal = tmp_path / "other" / "xinghe.db-journal"
    _interrupt(["restore", str(file), "--data", str(tmp_path / "other")], journal.exists)
    other = Commands(tmp_path / "other")
    assert other.json("member", "list") == []
    other.done("restore", str(file))
