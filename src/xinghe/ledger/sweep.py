"""Expiring what is due on accounts that nobody reserves on meanwhile."""

from __future__ import annotations

from functools import partial

import apsw

from xinghe.storage import Database, lots
from xinghe.storage.clock import now


async def sweep(database: Database) -> int:
    """Sweep the expired lots of every account; returns the amount in micro-Tokens."""
    at = now()
    due = await database.read(partial(_accounts_due, at=at))
    return await database.write(partial(_expire, accounts=due, at=at)) if due else 0


def _accounts_due(connection: apsw.Connection, at: int) -> list[int]:
    rows = connection.execute(
        "SELECT DISTINCT account_id FROM lots WHERE remaining > 0 AND expires_at <= ?", (at,)
    )
    return [account_id for (account_id,) in rows]


def _expire(connection: apsw.Connection, accounts: list[int], at: int) -> int:
    return sum(lots.expire(connection, account_id, at) for account_id in accounts)
