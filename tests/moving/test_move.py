"""The books move to PostgreSQL whole, or they are where they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.accounts.commands import Commands
from tests.kit.postgres import Cluster
from tests.storage.test_backup import AUDIT, NOTICE, content, fill_all
from xinghe.ledger import check
from xinghe.moving import parts
from xinghe.moving.move import Move, Outcome
from xinghe.storage import StorageError, StorageMoved, backup
from xinghe.storage.connection import Session
from xinghe.storage.postgresql.backend import PostgreSQLBackend
from xinghe.storage.sqlite import SQLiteBackend

PLACE = "host:/data"
Books = dict[str, list[tuple[object, ...]]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many parts of few rows."""
    monkeypatch.setattr(parts, "ROWS", 7)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def commands(data: Path) -> Commands:
    return Commands(data)


@pytest.fixture
def source(data: Path) -> Iterator[Session]:
    with closing(SQLiteBackend.prepared(data, create=True).session()) as session:
        fill_all(session)
        yield session


@pytest.fixture
def url(postgres: Cluster) -> str:
    return postgres.empty()


def quiet(table: str, rows: int) -> None:
    pass


def moved(data: Path, url: str, said: list[str] | None = None) -> Outcome:
    told = [] if said is None else said
    return Move(data, url, told.append, quiet).run(lambda: None, PLACE)


def arrived(url: str) -> Books:
    """What is there, without the name that the data directory has there."""
    with closing(PostgreSQLBackend.prepared(url, create=False).session()) as session:
        assert check(session) == []
        return without_place(content(session))


def without_place(books: Books) -> Books:
    name = "configuration_places"
    return books | {name: [row for row in books[name] if PLACE not in row]}


@pytest.mark.usefixtures("small")
def test_all_of_it_arrives(source: Session, data: Path, url: str) -> None:
    before = content(source)
    assert all(before.values()), "a table is empty, and shows nothing"
    outcome = moved(data, url)
    assert arrived(url) == before
    assert outcome.proof.rows == sum(len(before[table]) for table in backup.KEYS)
    assert outcome.proof.wallets == len(before["wallets"])
    assert content(source) == before
    with pytest.raises(StorageMoved):
        source.begin()


@pytest.mark.usefixtures("small")
def test_what_was_made_there_goes_on(source: Session, data: Path, url: str) -> None:
    """Ids behind those that were given, triggers, references, sums of what is kept."""
    moved(data, url)
    with closing(PostgreSQLBackend.prepared(url, create=False).session(patient=True)) as session:
        assert session.row(NOTICE + " RETURNING id") == (3,)
        last = session.value("SELECT max(id) FROM entries")
        assert session.row(
            "INSERT INTO entries (wallet_id, at, kind, amount, balance_after) "
            "VALUES (1, 0, 'grant', 0, 0) RETURNING id"
        ) == (last + 1,)
        for statement, match in (
            ("DELETE FROM entries", "append-only"),
            ("DELETE FROM wallets WHERE id = 1", "foreign key"),
            ("INSERT INTO memberships VALUES (1, 99999, 'member', 0)", "foreign key"),
        ):
            with pytest.raises(Exception, match=match):
                session.run(statement)
        assert session.rows("SELECT 1 FROM pg_constraint WHERE NOT convalidated") == []
        for table in backup.TOTALS:
            session.run(f"DELETE FROM {table.removesuffix('_total')}")
            assert content(session)[table] == [(0,)]


def test_the_tables_are_those_of_a_new_database(
    source: Session, data: Path, url: str, postgres: Cluster
) -> None:
    """Rules, references, triggers and indexes, once it is confirmed."""
    described = (
        "SELECT 'rule', conrelid::regclass::text, pg_get_constraintdef(oid), '' "
        "FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
        "UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text, tgenabled::text "
        "FROM pg_trigger WHERE NOT tgisinternal UNION ALL "
        "SELECT 'index', tablename::text, indexdef, '' FROM pg_indexes WHERE schemaname = 'public' "
        "ORDER BY 1, 2, 3"
    )
    moved(data, url)
    source.close()
    Commands(data, url).done("migrate", "confirm")
    fresh = postgres.empty()
    PostgreSQLBackend.prepared(fresh, create=True)
    assert postgres.do(described, url=url) == postgres.do(described, url=fresh)


def test_empty_books(data: Path, url: str) -> None:
    SQLiteBackend.prepared(data, create=True)
    assert moved(data, url).proof.wallets == 0
    assert not arrived(url)["members"]


def test_odd_values(source: Session, data: Path, url: str) -> None:
    """Large integers, texts of all kinds, bytes of all values; a NUL, which it cannot have."""
    source.run("UPDATE members SET password = $1 WHERE id = 1", "星\\N\t\r\n\u2028𝕏'\"\x01\x7f")
    source.run("UPDATE sessions SET seen_at = $1, expires_at = $2", -(2**63), 2**63 - 1)
    source.run("UPDATE kept_answers SET body = $1", bytes(range(256)) * 9)
    before = content(source)
    source.run("UPDATE alerts SET secret = $1", "a\0字")
    assert moved(data, url).nuls == 1
    there = arrived(url)
    assert [row for row in there["alerts"] if "a\ufffd字" in row]
    assert there | {"alerts": []} == before | {"alerts": []}


