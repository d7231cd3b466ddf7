"""What a token with a spend cap has spent in the running period, and what it holds.

One row a token that has a cap, none for the others. Amounts are micro-Tokens, times microseconds
UTC. Every function is part of the caller's transaction and keeps spent = Σ usage entries of the
token since the period began, held = Σ its open holds.
"""

from __future__ import annotations

import datetime
from typing import Literal

import apsw
import msgspec

from xinghe.core import MICRO

Period = Literal["day", "month", "total"]

_DAY = 86_400 * MICRO


class Cap(msgspec.Struct, frozen=True):
    """At most `amount` in each day or month (UTC), or in `total`."""

    amount: int
    per: Period
    since: int
    spent: int
    held: int

    def at(self, moment: int) -> Cap:
        """The same in the period of a moment; a moment of an earlier period changes nothing."""
        since = period_start(self.per, moment)
        return msgspec.structs.replace(self, since=since, spent=0) if since > self.since else self


def period_start(per: Period, at: int) -> int:
    """When the period of a moment began; 0 for `total`."""
    if per == "total":
        return 0
    if per == "day":
        return at - at % _DAY
    first = datetime.datetime.fromtimestamp(at // MICRO, datetime.UTC).replace(
        day=1, hour=0, minute=0, second=0
    )
    return int(first.timestamp()) * MICRO


def read(connection: apsw.Connection, token_id: int) -> Cap | None:
    """A token's cap as it was last written."""
    row = connection.execute(
        "SELECT amount, per, since, spent, held FROM caps WHERE token_id = ?", (token_id,)
    ).get
    return None if row is None else Cap(*row)


def write(connection: apsw.Connection, token_id: int, cap: Cap) -> None:
    """Put a token's row in place of the one that was there."""
    connection.execute(
        "INSERT OR REPLACE INTO caps (token_id, amount, per, since, spent, held) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (token_id, cap.amount, cap.per, cap.since, cap.spent, cap.held),
    )


def resolve(connection: apsw.Connection, token_id: int, held: int, cost: int, at: int) -> None:
    """A hold of a token was resolved, at a cost (0 if it was released)."""
    cap = read(connection, token_id)
    if cap is None:
        return
    # A capture is queued with its time: one of the last period may come after the new one began.
    due = cap.at(at)
    counts = at >= due.since
    write(
        connection,
        token_id,
        msgspec.structs.replace(
            due, held=due.held - held, spent=due.spent + cost if counts else due.spent
        ),
    )


def put(connection: apsw.Connection, token_id: int, amount: int, per: Period, at: int) -> None:
    """Give a token a cap; what it spent before in the running period counts."""
    since = period_start(per, at)
    # By the account, which has an index: an act of an operator may read what a request may not.
    spent = connection.execute(
        "SELECT coalesce(-sum(amount), 0) FROM entries WHERE kind = 'usage' AND at >= ?1 "
        "AND token_id = ?2 AND account_id = (SELECT account_id FROM tokens WHERE id = ?2)",
        (since, token_id),
    ).get
    held = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM holds WHERE state = 'open' AND token_id = ?",
        (token_id,),
    ).get
    write(connection, token_id, Cap(amount, per, since, spent, held))


def remove(connection: apsw.Connection, token_id: int) -> None:
    """Take a token's cap away, if it has one."""
    connection.execute("DELETE FROM caps WHERE token_id = ?", (token_id,))
