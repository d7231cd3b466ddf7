"""Entries of books that nobody has asked for, written beside a service that runs on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import apsw

from tests.kit.server import Server
from xinghe.ledger.agreement import BY_MONTH
from xinghe.ledger.spans import SUMS

MICRO = 1_000_000
HOUR = 3_600 * MICRO
COST = 24
"""Of each in micro-Tokens."""


def use(
    server: Server, token: str, models: Sequence[str], number: int, *, since: int, apart: int
) -> None:
    """So many charged requests with a token that has made none, from a moment on.

    They are `apart` from each other (microseconds) and take the models in turns. What is left in
    the member's wallet stays as it was: the sums of the books do not agree any more.
    """
    cases = " ".join(f"WHEN {place} THEN :m{place}" for place in range(len(models)))
    asked: dict[str, str | int] = {f"m{place}": model for place, model in enumerate(models)}
    asked |= {"number": number, "since": since, "apart": apart, "cost": COST, "hour": HOUR}
    with closing(apsw.Connection(str(server.data / "xinghe.db"))) as connection:
        connection.setbusytimeout(20_000)
        found = connection.execute(
            "SELECT id, member_id FROM tokens WHERE public_id = ?", (token.split("-")[1],)
        )
        asked["token"], asked["member"] = next(found)
        with connection:
            connection.execute(
                "WITH RECURSIVE n(i) AS "
                "(SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :number) "
                "INSERT INTO entries (wallet_id, member_id, at, kind, amount, balance_after, "
                "request_id, hold_id, model, token_id, prompt_tokens, completion_tokens, "
                "input_rate, output_rate, cached_rate, search_rate, wait_ms, first_ms, total_ms, "
                "finish) SELECT :member, :member, :since + i * :apart, 'usage', -:cost, 0, "
                "'as-' || :token || '-' || i, 'hold-' || :token || '-' || i, "
                f"CASE i % {len(models)} {cases} END, :token, 2, 2, 4, 8, 1, 0, 5, 30, 90, "
                "'normal' FROM n",
                asked,
            )
            connection.execute(
                "INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome, "
                "requests, prompt_tokens, completion_tokens, spend, timed, timed_tokens, first_ms, "
                "total_ms, first_at, last_at) SELECT wallet_id, at - at % :hour, member_id, "
                "token_id, model, '', count(*), sum(prompt_tokens), sum(completion_tokens), "
                "-sum(amount), count(*), sum(completion_tokens), sum(first_ms), sum(total_ms), "
                "min(at), max(at) FROM entries WHERE kind = 'usage' AND token_id = :token "
                "GROUP BY wallet_id, at - at % :hour, member_id, token_id, model",
                asked,
            )
            # As whatever is written late: at once in the sums of months, where its hour is closed.
            sums = ", ".join(f"sum(u.{name})" for name in SUMS)
            connection.execute(
                "INSERT INTO usage_members (wallet_id, since, member_id, token_id, model, outcome, "
                f"{', '.join(SUMS)}) SELECT u.wallet_id, {BY_MONTH['sqlite']}, u.member_id, "
                f"u.token_id, u.model, u.outcome, {sums} FROM usage_hours u, usage_closed c "
                "WHERE u.token_id = :token AND (u.hour < c.since OR "
                "(u.hour < c.upto AND u.wallet_id <= c.wallet_id)) GROUP BY 1, 2, 3, 4, 5, 6",
                asked,
            )
