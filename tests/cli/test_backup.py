"""`xinghe backup` and `xinghe restore`."""

from __future__ import annotations

import os
import pty
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import apsw
import pytest

from tests.accounts.commands import Commands
from tests.kit.command import XINGHE, environment
from tests.kit.postgres import Cluster
from tests.ledger.many import fill
from xinghe.storage.sqlite import SQLiteBackend
from xinghe.supervisor.whereabouts import lock_data


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


class _Interrupted:
    """A command on a terminal, which shows when Ctrl-C has reached it."""

    def __init__(self, *command: str) -> None:
        self._screen, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [*XINGHE, *command], env=environment(), stdout=terminal, stderr=terminal
        )
        os.close(terminal)

    def wait(self, under_way: Callable[[], bool]) -> None:
        while not under_way():
            assert self._process.poll() is None
            time.sleep(0.002)

    def stop(self) -> None:
        """It stands still, until it is interrupted or goes on to its end."""
        self._process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), status

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.send_signal(signal.SIGCONT)
        said = b""
        while CLEARED not in said:
            said += os.read(self._screen, 1000)

    def end(self) -> tuple[int, bytes]:
        """The exit code, and what it said since."""
        self._process.send_signal(signal.SIGCONT)
        said = b""
        with suppress(OSError):  # nobody has the terminal any more
            while part := os.read(self._screen, 1000):
                said += part
        os.close(self._screen)
        return self._process.wait(60), said


CLEARED = b"\r\x1b[K"
"""Of the line of progress, which nobody renews any more."""
ABORTED = 1, b"\r\nAborted!\r\n"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A database whose backup takes a while: 30 MB, and each made only once."""
    with closing(SQLiteBackend.prepared(tmp_path / "data", create=True).session()) as session:
        fill(session, 1)
        session.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
            "INSERT INTO kept_answers (member_id, operation, key, asked, model, status, headers, "
            "body, size, at) SELECT 1, 'o', randomblob(32), randomblob(32), 'm', 200, x'', "
            "randomblob(150000), 150000, 7 FROM n"
        )
    return tmp_path / "data"


def test_interrupted_backup(tmp_path: Path, large: Path) -> None:
    """It leaves nothing."""
    file = tmp_path / "b"

    def draft() -> list[Path]:
        return list(tmp_path.glob(".b.*.draft"))

    for _ in range(9):
        backup = _Interrupted("backup", str(file), "--data", str(large))
        backup.wait(lambda: bool(draft() or file.exists()))
        backup.stop()
        if (found := draft()) and found[0].stat().st_size < 10_000_000:
            break
        # It had nearly ended, or had, before this process got its turn.
        backup.end()
        file.unlink()
    else:
        pytest.fail("a third of a backup was never seen")
    backup.interrupt()
    assert backup.end() == ABORTED
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_interrupted_restore(tmp_path: Path, large: Path) -> None:
    """The database is as it was, and can be filled."""
    file, pipe = tmp_path / "b", tmp_path / "pipe"
    Commands(large).done("backup", str(file))
    whole, other = file.read_bytes(), Commands(tmp_path / "other")
    os.mkfifo(pipe)
    restore = _Interrupted("restore", str(pipe), "--data", str(other.data))
    with pipe.open("wb") as stream:  # it is read to its end before it is restored
        stream.write(whole)
        pipe.unlink()  # the first reader has the old one still
        os.mkfifo(pipe)
    with pipe.open("wb", buffering=0) as stream:
        stream.write(whole[: len(whole) // 2])
        restore.wait((other.data / "xinghe.db-journal").exists)
        restore.interrupt()
        with suppress(BrokenPipeError):
            stream.write(whole[len(whole) // 2 :])
    assert restore.end() == ABORTED
    assert other.json("member", "list") == []
    other.done("restore", str(file))


def test_one_is_read_to_its_end(file: str, commands: Commands) -> None:
    said = commands.done("backup", file, "--check")
    assert re.match(rf"{re.escape(file)} is whole \(\d\.\d kB\): wallets 1, members 1, ", said)
    Path(file).write_bytes(Path(file).read_bytes()[:-9])
    result = commands.run("backup", file, "--check")
    assert (result.exit_code, "its end is missing" in result.stderr) == (1, True)
