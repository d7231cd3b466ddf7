"""Books of very many entries over a year, made by a few statements on either database.

Their sums do not agree with any lots: they are for reading alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.kit.sums import close
from xinghe.ledger.windows import DAY, HOUR
from xinghe.storage import Connection
from xinghe.storage.postgresql.backend import PostgreSQLBackend
from xinghe.storage.sqlite import SQLiteBackend, SQLiteSession, connect

SINCE = 20_000 * DAY
"""2024-10-04: the first entry."""
YEAR = 365 * DAY

HEAVY = 1
"""The member who makes every tenth request, from his own wallet."""
STUDENT = 2
"""A member of the large group; every other of the rest pays for himself."""
RARE = "rare"
"""A model that was asked once, in the middle, by the heavy member with his second token."""


class Sizes:
    """How many there are of each; ids begin with 1, those of groups' wallets behind the members'.

    The first group is large: every fifth request is of one of its 1,000 members.
    """

    def __init__(self, members: int, groups: int, entries: int) -> None:
        self.members = members
        self.groups = groups
        self.entries = entries
        self.class_size = min(1000, members - 1)

    @property
    def large_group(self) -> int:
        """Its wallet."""
        return self.members + 1

    @property
    def second_token(self) -> int:
        return self.members + 1

    @property
    def rare(self) -> int:
        """The place of the rare request."""
        return self.entries // 20 * 10


def make(directory: Path, url: str, sizes: Sizes) -> None:
    """Fill the database of a URL, or the file of a directory; nobody else uses it.

    Entries name holds that are not there: those are not read.
    """
    if url:
        with closing(PostgreSQLBackend.prepared(url, create=True).session(patient=True)) as session:
            session.rows("SELECT set_config('session_replication_role', 'replica', false)")
            session.begin()
            fill(session, sizes)
            session.commit()
            session.run("ANALYZE")
        return
    SQLiteBackend.prepared(directory, create=True)
    with closing(connect(directory / "xinghe.db")) as connection:
        for name, value in ("journal_mode", "off"), ("synchronous", "off"), ("foreign_keys", "off"):
            connection.pragma(name, value)
        with connection:
            fill(SQLiteSession(connection), sizes)
    SQLiteBackend.prepared(directory, create=False)


def fill(connection: Connection, sizes: Sizes) -> None:
    number, turns = (
        f"WITH RECURSIVE n(i) AS (SELECT CAST({first} AS BIGINT) "
        f"UNION ALL SELECT i + 1 FROM n WHERE i < $1 + {first - 1}) "
        for first in (1, 0)
    )
    members, groups = sizes.members, sizes.groups
    connection.run(
        f"{number} INSERT INTO wallets (id, available, created_at) SELECT i, 1000, 0 FROM n",
        members + groups,
    )
    connection.run(
        f"{number} INSERT INTO members (id, appid, name, created_at) "
        "SELECT i, 'app-' || i, 'member ' || i, 0 FROM n",
        members,
    )
    connection.run(
        f"{number} INSERT INTO groups (id, name, wallet_id, created_at) "
        "SELECT i, 'group ' || i, i + $2, 0 FROM n",
        groups,
        members,
    )
    connection.run(
        f"{number} INSERT INTO memberships (group_id, member_id, role, joined_at) "
        "SELECT 1, i + 1, CASE WHEN i = 1 THEN 'owner' ELSE 'member' END, 0 FROM n",
        sizes.class_size,
    )
    connection.run(
        f"{number} INSERT INTO tokens (id, member_id, public_id, digest, name, scopes, created_at) "
        "SELECT i, CASE WHEN i <= $2 THEN i ELSE 1 END, 'token' || i, $3, 't', '[]', 0 FROM n",
        members + 1,
        members,
        bytes(32),
    )
    with _without_indexes(connection, "entries"):
        _ask(connection, sizes, turns)
    connection.run(
        "INSERT INTO entries (wallet_id, at, kind, amount, balance_after) "
        "SELECT id, CAST($1 AS BIGINT), 'grant', 1000, 1000 FROM wallets",
        SINCE,
    )
    connection.run(
        "INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome, requests, "
        "prompt_tokens, completion_tokens, spend, timed, timed_tokens, first_ms, total_ms, "
        "first_at, last_at) SELECT wallet_id, at - at % $1, member_id, token_id, model, '', "
        "count(*), sum(prompt_tokens), sum(completion_tokens), -sum(amount), count(*), "
        "sum(completion_tokens), sum(first_ms), sum(total_ms), min(at), max(at) "
        "FROM entries WHERE kind = 'usage' "
        "GROUP BY wallet_id, at - at % $1, member_id, token_id, model",
        HOUR,
    )
    # About every hundredth request came once before, and failed.
    connection.run(
        "INSERT INTO failures (wallet_id, member_id, token_id, request_id, at, operation, model, "
        "status, code, total_ms) SELECT wallet_id, member_id, token_id, request_id, at, 'chat', "
        "model, 429, 'rpm_rate_limit_exceeded', 3 FROM entries WHERE kind = 'usage' "
        "AND id % 101 = 0"
    )
    close(connection)


def _ask(connection: Connection, sizes: Sizes, turns: str) -> None:
    # Who asks: of every ten requests one the heavy member, two the large group's, seven the others,
    # every second of whom has a group that pays.
    connection.run(
        f"{turns}, asked(i, m) AS (SELECT i, CASE WHEN i % 10 = 0 THEN 1 "
        "WHEN i % 10 <= 2 THEN 2 + i / 10 % $2 ELSE 2 + (i * 7919) % ($3 - 1) END FROM n) "
        "INSERT INTO entries (wallet_id, member_id, at, kind, amount, balance_after, request_id, "
        "hold_id, model, token_id, prompt_tokens, completion_tokens, input_rate, "
        "output_rate, cached_rate, search_rate, wait_ms, first_ms, total_ms, finish) "
        "SELECT CASE WHEN i % 10 IN (1, 2) THEN $3 + 1 WHEN i % 10 > 2 AND m % 2 = 0 "
        "THEN $3 + 1 + m % $4 ELSE m END, m, CAST($5 AS BIGINT) + i * CAST($6 AS BIGINT), 'usage', "
        "-24, 0, 'as-' || (1000000000 + i * 7919 % 1000000007), 'hold-' || (1000000000 + i), "
        "CASE WHEN i = $7 THEN 'rare' ELSE 'model-' || (i % 3) END, "
        "CASE WHEN i = $7 THEN $3 + 1 ELSE m END, 2, 2, 4, 8, 1, 0, 5, 30, 90, 'normal' "
        "FROM asked",
        sizes.entries,
        sizes.class_size,
        sizes.members,
        sizes.groups,
        SINCE,
        YEAR // sizes.entries,
        sizes.rare,
    )


@contextmanager
def _without_indexes(connection: Connection, table: str) -> Iterator[None]:
    """They are made anew behind all rows at once, which takes a fraction of the time."""
    if connection.dialect == "sqlite":
        found = connection.rows(
            "SELECT name, sql FROM sqlite_master "
            "WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL",
            table,
        )
    else:
        connection.run("SET LOCAL maintenance_work_mem = '512MB'")
        found = connection.rows(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
            "AND tablename = $1 AND indexname NOT IN (SELECT conname FROM pg_constraint)",
            table,
        )
    for name, _ in found:
        connection.run(f"DROP INDEX {name}")
    yield
    for _, sql in found:
        connection.run(sql)
