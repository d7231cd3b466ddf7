"""A database of before there were members and groups: it opens, and keeps every row."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tests.kit.postgres import Cluster
from xinghe.accounts import Members, Tokens
from xinghe.ledger import Ledger, check
from xinghe.storage import Database
from xinghe.storage.sqlite import migrations

VERSION = 7
MIDDAY = 1_764_590_400_000_000
"""Microseconds; the day has begun 12 hours before."""
DAY = MIDDAY - 43_200_000_000
DIGEST = {"sqlite": "zeroblob(32)", "postgresql": r"decode(repeat('00', 32), 'hex')"}
ROWS = f"""
INSERT INTO accounts (appid, name, available, held, created_at)
VALUES ('app-0123456789', 'default', 856, 100, 0), ('app-1123456789', '星', 0, 0, 1);
INSERT INTO tokens (account_id, public_id, digest, name, scopes, created_at)
VALUES (1, '0123456789', DIGEST, 't', '["model.call"]', 2),
    (2, '1123456789', DIGEST, 'u', '["admin"]', 3);
INSERT INTO caps VALUES (1, 500, 'day', {DAY}, 44, 60);
INSERT INTO alerts VALUES (1, 900, NULL, NULL);
INSERT INTO lots (account_id, kind, amount, remaining, created_at, note)
VALUES (1, 'grant', 1000, 956, 0, 'initial grant');
INSERT INTO holds (id, account_id, token_id, request_id, model, amount, state, owner, stream,
    prompt_tokens, emitted, input_rate, output_rate, cached_rate, created_at, resolved_at)
VALUES
    ('settled', 1, 1, 'as-0', 'm', 100, 'captured', 'dead', 1, 5, 3, 4, 8, 1, {MIDDAY}, {MIDDAY}),
    ('of the day', 1, 1, 'as-1', 'm', 60, 'open', 'dead', 1, 5, 3, 4, 8, 1, {MIDDAY}, NULL),
    ('of yesterday', 1, 1, 'as-2', 'm', 40, 'open', 'dead', 0, 5, 0, 4, 8, 1, {DAY - 1}, NULL);
INSERT INTO entries (account_id, at, kind, amount, balance_after, request_id, hold_id, model,
    token_id, token_name, prompt_tokens, completion_tokens, input_rate, output_rate, cached_rate)
VALUES
    (1, 1, 'grant', 1000, 1000, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL),
    (1, {MIDDAY}, 'usage', -44, 956, 'as-0', 'settled', 'm', 1, 't', 5, 3, 4, 8, 1);
INSERT INTO kept_answers (account_id, operation, key, asked, model, status, headers, body, size, at)
VALUES (1, 'chat', DIGEST, DIGEST, 'm', 200, DIGEST, DIGEST, 100, {MIDDAY});
INSERT INTO audit (at, actor, action, subject, detail) VALUES (1, 'a', 'account.create', 'b', 'c');
"""


@pytest.fixture
def older(tmp_path: Path, database_url: str, request: pytest.FixtureRequest) -> str:
    """The URL of such a database; on SQLite its file stands in `tmp_path`."""
    if not database_url:
        connection = apsw.Connection(str(tmp_path / "xinghe.db"))
        for version, script in migrations():
            if version <= VERSION:
                connection.execute(script)
        connection.pragma("user_version", VERSION)
        connection.execute(ROWS.replace("DIGEST", DIGEST["sqlite"]))
        connection.close()
        return ""
    cluster: Cluster = request.getfixturevalue("postgres")
    url = cluster.empty()
    scripts = [
        script for version, script in migrations("xinghe.storage.postgresql") if version <= VERSION
    ]
    rows = ROWS.replace("DIGEST", DIGEST["postgresql"])
    cluster.do(*scripts, f"UPDATE schema_version SET version = {VERSION}", rows, url=url)
    return url


async def test_it_keeps_every_row(older: str, tmp_path: Path) -> None:
    async with await Database.open(tmp_path, older) as database:
        assert await database.read(check) == []
        first, second = await Members(database).page()
        assert (first.id, first.name, first.appid) == (1, "default", "app-0123456789")
        assert (first.available, first.held, second.balance) == (856, 100, 0)
        assert await database.read(lambda c: c.rows("SELECT id, operator FROM members")) == [
            (1, 1),
            (2, 0),
        ]
        tokens = await Tokens(database).list()
        assert [(token.member, token.name) for token in tokens] == [("default", "t"), ("星", "u")]
        cap = tokens[0].cap
        assert cap is not None
        assert (cap.amount, cap.window.per, cap.window.zone) == (500, "day", "UTC")
        # What was spent in the period, and what was opened in it and is open.
        windows = await database.read(
            lambda c: c.rows("SELECT since, base, used FROM budget_windows")
        )
        assert windows == [(DAY, 44, 104)]
        sums = "SELECT wallet_id, member_id, token_id, requests, spend FROM usage_hours"
        hours = await database.read(lambda c: c.rows(sums))
        assert hours == [(1, 1, 1, 1, 44)]
        months = await database.read(lambda c: c.rows(sums.replace("hours", "members")))
        assert months == hours
        kept = "SELECT body FROM kept_answers WHERE member_id = 1 AND operation = 'chat'"
        assert await database.read(lambda c: c.value(kept)) == bytes(32)


async def test_what_was_open_is_settled_and_counted(older: str, tmp_path: Path) -> None:
    async with await Database.open(tmp_path, older) as database:
        ledger = Ledger(database)
        await ledger.start()
        try:
            assert await database.drain() == 0
            assert await database.read(check) == []
            first, _ = await Members(database).page()
            assert (first.available, first.held) == (956 - 44, 0)
            windows = await database.read(lambda c: c.rows("SELECT used FROM budget_windows"))
            assert windows == [(44 + 44,)]
            # New ids come behind those that were given.
            made = await Tokens(database).cap("2", 7)
            assert made.cap is not None
            assert made.cap.id > 1
            # It falls below 900 only now, which is told as before.
            assert await database.read(lambda c: c.value("SELECT count(*) FROM outbox")) == 0
            lower = "UPDATE wallets SET available = 899 WHERE id = 1"
            await database.write(lambda c: c.run(lower))
            notices = "SELECT wallet_id, threshold FROM outbox"
            assert await database.read(lambda c: c.rows(notices)) == [(1, 900)]
        finally:
            await ledger.stop()