class Died(Exception):
    """In place of a death at this moment."""


def dying(at: int) -> Callable[[str, int], None]:
    left = [at]

    def progress(table: str, rows: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Died

    return progress


def change(source: Session, dice: random.Random) -> None:
    """What a service may do meanwhile, to rows at any place: new ones, others, and none."""
    source.run(AUDIT)
    source.run("UPDATE members SET password = $1 WHERE id = $2", "x", dice.randint(1, 30))
    # A unique name moves from one row to another.
    one, other = dice.sample(range(1, 31), 2)
    for each, name in (one, "free"), (other, f"was {one}"), (one, f"was {other}"):
        source.run("UPDATE members SET name = $1 WHERE id = $2", name + str(each), each)
    source.run(
        "INSERT INTO sign_in_links VALUES ($1, 1, 9)",
        bytes([dice.randrange(256)]) + dice.randbytes(31),
    )
    source.run(
        "DELETE FROM failures WHERE id IN (SELECT id FROM failures LIMIT 1)",
    )
    source.run(
        "INSERT INTO usage_groups (wallet_id, span, since, model, outcome) "
        "VALUES (1002, 'day', $1, '模型', '')",
        dice.randrange(10**6),
    )


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
)
def test_it_goes_on_where_it_was(seed: int, source: Session, data: Path, url: str) -> None:
    """Broken off anywhere, again and again, with the books changed in between."""
    dice = random.Random(seed)
    said: list[str] = []
    for _ in range(4):
        move = Move(data, url, said.append, dying(dice.randint(1, 120)))
        with pytest.raises(Died):
            move.run(lambda: None, PLACE)
        with pytest.raises(StorageError, match="has not filled this database to its end"):
            PostgreSQLBackend.prepared(url, create=True)
        change(source, dice)
    said.clear()
    moved(data, url, said)
    assert said[0].startswith("going on with what was begun")
    assert arrived(url) == content(source)


@pytest.mark.usefixtures("small")
def test_what_is_written_while_it_is_copied(source: Session, data: Path, url: str) -> None:
    dice = random.Random(1)

    def progress(table: str, rows: int) -> None:
        if dice.random() < 0.2 and not waits():
            change(source, dice)

    def waits() -> bool:
        return '"waits":true' in (data / "moving.lock").read_text()

    with_changes = Move(data, url, lambda _: None, progress)
    with_changes.run(lambda: None, PLACE)
    assert arrived(url) == content(source)


def test_what_was_copied_is_not_copied_again(source: Session, data: Path, url: str) -> None:
    with pytest.raises(Died):
        Move(data, url, lambda _: None, dying(30)).run(lambda: None, PLACE)
    copied: dict[str, int] = {}
    Move(data, url, lambda _: None, copied.__setitem__).run(lambda: None, PLACE)
    assert "wallets" not in copied
    assert "configurations" in copied


def test_another_database_that_is_not_empty(
    source: Session, data: Path, url: str, postgres: Cluster, tmp_path: Path
) -> None:
    with closing(PostgreSQLBackend.prepared(url, create=True).session()) as session:
        session.run(AUDIT)
    with pytest.raises(StorageError, match=r"not empty .its table audit has rows"):
        moved(data, url)
    another = postgres.empty()
    other = tmp_path / "other"
    SQLiteBackend.prepared(other, create=True)
    with pytest.raises(Died):
        Move(data, another, lambda _: None, dying(5)).run(lambda: None, PLACE)
    with pytest.raises(StorageError, match="moved to before: give the URL of an empty database"):
        moved(other, another)
    source.begin()
    source.rollback()


def test_books_that_do_not_agree(source: Session, data: Path, url: str) -> None:
    source.run("UPDATE wallets SET available = available + 1 WHERE id = 7")
    with pytest.raises(StorageError, match=r"(?s)books do not agree .*7\), and nothing was moved"):
        moved(data, url)
    source.begin()
    source.rollback()


def test_a_copy_that_is_not_the_same(
    source: Session, data: Path, url: str, postgres: Cluster
) -> None:
    """Whoever changes the copy meanwhile is found."""

    def disturbed() -> None:
        postgres.do("UPDATE wallets SET available = available - 1 WHERE id = 9", url=url)

    with pytest.raises(StorageError, match="the balance of wallet 9 is"):
        Move(data, url, lambda _: None, quiet).run(disturbed, PLACE)
    source.begin()
    source.rollback()


def test_one_at_a_time(source: Session, data: Path, url: str) -> None:
    def progress(table: str, rows: int) -> None:
        with pytest.raises(StorageError, match="another `xinghe migrate` is at work"):
            moved(data, url)
        raise Died

    with pytest.raises(Died):
        Move(data, url, lambda _: None, progress).run(lambda: None, PLACE)
