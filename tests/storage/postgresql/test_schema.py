"""The tables of both databases are the same, and keep to the same rules."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from collections.abc import Callable
from typing import Any

import apsw
import psycopg
import pytest

from tests.kit.postgres import Cluster
from tests.kit.sqlite import in_memory
from xinghe.storage import Connection, StorageError
from xinghe.storage.postgresql.backend import PostgreSQLBackend
from xinghe.storage.postgresql.connection import PostgreSQLSession

KINDS: dict[object, str] = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea"}
VERSION = "schema_version"

Described = dict[str, Any]


@pytest.fixture
def session(postgres: Cluster) -> PostgreSQLSession:
    return PostgreSQLBackend(postgres.database()).session()


def of_sqlite(connection: apsw.Connection) -> Described:
    """Table by table: its columns with type and whether they may be null; what refers where."""
    found: Described = {}
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (table,) in connection.execute(tables).fetchall():
        columns = {
            name: (KINDS[kind], bool(null) or key > 0)
            for _, name, kind, null, _, key in connection.execute(f"PRAGMA table_info({table})")
        }
        references = {
            (column, parent, action)
            for _, _, parent, column, _, _, action, _ in connection.execute(
                f"PRAGMA foreign_key_list({table})"
            )
        }
        found[str(table)] = columns, references
    return found


def of_postgresql(connection: Connection) -> Described:
    found: Described = {}
    for table, name, kind, null in connection.rows(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO' "
        "FROM information_schema.columns WHERE table_schema = 'public'"
    ):
        found.setdefault(table, ({}, set()))[0][name] = kind, null
    for table, rule in connection.rows(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'f'"
    ):
        column, parent, deletes = re.fullmatch(
            r"FOREIGN KEY \((\w+)\) REFERENCES (\w+)\(\w+\)(?: ON DELETE (\w+))?(?: DEFERRABLE)?",
            rule,
        ).groups()  # type: ignore[union-attr]
        found[table][1].add((column, parent, deletes or "NO ACTION"))
    del found[VERSION]
    return found


def test_tables_columns_and_references(session: PostgreSQLSession) -> None:
    assert of_postgresql(session) == of_sqlite(in_memory()[0])


def plain(condition: str | None) -> str:
    return re.sub(r"[()\s]|::text", "", condition or "").lower()


def test_indexes(session: PostgreSQLSession) -> None:
    def named(definition: str) -> tuple[bool, str, str, str]:
        parts = re.fullmatch(
            r"CREATE (UNIQUE )?INDEX (\w+) ON (?:public\.)?(\w+) (?:USING btree )?"
            r"\((.*?)\)(?: WHERE (.*))?",
            " ".join(definition.split()),
        )
        assert parts, definition
        return bool(parts[1]), parts[3], parts[4].replace(" ", ""), plain(parts[5])

    connection, _ = in_memory()
    theirs = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    ours = (
        "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'"
    )
    assert {name: named(sql) for name, sql in session.rows(ours)} == {
        name: named(sql) for name, sql in connection.execute(theirs)
    }


WALLET = "INSERT INTO wallets (id, created_at) VALUES ({0}, 0)"
MEMBER = "INSERT INTO members (id, appid, name, created_at) VALUES ({0}, '{1}', '{1}', 0)"
TOKEN = (
    "INSERT INTO tokens (member_id, public_id, digest, name, scopes, created_at) "
    "VALUES (1, '{0}', {1}, 'n', '[]', 0)"
)
HOLD = (
    "INSERT INTO holds (id, wallet_id, token_id, request_id, model, amount, state, owner, stream, "
    "prompt_tokens, input_rate, output_rate, cached_rate, created_at) "
    "VALUES ('{0}', 1, 1, 'r', 'm', 5, 'open', 'o', 0, 1, 1, 1, 1, 0)"
)
ENTRY = (
    "INSERT INTO entries (wallet_id, at, kind, amount, balance_after, hold_id) "
    "VALUES (1, 0, '{0}', {1}, 0, {2})"
)
LOT = (
    "INSERT INTO lots (wallet_id, kind, amount, remaining, created_at, note) "
    "VALUES (1, 'k', {0}, {1}, 0, '')"
)
KEPT = (
    "INSERT INTO kept_answers (member_id, operation, key, asked, model, status, headers, body, "
    "size, at) VALUES (1, 'o', {0}, {0}, 'm', 200, {0}, {0}, {1}, 0)"
)
BYTES, OTHERS = (
    {"sqlite": "zeroblob(32)", "postgresql": r"decode(repeat('00', 32), 'hex')"},
    {
        "sqlite": "zeroblob(31)",
        "postgresql": r"decode(repeat('00', 31), 'hex')",
    },
)

FORBIDDEN = {
    "the same name": MEMBER.format(2, "a"),
    "a member without a wallet": MEMBER.format(9, "b"),
    "a member who is neither deleted nor named": "UPDATE members SET name = NULL",
    "a balance below zero": "UPDATE wallets SET available = -1",
    "a held amount below zero": "UPDATE wallets SET held = -1",
    "a role that is none": "INSERT INTO memberships VALUES (1, 1, 'king', 0)",
    "a group without a wallet": "INSERT INTO groups (name, wallet_id, created_at) "
    "VALUES ('h', 9, 0)",
    "two groups with one wallet": "INSERT INTO groups (name, wallet_id, created_at) "
    "VALUES ('h', 2, 0)",
    "to pay twice from one wallet": "INSERT INTO payment_order VALUES (1, 1, 2)",
    "an audited act changed": "UPDATE audit SET detail = 'x'",
    "an audited act deleted": "DELETE FROM audit",
    "a short digest": TOKEN.format("other", "SHORT"),
    "scopes that are no JSON": "UPDATE tokens SET scopes = '['",
    "models that are no JSON": "UPDATE tokens SET models = 'x'",
    "an unknown member": "UPDATE tokens SET member_id = 9",
    "a lot of nothing": LOT.format(0, 0),
    "a lot with more than it was given": LOT.format(1, 2),
    "a lot with less than nothing": LOT.format(1, -1),
    "an unknown state": "UPDATE holds SET state = 'gone', resolved_at = 1",
    "an open hold that was resolved": "UPDATE holds SET resolved_at = 1",
    "a resolved hold of no time": "UPDATE holds SET state = 'captured'",
    "neither stream nor not": "UPDATE holds SET stream = 2",
    "neither started nor not": "UPDATE holds SET started = 2",
    "more from the cache than there was": "UPDATE holds SET cached_tokens = 2",
    "less than nothing emitted": "UPDATE holds SET emitted = -1",
    "less than no search": "UPDATE holds SET searches = -1",
    "usage without a hold": ENTRY.format("usage", -1, "NULL"),
    "usage that gives": ENTRY.format("usage", 1, "'h'"),
    "usage twice": ENTRY.format("usage", -1, "'h'"),
    "a hold that is none": ENTRY.format("x", -1, "'none'"),
    "an entry changed": "UPDATE entries SET note = 'x'",
    "an entry deleted": "DELETE FROM entries",
    "a budget per year": "UPDATE budgets SET per = 'year'",
    "a budget of less than nothing": "UPDATE budgets SET amount = -1",
    "a budget of Tokens without a window": "UPDATE budgets SET per = NULL",
    "a budget of two": "UPDATE budgets SET member_id = 1",
    "all time that rolls": "UPDATE budgets SET per = 'total', rolling = 1",
    "less used than before the budget": "INSERT INTO budget_windows VALUES (1, 1, 2, 1)",
    "a threshold of nothing": "INSERT INTO alerts VALUES (1, 0, NULL, NULL)",
    "a webhook without a secret": "INSERT INTO alerts VALUES (1, 1, 'u', NULL)",
    "a notice of nobody": "INSERT INTO outbox (wallet_id, available, threshold, at) "
    "VALUES (9, 1, 1, 1)",
    "an answer kept twice": KEPT.format("BYTES", 1),
    "an answer of a short key": KEPT.format("SHORT", 1),
}


def written(connection: Connection, statement: str) -> str:
    return statement.replace("BYTES", BYTES[connection.dialect]).replace(
        "SHORT", OTHERS[connection.dialect]
    )


def filled(connection: Connection) -> None:
    for statement in (
        WALLET.format(1),
        MEMBER.format(1, "a"),
        WALLET.format(2),
        "INSERT INTO groups (id, name, wallet_id, created_at) VALUES (1, 'g', 2, 0)",
        "INSERT INTO payment_order VALUES (1, 0, 2)",
        "INSERT INTO audit (at, actor, action, subject, detail) VALUES (0, 'a', 'b', 'c', 'd')",
        TOKEN.format("t", "BYTES"),
        "INSERT INTO budgets (id, token_id, unit, per, amount, created_at) "
        "VALUES (1, 1, 'tokens', 'day', 5, 0)",
        LOT.format(10, 10),
        HOLD.format("h"),
        ENTRY.format("usage", -1, "'h'"),
        KEPT.format("BYTES", 7),
    ):
        connection.run(written(connection, statement))


def test_what_is_forbidden(session: PostgreSQLSession) -> None:
    connection, other = in_memory()
    connection.execute("BEGIN")
    session.begin()
    for each in (other, session):
        filled(each)
        for what, statement in FORBIDDEN.items():
            with pytest.raises((apsw.Error, psycopg.Error)):
                _forbidden(each, written(each, statement), what)
    session.rollback()


def _forbidden(connection: Connection, statement: str, what: str) -> None:
    with connection.savepoint():
        connection.run(statement)
        pytest.fail(f"{connection.dialect} allows {what}")


def test_what_happens_by_itself(session: PostgreSQLSession) -> None:
    """A notice of a balance that falls, and the sum of what is kept."""
    connection, other = in_memory()
    connection.execute("BEGIN")
    session.begin()
    seen: list[list[object]] = []
    for each in (other, session):
        filled(each)
        each.run("INSERT INTO alerts VALUES (1, 100, NULL, NULL)")
        each.run("UPDATE wallets SET available = 150")
        each.run("UPDATE wallets SET available = 50, held = 100")  # a hold lowers nothing
        each.run("UPDATE wallets SET available = 50, held = 49")
        each.run("UPDATE wallets SET available = 10, held = 0")
        notices = each.rows("SELECT wallet_id, available, threshold, logged FROM outbox")
        total = "SELECT CAST(sum(bytes) AS BIGINT) FROM kept_answers_total"
        kept = each.value(total)
        each.run("DELETE FROM kept_answers")
        each.run("DELETE FROM alerts")
        left = each.value("SELECT count(*) FROM outbox")
        seen.append([notices, kept, each.value(total), left])
    session.rollback()
    assert seen == [[[(1, 50, 100, 0)], 7, 0, 0]] * 2


def opened(url: str, create: bool = True) -> PostgreSQLBackend:
    return PostgreSQLBackend.prepared(url, create=create)


async def test_two_programs_that_start_at_once(postgres: Cluster) -> None:
    url = postgres.empty()
    with pytest.raises(StorageError, match="no Xinghe database"):
        opened(url, create=False)
    each: Callable[[], Any] = lambda: opened(url)  # noqa: E731
    await asyncio.gather(*(asyncio.to_thread(each) for _ in range(4)))
    opened(url, create=False)
    assert postgres.do(f"SELECT count(*) FROM {VERSION}", url=url) == [(1,)]


def test_a_newer_database_is_refused(postgres: Cluster) -> None:
    url = postgres.database()
    postgres.do(f"UPDATE {VERSION} SET version = 1000", url=url)
    with pytest.raises(StorageError, match=r"version 1000.*use the newer program"):
        opened(url)


def test_another_programs_tables_are_left_alone(postgres: Cluster) -> None:
    url = postgres.empty()
    postgres.do("CREATE TABLE accounts (x INT)", url=url)
    with pytest.raises(StorageError, match="already exists"):
        opened(url)
    assert postgres.do("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", url=url) == [
        (1,)
    ]


def test_who_may_not_make_tables_is_told(postgres: Cluster) -> None:
    url = postgres.empty()
    postgres.do("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    server, me = postgres.server.folder, pwd.getpwuid(os.geteuid()).pw_name
    with (server / "pg_ident.conf").open("a") as file:
        file.write(f'xinghe "{me}" guest\n')
    postgres.do("SELECT pg_reload_conf()")
    with pytest.raises(StorageError, match="permission denied"):
        opened(url.replace("user=xinghe", "user=guest"))


def test_another_encoding_is_refused(postgres: Cluster) -> None:
    url = postgres.empty("ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(StorageError, match="UTF8"):
        opened(url)
