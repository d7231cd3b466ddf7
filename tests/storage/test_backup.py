"""A backup holds all of a moment, and comes back whole or not at all."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from tests.ledger.books import RATE
from tests.ledger.many import fill
from xinghe.ledger import check, holds, lots
from xinghe.ledger.holds import Hold
from xinghe.ledger.withdrawals import take_back, transfer
from xinghe.sales import orders, packages
from xinghe.sales.packages import Offer
from xinghe.storage import (
    Backend,
    Connection,
    StorageError,
    backup,
    backup_file,
    restore,
    save,
    verify_backup,
)
from xinghe.storage.backup_file import FORMAT, BackupError, BackupWriter, Header, Table
from xinghe.storage.connection import Session
from xinghe.storage.postgresql.backend import PostgreSQLBackend
from xinghe.storage.sqlite import SQLiteBackend, migrations

AUDIT = "INSERT INTO audit (at, actor, action, subject, detail) VALUES (1, 'a', 'b', 'c', '字')"
NOTICE = "INSERT INTO outbox (wallet_id, available, threshold, at) VALUES (1, 2, 3, 4)"
ONE_OF_EACH: list[tuple[Any, ...]] = [
    ("UPDATE tokens SET models = $1, digest = $2", '["m"]', b"\x00\xff" * 16),
    ("UPDATE members SET name = $1 || id", "星\n\"'\\"),
    # A group that is older than the organisation it was put into.
    ("INSERT INTO wallets (id, created_at) SELECT id + 1000, 0 FROM wallets WHERE id < 3",),
    ("INSERT INTO groups (id, name, wallet_id, created_at) VALUES (1, 'g', 1001, 0)",),
    ("INSERT INTO groups (id, name, wallet_id, created_at) VALUES (2, 'h', 1002, 0)",),
    ("UPDATE groups SET parent_id = 2 WHERE id = 1",),
    ("INSERT INTO memberships SELECT 1, id, 'member', 0 FROM members",),
    ("INSERT INTO payment_order SELECT id, 0, 1001 FROM members",),
    (
        "INSERT INTO invitations (group_id, role, pays, amount, digest, uses_left, expires_at, "
        "created_at) VALUES (1, 'member', 'group', 7, $1, 5, 9, 0)",
        bytes(range(32)),
    ),
    ("INSERT INTO identities VALUES ('https://i', '星', 1, 0)",),
    (
        "INSERT INTO sessions (member_id, digest, method, created_at, seen_at, expires_at) "
        "VALUES (1, $1, 'password', 0, 0, 9)",
        bytes(range(32)),
    ),
    ("INSERT INTO sign_in_links VALUES ($1, 1, 9)", bytes(range(32))),
    (
        "INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome) "
        "SELECT id, 0, id, id, '模型', '' FROM members",
    ),
    (
        "INSERT INTO usage_groups (wallet_id, span, since, model, outcome) "
        "VALUES (1001, 'day', 0, '模型', '')",
    ),
    (
        "INSERT INTO failures (wallet_id, member_id, token_id, request_id, at, operation, model, "
        "status, code, total_ms) VALUES (1, 1, 1, 'as-0', 1, 'chat', 'm', 500, 'x', 7)",
    ),
    (AUDIT,),
    ("INSERT INTO alerts (wallet_id, threshold, url, secret) VALUES (1, 5000, 'http://h', 's')",),
    (NOTICE,),
    (NOTICE,),
    ("DELETE FROM outbox WHERE id = 2",),
    (
        "INSERT INTO kept_answers (member_id, operation, key, asked, model, status, headers, "
        "body, size, at) VALUES (1, 'o', $1, $2, 'm', 200, $3, $4, 258, 7)",
        bytes(32),
        bytes(range(32)),
        b"\x00",
        b"\xff\x00",
    ),
    (
        "INSERT INTO kept_responses (member_id, name, previous, model, input, response, size, at) "
        "VALUES (1, 'resp_1', 'resp_0', 'm', $1, $2, 258, 7)",
        b"[]",
        b"{}",
    ),
    ("INSERT INTO configuration_contents VALUES ($1, $2)", bytes(range(32)), b"{}"),
    (
        "INSERT INTO configurations SELECT 7, 0, 'file', 'file', '星', 0, '[]', digest, digest "
        "FROM configuration_contents",
    ),
    (
        "INSERT INTO configurations SELECT 8, 0, 'app-1', 'api', '', 0, '[]', digest, NULL "
        "FROM configuration_contents",
    ),
    ("INSERT INTO configuration_places SELECT '星', digest, 0, 7, '' FROM configuration_contents",),
    ("INSERT INTO configuration_places VALUES ('', NULL, 0, 7, '')",),
]
HOLD = Hold(
    "h", 1, 1, (1,), (), "as-0", "m", 7, "o", stream=True, prompt_tokens=1, rate=RATE, created_at=9
)
"""It pins what is bound to its model."""
WAYS = [(there, back) for there in ("sqlite", "postgresql") for back in ("sqlite", "postgresql")]
EACH_WAY = pytest.mark.parametrize(("full", "bare"), WAYS, indirect=True)
INTO_EACH = pytest.mark.parametrize("bare", ["sqlite", "postgresql"], indirect=True)


def quiet(table: str, rows: int) -> None:
    pass


def prepared(request: pytest.FixtureRequest) -> Backend:
    """Of the database that a test asks for, else of SQLite; it has all tables."""
    if getattr(request, "param", "sqlite") == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path") / str(request.fixturename)
        return SQLiteBackend.prepared(folder, create=True)
    url = request.getfixturevalue("postgres").database()
    return PostgreSQLBackend.prepared(url, create=False)


@pytest.fixture
def full(request: pytest.FixtureRequest) -> Backend:
    """A database that has a row in each table, and much of some."""
    backend = prepared(request)
    with closing(backend.session()) as session:
        fill_all(session)
    return backend


def fill_all(session: Session) -> None:
    """A row in each table, and much of some; the books agree."""
    fill(session, 30, requests=50)
    for statement in ONE_OF_EACH:
        session.run(*statement)
    lots.credit(session, 1, 9, kind="grant", at=8, models=["m"])
    holds.reserve(session, HOLD)
    sell(session)


def sell(session: Session) -> None:
    """One of each thing that is sold."""
    offer = Offer(name="包", amount=9, price=5, currency="CNY", models=("m",), groups=(1,))
    package = packages.create(session, "a", offer)
    placed = orders.place(session, "a", package.id, 1, member_id=1, provider="manual", days=3)
    paid = orders.pay(session, "a", placed.id, "凭证")
    assert paid.lot_id is not None
    take_back(session, 1, paid.lot_id, 4, kind="refund", at=9)
    session.run(
        "INSERT INTO refunds (order_id, at, amount, price, reason, reference) "
        "VALUES ($1, 9, 4, 2, '错', '')",
        paid.id,
    )
    session.run(
        "INSERT INTO payment_events (provider, event_id, at, order_id, kind, outcome, "
        "number, reference, amount, currency) "
        "VALUES ('p', 'e', 9, $1, 'payment.succeeded', 'paid', 'n', '凭证', '9.9', 'CNY')",
        paid.id,
    )
    transfer(session, 1, 2, 5, at=9, notes=("to 2", "from 1"))
    session.run(
        "INSERT INTO code_batches (name, amount, count, redeemed, expires_at, created_at) "
        "VALUES ('批', 7, 1, 1, 9, 0)"
    )
    lot = lots.credit(session, 1, 7, kind="code", at=9)
    code = "INSERT INTO codes VALUES ($1, 1, 1, 9, 1, 1, $2)"
    session.run(code, bytes(range(32)), lot)


@pytest.fixture
def session(full: Backend) -> Iterator[Session]:
    with closing(full.session()) as session:
        yield session


@pytest.fixture
def bare(request: pytest.FixtureRequest) -> Backend:
    return prepared(request)


@pytest.fixture
def empty(bare: Backend) -> Iterator[Session]:
    with closing(bare.session(patient=True)) as session:
        yield session


def content(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table in backup.KEYS:
        names = ", ".join(sorted(name for name, _ in backup.columns_of(connection, table)))
        found[table] = sorted(connection.rows(f"SELECT {names} FROM {table}"), key=repr)
    for table in backup.TOTALS:
        total = connection.rows(f"SELECT CAST(sum(bytes) AS BIGINT) FROM {table}")
        found[table] = total
    return found


@pytest.fixture
def file(session: Session, tmp_path: Path) -> Path:
    file = tmp_path / "a backup"
    save(session, file, quiet)
    return file


@EACH_WAY
def test_all_of_it_comes_back(session: Session, empty: Session, file: Path) -> None:
    told: list[tuple[str, int]] = []
    summary = restore(empty, file, lambda *each: told.append(each), replace=False)
    assert content(empty) == content(session)
    assert all(content(session).values()), "a table is empty, and shows nothing"
    assert summary == verify_backup(file)
    assert summary.rows == {table: len(content(empty)[table]) for table in backup.KEYS}
    assert dict(told) == summary.rows
    assert check(empty) == []
    # Its triggers are there, and count on.
    for table in backup.TOTALS:
        empty.run(f"DELETE FROM {table.removesuffix('_total')}")
        assert content(empty)[table] == [(0,)]
    with pytest.raises((apsw.ConstraintError, psycopg.Error), match="append-only"):
        empty.run("DELETE FROM entries")


@EACH_WAY
def test_new_rows_get_ids_behind_those_that_were_given(
    session: Session, empty: Session, file: Path
) -> None:
    restore(empty, file, quiet, replace=False)
    assert empty.row(NOTICE + " RETURNING id") == (3,)
    for table in "wallets", "tokens", "lots", "entries":
        last = empty.value(f"SELECT max(id) FROM {table}")
        columns = [name for name, _ in backup.columns_of(empty, table) if name != "id"]
        values = ", ".join(
            f"{name} || 'x'" if name in {"appid", "name", "public_id"} else name
            for name in columns
            if name != "hold_id"
        )
        names = ", ".join(name for name in columns if name != "hold_id")
        copy = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE id = 1"
        assert empty.row(copy + " RETURNING id") == (last + 1,)


def test_sqlite_is_as_it_was(session: Session, empty: Session, file: Path) -> None:
    restore(empty, file, quiet, replace=False)
    assert empty.value("PRAGMA journal_mode") == "wal"
    assert empty.value("PRAGMA foreign_keys") == 1


def test_each_table_is_in_it_or_need_not_be(session: Session) -> None:
    found = session.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
    not_in_it = {*backup.TOTALS, "processes", "keys_at_work", "revision", "sqlite_sequence"}
    assert {name for (name,) in found} - not_in_it == set(backup.KEYS)


def test_only_its_owner_may_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(each.name for each in file.parent.iterdir()) == ["a backup", "full"]


@pytest.mark.parametrize("full", ["sqlite", "postgresql"], indirect=True)
def test_it_is_of_one_moment(full: Backend, session: Session, file: Path, tmp_path: Path) -> None:
    """What is written while it is made is in none of its tables."""

    def write(table: str, rows: int) -> None:
        session.run(AUDIT)

    with closing(full.session(read_only=True)) as reading:
        again = save(reading, tmp_path / "again", write)
    assert again.rows == verify_backup(file).rows
    assert session.value("SELECT count(*) FROM audit") > len(backup.KEYS) // 2


def test_what_is_not_whole_leaves_the_former_one(session: Session, file: Path) -> None:
    former = file.read_bytes()

    def interrupt(table: str, rows: int) -> None:
        raise StorageError("interrupted")

    with pytest.raises(StorageError, match="interrupted"):
        save(session, file, interrupt)
    assert file.read_bytes() == former
    assert sorted(each.name for each in file.parent.iterdir()) == ["a backup", "full"]


def test_a_folder_that_is_not_there(session: Session, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be written: No such file"):
        save(session, tmp_path / "none" / "file", quiet)


@INTO_EACH
def test_a_database_that_holds_anything(session: Session, empty: Session, file: Path) -> None:
    empty.run(AUDIT)
    with pytest.raises(StorageError, match="not empty; --replace"):
        restore(empty, file, quiet, replace=False)
    assert content(empty)["members"] == []
    for _ in range(2):
        restore(empty, file, quiet, replace=True)
        assert content(empty) == content(session)
        with pytest.raises((apsw.ConstraintError, psycopg.Error), match="append-only"):
            empty.run("DELETE FROM entries")
    # What fails later leaves all that was there.
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(b"app-2", b"app-1")))
    with pytest.raises(BackupError, match="cannot be restored"):
        restore(empty, file, quiet, replace=True)
    assert content(empty) == content(session)


@INTO_EACH
def test_a_database_that_is_used(bare: Backend, empty: Session, file: Path) -> None:
    with closing(bare.session()) as other:
        other.rows("SELECT * FROM members")
        with pytest.raises(StorageError, match="stop the service first"):
            restore(empty, file, quiet, replace=False)
    restore(empty, file, quiet, replace=False)


def first(lines: list[bytes], before: bytes, after: bytes) -> list[bytes]:
    """The lines with the first `before` among them changed."""
    return [b"".join(lines).replace(before, after, 1)]


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "its end cut": lambda whole: whole[:-4],
    "one bit changed": lambda whole: whole[:999] + bytes([whole[999] ^ 1]) + whole[1000:],
    "something behind": lambda whole: whole + b"more",
    "no gzip": gzip.decompress,
    "nothing": lambda _: b"",
}
CHANGED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "cut between lines": lambda lines: lines[: len(lines) // 2],
    "no last line": lambda lines: lines[:-1],
    "no first line": lambda lines: lines[1:],
    "a figure changed": lambda lines: first(lines, b",2976,", b",9976,"),
    "a row gone": lambda lines: first(lines, b"[3,3,", b"[99,3,"),
    "a line twice": lambda lines: [*lines[:3], *lines[2:]],
    "a line behind": lambda lines: [*lines, lines[-1]],
    "another table": lambda lines: first(lines, b'"wallets"', b'"sqlite_schema"'),
    "another column": lambda lines: first(lines, b'"appid"', b'"app"'),
    "a row with more": lambda lines: first(lines, b",2976,", b",2976,1,"),
    "no text": lambda lines: first(lines, b'"app-1"', b'"\xff"'),
    "no base64": lambda lines: first(lines, b"AP8A", b"?P8A"),
    "rows of no table": lambda lines: [lines[0], *lines[2:]],
    "lists in lists": lambda lines: [*lines[:2], b"[[" + b"[" * 9999 + b"]" * 10_001 + b"\n"],
    "too many values": lambda lines: [*lines[:2], b"[[" + b"1," * 4_000_001 + b"1]]\n"],
}


def changed(how: str) -> Callable[[bytes], bytes]:
    return lambda whole: gzip.compress(
        b"".join(CHANGED[how](gzip.decompress(whole).splitlines(keepends=True)))
    )


SPOILED |= {how: changed(how) for how in CHANGED}


@pytest.mark.parametrize("how", SPOILED)
@INTO_EACH
def test_a_spoiled_file(how: str, empty: Session, file: Path) -> None:
    before = content(empty)
    whole = file.read_bytes()
    file.write_bytes(SPOILED[how](whole))
    assert file.read_bytes() != whole
    with pytest.raises(BackupError, match=str(file)):
        verify_backup(file)
    # Whatever comes first: the damage is found, or the database refuses a row.
    with pytest.raises(BackupError, match=str(file)):
        restore(empty, file, quiet, replace=False)
    assert content(empty) == before


def test_a_line_without_end(empty: Session, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_file, "LONGEST", 1000)
    with pytest.raises(BackupError, match="a line of it is too large"):
        verify_backup(file)
    with pytest.raises(BackupError, match="a line of it is too large"):
        restore(empty, file, quiet, replace=False)


@INTO_EACH
def test_a_name_is_no_statement(empty: Session, tmp_path: Path) -> None:
    name = "audit (at, actor, action, subject, detail) VALUES (1, 'a', 'b', 'c', 'd'); COMMIT; --"
    file = tmp_path / "file"
    with file.open("wb") as stream:
        writer = BackupWriter(stream)
        version = max(number for number, _ in migrations())
        writer.write(Header(FORMAT, version, "0", 1))
        writer.write(Table(name, [], None))
        writer.write([[]])
        writer.finish()
    verify_backup(file)
    before = content(empty)
    with pytest.raises(BackupError, match="is another one"):
        restore(empty, file, quiet, replace=False)
    assert content(empty) == before


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (b'"xinghe_backup":1', b'"xinghe_backup":2', "use that, or a newer one"),
        (b'"tables":', b'"tables":9', "use that, or a newer one"),
        (b'"tables":', b'"tables":-', "restore it with that program"),
    ],
)
def test_another_version(
    before: bytes, after: bytes, says: str, empty: Session, file: Path
) -> None:
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(before, after, 1)))
    with pytest.raises(BackupError, match=says):
        restore(empty, file, quiet, replace=False)
