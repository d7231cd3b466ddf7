"""Books of very many members, made by a few statements on either database; they agree."""

from __future__ import annotations

from tests.kit.sums import close
from tests.ledger.books import RATE
from xinghe.storage import Connection

GRANT, SPENT, EXPIRED = 2000, 24, 1000


def fill(
    connection: Connection, members: int, *, requests: int = 1, lots: int = 1, at: int = 5
) -> None:
    """Members with a grant, captured requests, a cap, and `lots` that expired at a moment.

    The requests of all members come in turns, as they would. A grant is one that leaves as much
    as `GRANT` after one request.
    """
    left, expired = GRANT - SPENT, lots * EXPIRED
    grant = left + requests * SPENT
    number = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
    turns = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $1 - 1) "
    connection.run(
        f"{number} INSERT INTO wallets (id, available, created_at) "
        "SELECT i, CAST($2 AS BIGINT), 0 FROM n",
        members,
        left + expired,
    )
    connection.run(
        "INSERT INTO members (id, appid, name, created_at) "
        "SELECT id, 'app-' || id, 'member ' || id, 0 FROM wallets"
    )
    connection.run(
        "INSERT INTO tokens (id, member_id, public_id, digest, name, scopes, created_at) "
        "SELECT id, id, CAST(id AS TEXT), $1, 't', '[]', 0 FROM members",
        bytes(32),
    )
    connection.run(
        "INSERT INTO budgets (token_id, unit, per, amount, created_at) "
        "SELECT id, 'tokens', 'total', 1000000, 0 FROM tokens WHERE id > 1"
    )
    connection.run(
        "INSERT INTO budget_windows (budget_id, since, base, used) "
        "SELECT id, 0, CAST($1 AS BIGINT), CAST($1 AS BIGINT) FROM budgets",
        requests * SPENT,
    )
    connection.run(
        "INSERT INTO lots (wallet_id, kind, amount, remaining, created_at, note) "
        "SELECT id, 'grant', CAST($1 AS BIGINT), CAST($2 AS BIGINT), 0, '' FROM wallets",
        grant,
        left,
    )
    connection.run(
        f"{number} INSERT INTO lots "
        "(wallet_id, kind, amount, remaining, expires_at, created_at, note) "
        "SELECT id, 'grant', CAST($2 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), 0, '' "
        "FROM wallets, n",
        lots,
        EXPIRED,
        at,
    )
    for amount, balance in (grant, grant), (expired, grant + expired):
        connection.run(
            "INSERT INTO entries (wallet_id, at, kind, amount, balance_after) "
            "SELECT id, 0, 'grant', CAST($1 AS BIGINT), CAST($2 AS BIGINT) FROM wallets",
            amount,
            balance,
        )
    connection.run(
        f"{turns} INSERT INTO holds (id, wallet_id, token_id, request_id, model, amount, state, "
        "owner, stream, prompt_tokens, emitted, input_rate, output_rate, cached_rate, "
        "created_at, resolved_at) SELECT 'of-a-request-' || (1000000000 + i), i % $2 + 1, "
        "i % $2 + 1, 'as-0123456789', 'm', 100, 'captured', '0123456789abcdef', 1, 2, 2, "
        "CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), 0, 1 FROM n",
        members * requests,
        members,
        RATE.input,
        RATE.output,
        RATE.cached_input,
    )
    connection.run(
        f"{turns} INSERT INTO entries (wallet_id, at, kind, amount, balance_after, request_id, "
        "hold_id, model, token_id, prompt_tokens, completion_tokens, input_rate, "
        "output_rate, cached_rate, search_rate) SELECT i % $2 + 1, 1, 'usage', "
        "-CAST($3 AS BIGINT), $4 - (i / $2 + 1) * $3, 'as-0123456789', "
        "'of-a-request-' || (1000000000 + i), 'm', i % $2 + 1, 2, 2, CAST($5 AS BIGINT), "
        "CAST($6 AS BIGINT), CAST($7 AS BIGINT), 0 FROM n",
        members * requests,
        members,
        SPENT,
        grant + expired,
        RATE.input,
        RATE.output,
        RATE.cached_input,
    )
    connection.run(
        "INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome, requests, "
        "prompt_tokens, completion_tokens, spend, first_at, last_at) "
        "SELECT wallet_id, 0, coalesce(member_id, wallet_id), token_id, model, '', count(*), "
        "sum(prompt_tokens), sum(completion_tokens), -sum(amount), min(at), max(at) FROM entries "
        "WHERE kind = 'usage' GROUP BY wallet_id, coalesce(member_id, wallet_id), token_id, model"
    )
    close(connection)


def leave_open(connection: Connection, holds: int, *, owner: str, amount: int) -> None:
    """Holds on the first wallet, every second one a stream that had begun."""
    connection.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
        "INSERT INTO holds (id, wallet_id, token_id, request_id, model, amount, state, owner, "
        "stream, started, prompt_tokens, emitted, input_rate, output_rate, cached_rate, "
        "created_at) SELECT 'open ' || i, 1, 1, 'as-0123456789', 'm', CAST($2 AS BIGINT), 'open', "
        "$3, i % 2, 1, 2, 2, CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), 6 FROM n",
        holds,
        amount,
        owner,
        RATE.input,
        RATE.output,
        RATE.cached_input,
    )
    connection.run(
        "UPDATE wallets SET available = available - $1, held = held + $1 WHERE id = 1",
        holds * amount,
    )
