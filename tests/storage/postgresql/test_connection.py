"""What a statement gives, and what its errors say and mean."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from tests.kit.members import member
from tests.kit.postgres import Cluster
from tests.storage.postgresql.test_schema import BYTES, KEPT, WALLET
from xinghe.storage import Connection, Database, Locks, StorageUnavailable
from xinghe.storage.connection import StorageContended
from xinghe.storage.postgresql import link
from xinghe.storage.postgresql.backend import PostgreSQLBackend
from xinghe.storage.postgresql.connection import PostgreSQLSession

SECRET = "what a user was told"


@pytest.fixture
def url(postgres: Cluster) -> str:
    return postgres.database()


@pytest.fixture
def session(url: str) -> Iterator[PostgreSQLSession]:
    made = PostgreSQLBackend(url).session()
    member(made, "a")
    member(made, "b")
    yield made
    made.close()


def test_values_come_back_as_they_were(session: PostgreSQLSession) -> None:
    text = "星 \\ ' \" \n\t%s $1 \U0001f30c"
    for value, kind in (
        (text, "TEXT"),
        (bytes(range(256)), "BYTEA"),
        (-(2**63), "BIGINT"),
        (2**63 - 1, "BIGINT"),
        (1.5, "DOUBLE PRECISION"),
        (None, "BIGINT"),
        (None, "BYTEA"),
        ("", "TEXT"),
        (b"", "BYTEA"),
    ):
        assert session.rows(f"SELECT CAST($1 AS {kind}), CAST($1 AS {kind})", value) == [
            (value, value)
        ]
    assert session.value("SELECT CAST($1 AS BIGINT)", True) == 1
    assert session.value("SELECT CAST($1 AS BOOLEAN)", True) is True


@pytest.mark.parametrize("value", [0, 7, -7, 10_000, -10_001, 99_990_000, 10**16, -(10**40) + 1])
def test_a_sum_is_an_integer(session: PostgreSQLSession, value: int) -> None:
    assert session.value("SELECT CAST($1 AS NUMERIC)", value) == value


def test_what_cannot_be_read_says_so(session: PostgreSQLSession) -> None:
    with pytest.raises(TypeError, match="column 2 needs a CAST"):
        session.rows("SELECT 1::bigint, now()")
    with pytest.raises(TypeError, match="decimals"):
        session.rows("SELECT 1.5")
    with pytest.raises(ValueError, match="NUL"):
        session.rows("SELECT CAST($1 AS TEXT)", "a\0b")
    assert session.value("SELECT 1") == 1


def test_more_statements_than_a_server_keeps(
    session: PostgreSQLSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "PREPARED", 3)
    for _ in range(2):
        assert [session.value(f"SELECT {number}") for number in range(9)] == list(range(9))


def test_an_error_quotes_no_row(url: str, session: PostgreSQLSession) -> None:
    statement = KEPT.replace("'m'", f"'{SECRET}'").format(BYTES["postgresql"], -1)
    with pytest.raises(psycopg.errors.CheckViolation) as raised:
        session.run(statement)
    assert SECRET not in str(raised.value)


async def test_what_is_dropped_is_not_quoted(url: str, tmp_path: Path) -> None:
    async with await Database.open(tmp_path, url) as database:
        with capture_logs() as told:
            database.enqueue(
                lambda c: c.run("INSERT INTO audit (at, actor) VALUES (0, $1)", SECRET)
            )
            assert await database.drain() == 0
    assert "operation_dropped" in [each["event"] for each in told]
    assert SECRET not in str(told)


def test_a_transaction_with_a_failed_statement_is_not_committed(
    session: PostgreSQLSession,
) -> None:
    session.begin()
    session.run(WALLET.format(3))
    with pytest.raises(psycopg.Error):
        session.run(WALLET.format(3))
    with pytest.raises(StorageUnavailable):
        session.run(WALLET.format(4))
    with pytest.raises(StorageUnavailable):
        session.commit()
    session.rollback()
    assert session.value("SELECT count(*) FROM wallets") == 2


def test_a_transaction_does_not_go_on_over_another_connection(
    url: str, postgres: Cluster, session: PostgreSQLSession
) -> None:
    session.begin()
    session.run(WALLET.format(3))
    postgres.do(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid != pg_backend_pid()",
        url=url,
    )
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            session.run(WALLET.format(4))
    with pytest.raises(StorageUnavailable):
        session.commit()
    session.rollback()
    session.begin()
    assert session.value("SELECT count(*) FROM wallets") == 2
    session.commit()


def test_of_two_that_wait_for_each_other_one_may_try_again(
    url: str, session: PostgreSQLSession
) -> None:
    other = PostgreSQLBackend(url).session()
    change = "UPDATE wallets SET available = available + 1 WHERE id = $1"
    failures: list[Exception] = []
    session.begin()
    other.begin()
    session.run(change, 1)
    other.run(change, 2)

    def second() -> None:
        try:
            other.run(change, 1)
            other.commit()
        except StorageContended as error:
            failures.append(error)
            other.rollback()

    thread = threading.Thread(target=second)
    thread.start()
    try:
        session.run(change, 2)
        session.commit()
    except StorageContended as error:
        failures.append(error)
        session.rollback()
    thread.join()
    other.close()
    assert len(failures) == 1


async def test_many_wallets_by_both_threads_and_by_others(url: str, tmp_path: Path) -> None:
    """In every order at once: nobody waits for ever, nothing is lost."""

    def add(connection: Connection, account: int) -> None:
        change = "UPDATE wallets SET available = available + 1 WHERE id = $1"
        assert connection.run(change, account) == 1

    def make(connection: Connection, name: str) -> None:
        member(connection, name)

    def move(connection: Connection, one: int, other: int) -> None:
        connection.lock([other, one])
        for account in (one, other):
            add(connection, account)

    async with (
        await Database.open(tmp_path, url) as database,
        await Database.open(tmp_path, url) as another,
    ):
        for number in range(10):
            await database.write(partial(make, name=f"a{number}"))
        writes = []
        for round_ in range(20):
            for each in (database, another):
                for number in range(1, 11):
                    writes.append(
                        each.write(partial(add, account=number), locks=Locks(number, (number,)))
                    )
                one, two = round_ % 10 + 1, (round_ + 7) % 10 + 1
                writes.append(each.write(partial(move, one=one, other=two)))
        await asyncio.gather(*writes)
        found = await database.read(lambda c: c.value("SELECT sum(available) FROM wallets"))
    assert found == 20 * 2 * (10 + 2)


def test_who_keeps_to_sqlite_loads_no_psycopg(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys, xinghe.app, xinghe.cli.serving\n"
        "from xinghe.storage import Database\n"
        "async def main():\n"
        "    await (await Database.open(pathlib.Path(sys.argv[1]))).close()\n"
        "asyncio.run(main())\n"
        "assert not [name for name in sys.modules if name.startswith('psycopg')]"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
