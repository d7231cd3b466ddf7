"""Books of very many accounts, made by a few statements; they agree."""

from __future__ import annotations

import apsw

from tests.ledger.books import RATE

GRANT, SPENT, EXPIRED = 2000, 24, 1000


def fill(connection: apsw.Connection, accounts: int, *, lots: int = 1, at: int = 5) -> None:
    """Accounts with a grant, a captured request, a cap, and `lots` that expired at a moment."""
    with connection:
        for statement in _STATEMENTS.strip().split(";\n"):
            values = {"accounts": accounts, "lots": lots, "at": at}
            values |= {"grant": GRANT, "spent": SPENT, "expired": EXPIRED}
            values |= {"input": RATE.input, "output": RATE.output, "cached": RATE.cached_input}
            connection.execute(statement, values)


def leave_open(connection: apsw.Connection, holds: int, *, owner: str, amount: int) -> None:
    """Holds on the first account, every second one a stream that had begun."""
    with connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
            "INSERT INTO holds (id, account_id, token_id, request_id, model, amount, state, owner, "
            "stream, started, prompt_tokens, emitted, input_rate, output_rate, cached_rate, "
            "created_at) SELECT 'open ' || i, 1, 1, 'as-0123456789', 'm', ?2, 'open', ?3, i % 2, "
            "1, 2, 2, ?4, ?5, ?6, 6 FROM n",
            (holds, amount, owner, RATE.input, RATE.output, RATE.cached_input),
        )
        connection.execute(
            "UPDATE accounts SET available = available - ?1, held = held + ?1 WHERE id = 1",
            (holds * amount,),
        )


_STATEMENTS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :accounts)
INSERT INTO accounts (id, appid, name, available, created_at)
SELECT i, 'app-' || i, 'account ' || i, :grant - :spent + :lots * :expired, 0 FROM n;
INSERT INTO tokens (id, account_id, public_id, digest, name, scopes, created_at)
SELECT id, id, id, zeroblob(32), 't', '[]', 0 FROM accounts;
INSERT INTO caps (token_id, amount, per, since, spent, held)
SELECT id, 1000000, 'total', 0, :spent, 0 FROM tokens WHERE id > 1;
INSERT INTO lots (account_id, kind, amount, remaining, created_at, note)
SELECT id, 'grant', :grant, :grant - :spent, 0, '' FROM accounts;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :lots)
INSERT INTO lots (account_id, kind, amount, remaining, expires_at, created_at, note)
SELECT id, 'grant', :expired, :expired, :at, 0, '' FROM accounts, n;
INSERT INTO entries (account_id, at, kind, amount, balance_after)
SELECT id, 0, 'grant', :grant, :grant FROM accounts;
INSERT INTO entries (account_id, at, kind, amount, balance_after)
SELECT id, 0, 'grant', :lots * :expired, :grant + :lots * :expired FROM accounts;
INSERT INTO holds (id, account_id, token_id, request_id, model, amount, state, owner, stream,
    prompt_tokens, emitted, input_rate, output_rate, cached_rate, created_at, resolved_at)
SELECT 'hold ' || id, id, id, 'as-0123456789', 'm', 100, 'captured', 'o', 1, 2, 2,
    :input, :output, :cached, 0, 1 FROM accounts;
INSERT INTO entries (account_id, at, kind, amount, balance_after, hold_id, model, token_id,
    prompt_tokens, completion_tokens, input_rate, output_rate, cached_rate, search_rate)
SELECT id, 1, 'usage', -:spent, :grant + :lots * :expired - :spent, 'hold ' || id, 'm', id, 2, 2,
    :input, :output, :cached, 0 FROM accounts
"""
