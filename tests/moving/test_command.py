"""`xinghe migrate`: what it says, and the way back."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.accounts.commands import Commands
from tests.kit.command import XINGHE, environment
from tests.kit.postgres import Cluster
from tests.storage.test_backup import content, fill_all
from xinghe.storage.sqlite import SQLiteBackend
from xinghe.supervisor.whereabouts import lock_data


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    made = Commands(tmp_path / "data")
    made.done("member", "create", "星河")
    made.done("token", "create", "--member", "星河")
    return made


@pytest.fixture
def url(postgres: Cluster) -> str:
    return postgres.empty()


def balance(commands: Commands) -> object:
    return commands.json("member", "show", "星河")["balance"]


def test_there(commands: Commands, url: str) -> None:
    assert commands.json("migrate", "status") == {"books": "SQLite", "moved": None}
    before = commands.json("ledger", "entries")
    said = commands.done("migrate", "to-postgres", url)
    assert "1 wallets with 1000000 Tokens; the same in both" in said
    assert "nothing could be written for " in said
    assert "then `xinghe migrate confirm`; until then `xinghe migrate undo` is the way back" in said
    # Without the setting all commands are there.
    assert commands.json("ledger", "entries") == before
    assert commands.json("migrate", "status")["written since"] == {}
    commands.done("member", "grant", "星河", "5")
    assert commands.json("migrate", "status")["written since"]["entries"] == 1
    assert balance(Commands(commands.data, url)) == balance(commands) == 1_000_005
    assert "have moved to" in commands.refused("migrate", "to-postgres", url, code=1)


def test_and_back_with_all_that_was_written(commands: Commands, url: str) -> None:
    commands.done("migrate", "to-postgres", url)
    commands.done("member", "grant", "星河", "5")
    commands.done("member", "create", "new")
    entries, members = commands.json("ledger", "entries"), commands.json("member", "list")
    result = commands.run("migrate", "undo")
    assert (result.exit_code, result.stderr) == (0, "the books agree\n"), result.output
    assert "written since the move, and taken back too: wallets +1, members +1" in result.stdout
    assert "entries +2" in result.stdout
    assert commands.json("migrate", "status")["books"] == "SQLite"
    assert commands.json("ledger", "entries") == entries
    assert commands.json("member", "list") == members
    assert not list(commands.data.glob("moving.backup*"))
    commands.done("member", "grant", "new", "1")
    refused = commands.run("migrate", "to-postgres", url)
    assert "has been moved to before: give the URL of an empty database" in refused.stderr


def test_and_back_to_the_moment_of_the_move(commands: Commands, url: str) -> None:
    before = commands.json("ledger", "entries")
    commands.done("migrate", "to-postgres", url)
    commands.done("member", "grant", "星河", "5")
    said = commands.done("migrate", "undo", "--discard")
    assert "written since the move, and lost: wallets +0, lots +1, entries +1, audit +1" in said
    assert commands.json("ledger", "entries") == before


def test_the_server_is_away(commands: Commands, tmp_path: Path, postgres: Cluster) -> None:
    """Nothing is lost unless it is told to be."""
    url = postgres.empty()
    name = url.partition("?")[0].rpartition("/")[2]
    before = commands.json("ledger", "entries")
    commands.done("migrate", "to-postgres", url)
    postgres.do(f"ALTER DATABASE {name} RENAME TO away")
    try:
        assert "cannot be reached" in commands.json("migrate", "status")["written since"]
        refused = commands.refused("migrate", "undo", code=1)
        assert "nothing was changed (--discard goes back without what came since)" in refused
        commands.done("migrate", "undo", "--discard")
        assert commands.json("ledger", "entries") == before
    finally:
        postgres.do(f"ALTER DATABASE away RENAME TO {name}")


def test_undo_is_refused(commands: Commands, url: str) -> None:
    assert "nothing to undo" in commands.refused("migrate", "undo", code=1)
    commands.done("migrate", "to-postgres", url)
    lock = lock_data(commands.data)
    assert "stop it first" in commands.refused("migrate", "undo", code=1)
    with closing(open(lock)):
        pass
    there = Commands(commands.data, url)
    assert "take it out" in there.refused("migrate", "undo", code=1)


def test_confirmed(commands: Commands, url: str, postgres: Cluster) -> None:
    there = Commands(commands.data, url)
    assert "nothing to confirm" in there.refused("migrate", "confirm", code=1)
    commands.done("migrate", "to-postgres", url)
    assert "database.url is not set" in commands.refused("migrate", "confirm", code=1)
    other = Commands(commands.data, postgres.database())
    assert "is not the database that" in other.refused("migrate", "confirm", code=1)
    assert str(commands.data / "xinghe.db.moved") in there.done("migrate", "confirm")
    assert not list(commands.data.glob("xinghe.db*-*"))
    assert not (commands.data / "xinghe.db").exists()
    assert there.json("migrate", "status") == {"books": "PostgreSQL", "moved": None}
    assert balance(there) == 1_000_000


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("", 2, "URL is empty"),
        ("mysql://h/d", 2, "URL is not empty, and no postgresql:// URL"),
        ("postgresql://u:se/cret@h/d", 2, "URL has an @ behind its host"),
        ("postgresql://127.0.0.1:1/d", 1, "postgresql://127.0.0.1:1/d cannot be reached"),
    ],
)
def test_a_wrong_url(url: str, code: int, says: str, commands: Commands) -> None:
    result = commands.run("migrate", "to-postgres", url)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert "cret" not in result.stderr.partition("Error")[2]
    commands.done("member", "grant", "星河", "1")


def test_what_it_may_not_do(commands: Commands, postgres: Cluster) -> None:
    postgres.do("CREATE ROLE weak LOGIN")
    database = postgres.empty()
    name = database.partition("?")[0].rpartition("/")[2]
    postgres.do(f"GRANT CONNECT ON DATABASE {name} TO weak")
    postgres.do("REVOKE CREATE ON SCHEMA public FROM PUBLIC", url=database)
    url = database + "&options=-crole%3Dweak"
    assert "permission denied" in commands.refused("migrate", "to-postgres", url, code=1)
    commands.done("member", "grant", "星河", "1")


def test_books_that_are_elsewhere(commands: Commands, url: str, postgres: Cluster) -> None:
    there = Commands(commands.data, url)
    assert "database.url is set" in there.refused("migrate", "to-postgres", url, code=1)
    (commands.data / "postgresql").mkdir()
    assert "PostgreSQL of the data directory" in commands.refused(
        "migrate", "to-postgres", url, code=1
    )
    nothing = Commands(commands.data / "nothing")
    assert "no Xinghe database" in nothing.refused("migrate", "to-postgres", url, code=1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_moment(tmp_path: Path, postgres: Cluster) -> None:
    """Until it has moved the books are in SQLite, from then on there; whole either way."""
    data, url = tmp_path / "data", postgres.empty()
    with closing(SQLiteBackend.prepared(data, create=True).session()) as session:
        fill_all(session)
        before = content(session)
    commands = Commands(data)
    command = [*XINGHE, "migrate", "to-postgres", url, "--data", str(data)]
    seconds, killed = 0.3, 0
    while True:
        running = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE)
        time.sleep(seconds)
        seconds += 0.12
        running.send_signal(signal.SIGKILL)
        done = running.wait() == 0
        books = commands.json("migrate", "status")["books"]
        assert commands.done("ledger", "check") == ""
        with closing(SQLiteBackend.prepared(data, create=False).session(read_only=True)) as session:
            assert content(session) == before
        if done or books != "SQLite":
            break
        killed += 1
    assert killed > 3
    assert commands.json("member", "list") != []
    commands.done("migrate", "undo")
    assert len(commands.json("member", "list")) == len(before["members"])
