"""Coarser sums beside the hourly ones, of hours that have ended: they are added some time later.

`usage_members`: by month (UTC), what each member did with each token. `usage_groups`: by hour, day
and month, what all members of a group did. In both is what was closed: one transaction after
another closes some hours of some wallets, and one row tells how far that has come. What is written
for a closed hour later, because a database was away for long, say, is added to them at once.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from xinghe.ledger.windows import DAY, HOUR, Window
from xinghe.storage import Connection, among

Span: TypeAlias = Literal["hour", "day", "month"]

SUMS = (
    "requests", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens",
    "searches", "spend", "timed", "timed_tokens", "first_ms", "total_ms",
)  # fmt: skip
"""What is summed of requests."""

OPEN = HOUR
"""How long after its end an hour is closed; so far, the clocks of several hosts may differ."""
LATE = HOUR // 2
"""What is written so long after its moment may meet with the closing of its hour."""
WALLETS, ROWS = 1000, 2000
"""What one transaction closes: so many wallets, or fewer once it is so many rows."""

MONTH = Window("month")


class Closed(msgspec.Struct, frozen=True, array_like=True):
    """What the coarser sums hold: the hours before `since`; those before `upto`, of the same month,
    of the wallets up to `wallet_id`.
    """

    since: int
    upto: int
    wallet_id: int

    def holds(self, hour: int, wallet_id: int) -> bool:
        return hour < self.since or (hour < self.upto and wallet_id <= self.wallet_id)


HELD = "(u.hour < ? OR (u.hour < ? AND u.wallet_id <= ?))"
"""`Closed.holds` in SQL."""

_KEYS = {
    "usage_members": "wallet_id, since, member_id, token_id, model, outcome",
    "usage_groups": "wallet_id, span, since, model, outcome",
}


def _into(table: str, source: str) -> str:
    return (
        f"INSERT INTO {table} ({_KEYS[table]}, {', '.join(SUMS)}) {source} "
        f"ON CONFLICT ({_KEYS[table]}) DO UPDATE SET "
        + ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    )


def _one(table: str) -> str:
    places = range(1, 2 + _KEYS[table].count(",") + len(SUMS))
    return _into(table, f"VALUES ({', '.join(f'${place}' for place in places)})")


_MEMBER, _GROUP = _one("usage_members"), _one("usage_groups")
_ALL = ", ".join(f"CAST(sum(u.{name}) AS BIGINT)" for name in SUMS)
_MONTH, _PART = "CAST($1 AS BIGINT)", "u.hour - u.hour % $1"


def closed(connection: Connection, *, kept: bool = False) -> Closed:
    """How far it has come; `kept`: that it stays so to the end of the transaction."""
    lock = " FOR SHARE" if kept and connection.dialect == "postgresql" else ""
    row = connection.row(f"SELECT since, upto, wallet_id FROM usage_closed{lock}")  # noqa: S608
    assert row is not None
    return Closed(*row)


def add(
    connection: Connection,
    to: Closed,
    key: tuple[int, int, int, int, str, str],
    sums: tuple[int, ...],
) -> None:
    """Add what was written late, if its hour is closed; `key` as that of the hourly sums."""
    wallet_id, hour, *which = key
    if not to.holds(hour, wallet_id):
        return
    month = MONTH.part(hour)
    connection.run(_MEMBER, wallet_id, month, *which, *sums)
    if connection.row("SELECT 1 FROM groups WHERE wallet_id = $1", wallet_id):
        for span, since in ("hour", hour), ("day", hour - hour % DAY), ("month", month):
            connection.run(_GROUP, wallet_id, span, since, *which[2:], *sums)


def close(connection: Connection, at: int) -> bool:
    """Close hours that had ended a while before a moment, of some wallets; whether that was all."""
    lock = " FOR UPDATE" if connection.dialect == "postgresql" else ""
    row = connection.row(f"SELECT since, upto, wallet_id FROM usage_closed{lock}")  # noqa: S608
    assert row is not None
    since, upto, after = row
    month = MONTH.part(since)
    if since == upto:
        end = MONTH.left(month)
        assert end is not None
        upto, after = min((at - OPEN) // HOUR * HOUR, end), 0
        if upto <= since:
            return True
    wallets: list[int] = []
    groups: list[int] = []
    count = 0
    found = connection.rows(
        "SELECT w.id, (SELECT count(*) FROM usage_hours u WHERE u.wallet_id = w.id "
        "AND u.hour >= $1 AND u.hour < $2), "
        "(SELECT count(*) FROM groups g WHERE g.wallet_id = w.id) "
        "FROM wallets w WHERE w.id > $3 ORDER BY w.id LIMIT $4",
        since,
        upto,
        after,
        WALLETS,
    )
    for after, rows, is_group in found:
        if rows:
            wallets.append(after)
            count += rows
            if is_group:
                groups.append(after)
        if count >= ROWS:
            break
    if wallets:
        _sum(connection, wallets, groups, month, since, upto)
    if not found:
        since = upto
    connection.run(
        "UPDATE usage_closed SET since = $1, upto = $2, wallet_id = $3", since, upto, after
    )
    return False


def _sum(
    connection: Connection, wallets: list[int], groups: list[int], month: int, since: int, upto: int
) -> None:
    of_them, ids = among(connection, "u.wallet_id", "$4", wallets)
    within = f"FROM usage_hours u WHERE u.hour >= $2 AND u.hour < $3 AND {of_them} GROUP BY"
    keys = "u.member_id, u.token_id, u.model, u.outcome"
    connection.run(
        _into(
            "usage_members",
            f"SELECT u.wallet_id, {_MONTH}, {keys}, {_ALL} {within} u.wallet_id, {keys}",
        ),
        month,
        since,
        upto,
        ids,
    )
    if not groups:
        return
    _, ids = among(connection, "u.wallet_id", "$4", groups)
    for span, begin, by in ("hour", _PART, HOUR), ("day", _PART, DAY), ("month", _MONTH, month):
        connection.run(
            _into(
                "usage_groups",
                f"SELECT u.wallet_id, '{span}', {begin}, u.model, u.outcome, {_ALL} "
                f"{within} 1, 3, 4, 5",
            ),
            by,
            since,
            upto,
            ids,
        )
