"""Holds and entries that a program wrote before searches had a price."""

from __future__ import annotations

from pathlib import Path

import apsw

from tests.ledger.books import Books
from xinghe.accounts import Principal
from xinghe.ledger import Ledger, check
from xinghe.storage import Database
from xinghe.storage.sqlite import migrations

VERSION = 3
ROWS = """
INSERT INTO accounts (appid, name, available, held, created_at)
VALUES ('app-0123456789', 'a', 772, 200, 0);
INSERT INTO tokens (account_id, public_id, digest, name, scopes, created_at)
VALUES (1, '0123456789', zeroblob(32), 't', '[]', 0);
INSERT INTO lots (account_id, kind, amount, remaining, created_at, note)
VALUES (1, 'grant', 1000, 972, 0, '');
INSERT INTO holds (id, account_id, token_id, request_id, model, amount, state, owner, stream,
    prompt_tokens, cached_tokens, emitted, input_rate, output_rate, cached_rate, created_at,
    resolved_at)
VALUES
    ('settled', 1, 1, 'as-0', 'm', 100, 'captured', 'dead', 1, 6, 4, 2, 4, 8, 1, 1, 2),
    ('stream', 1, 1, 'as-1', 'm', 100, 'open', 'dead', 1, 5, 0, 3, 4, 8, 1, 3, NULL),
    ('whole', 1, 1, 'as-2', 'm', 100, 'open', 'dead', 0, 5, 0, 0, 4, 8, 1, 4, NULL);
INSERT INTO entries (account_id, at, kind, amount, balance_after, request_id, hold_id, model,
    token_id, prompt_tokens, completion_tokens, cached_tokens, input_rate, output_rate, cached_rate)
VALUES
    (1, 1, 'grant', 1000, 1000, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL),
    (1, 2, 'usage', -28, 972, 'as-0', 'settled', 'm', 1, 6, 2, 4, 4, 8, 1);
"""


def make(directory: Path) -> None:
    connection = apsw.Connection(str(directory / "xinghe.db"))
    for version, script in migrations():
        if version <= VERSION:
            connection.execute(script)
    connection.pragma("user_version", VERSION)
    connection.execute(ROWS)
    connection.close()


async def test_what_was_open_is_settled_at_its_own_rates(tmp_path: Path) -> None:
    make(tmp_path)
    async with await Database.open(tmp_path) as database:
        assert await database.read(check) == []
        ledger = Ledger(database)
        await ledger.start()
        try:
            books = Books(database, Principal(1, "app-0123456789", "a", 1, "t", frozenset(), None))
            await books.settled()
            newest, _ = await books.usage()
            assert (newest.request_id, newest.amount) == ("as-1", -(5 * 4 + 3 * 8))
            assert (newest.searches, newest.search_rate) == (0, 0)
            assert await books.balance() == (972 - 44, 0)
        finally:
            await ledger.stop()
